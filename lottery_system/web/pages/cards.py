"""Preview images for shared links (Open Graph, ogp.me).

They contain no username. They show lottery and prize only if the fonts have all their letters,
since no single font covers all scripts. The page itself shows them as text.
"""

import re
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from flask import Blueprint, abort, g, request
from flask_babel import gettext, ngettext
from PIL import Image, ImageDraw, ImageFont
from werkzeug.wrappers import Response

from lottery_system.access import everybody
from lottery_system.clock import day_of, utcnow
from lottery_system.extensions import reading
from lottery_system.models import DRAWN
from lottery_system.parts import parts
from lottery_system.queries.day import look_up
from lottery_system.queries.lottery_page import load_lottery
from lottery_system.runtime.offload import Offload
from lottery_system.web import current_site
from lottery_system.web.days import day_or_404
from lottery_system.web.languages import DEFAULT, LANGUAGES
from lottery_system.web.public import A_MOMENT, public
from lottery_system.web.words import long_day, number

blueprint = Blueprint("cards", __name__)

#: pixels, as most sites show them
WIDTH, HEIGHT = 1200, 630
MARGIN = 80
FONTS = Path(__file__).resolve().parents[1] / "fonts"
PAPER, INK, QUIET, ACCENT, ON_ACCENT = "#fbfaf7", "#1b2023", "#545d62", "#0b6e4f", "#ffffff"
#: the characters that the fonts have, see their README
LETTERS = ((0x20, 0x17F), (0x2010, 0x2027), (0x202F, 0x202F), (0x20AC, 0x20AC))
A_DAY = "public, max-age=86400"
REMEMBERED = 64
#: texts whose letters the fonts have, see their README.md
DRAWABLE = re.compile("[\u0020-\u007e\u00a1-\u017f\u2010-\u2027\u20ac]+")
#: characters of a text in short, and pixels of the smallest letters
SHORTEST, SMALLEST = 60, 20

# Drawing takes tens of milliseconds, so it runs in a thread of its own.
_offload = Offload(threads=1, niceness=10)


@blueprint.get("/card.png")
@everybody
def site() -> Response:
    """Show the card of the lottery, in the language that `?lang=` asks for, else in English."""
    _use_requested_language()
    return _of_site(A_DAY)


def _of_site(caching: str) -> Response:
    title, subtitle = gettext("One draw a day"), gettext("that anyone can check")
    drawn = _offload(_drawn, _name(), title, subtitle, "", "")
    return public(drawn, "image/png", caching)


@blueprint.get("/lotteries/<int(max=2147483647):lottery_id>/card.png")
@everybody
def lottery(lottery_id: int) -> Response:
    """Serve the card of a lottery and its prize, in the language of `?lang=`."""
    _use_requested_language()
    with reading() as connection:
        loaded = load_lottery(connection, lottery_id, day_of(utcnow()), None)
    if loaded is None:
        abort(404, gettext("This lottery doesn’t exist."))
    name, prize = _drawable(loaded[0].name), _drawable(loaded[0].prize)
    title = name or gettext("One draw a day")
    day = gettext("Last day: %(day)s", day=long_day(loaded[0].closes_on))
    subtitle = prize or gettext("that anyone can check")
    card = _offload(_drawn, _name(), title, subtitle, "", day)
    return public(card, "image/png", A_MOMENT)


@blueprint.get("/winners/<day>/card.png")
@everybody
def winner(day: str) -> Response:
    """Show the card of a drawn day, in the language that `?lang=` asks for, else in English."""
    _use_requested_language()
    utc_day = day_or_404(day)
    with reading() as connection:
        draw, winners = look_up(connection, utc_day, None)
    if draw is None or draw.status != DRAWN:
        return _of_site(A_MOMENT)
    prize = _drawable(winners[0].prize) if winners else ""
    if winners:
        title = number(winners[0].number)
        count = draw.ballot_count
        subtitle = ngettext(
            "won, out of %(count)s ballot",
            "won, out of %(count)s ballots",
            count,
            count=number(count),
        )
    else:
        title, subtitle = "–", gettext("Nobody entered")
    card = _offload(_drawn, _name(), title, subtitle, prize, long_day(utc_day))
    return public(card, "image/png", A_DAY)


def _name() -> str:
    """Return the title, or the technical name if the fonts lack one of its letters."""
    title = current_site.site().title
    has_all = all(any(first <= ord(each) <= last for first, last in LETTERS) for each in title)
    return title if has_all else parts().settings.name


def _use_requested_language() -> None:
    """Set the language by the address alone, since the response is cached for everyone."""
    wanted = request.args.get("lang", "")
    g.language = wanted if wanted in LANGUAGES else DEFAULT


def _drawable(text: str) -> str:
    """Return the beginning of a text on one line; empty if the fonts lack one of its letters."""
    line = " ".join(text.split())
    if len(line) > SHORTEST:
        line = (line[:SHORTEST].rpartition(" ")[0] or line[:SHORTEST]) + "…"
    return line if DRAWABLE.fullmatch(line) else ""


@lru_cache(REMEMBERED)
def _drawn(name: str, title: str, subtitle: str, prize: str, day: str) -> bytes:
    """Draw a ticket: its day above, the title large on it, the lottery's name below."""
    card = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(card)
    top, bottom, tear = MARGIN + 60, HEIGHT - MARGIN - 50, HEIGHT - MARGIN - 170
    pen.text((MARGIN, MARGIN - 10), day, QUIET, _font("DejaVuSans", 40), anchor="lm")
    pen.rounded_rectangle((MARGIN, top, WIDTH - MARGIN, bottom), 28, ACCENT)
    for x in (MARGIN, WIDTH - MARGIN):  # where a ticket is torn off
        pen.circle((x, tear), 26, PAPER)
    for x in range(MARGIN + 50, WIDTH - MARGIN - 50, 24):
        pen.line((x, tear, x + 12, tear), ON_ACCENT, 4)
    middle = WIDTH // 2
    size = _fitting("DejaVuSerif-Bold", title, WIDTH - 2 * MARGIN - 80, 190)
    pen.text((middle, (top + tear) // 2), title, ON_ACCENT, size, anchor="mm")
    lines = [line for line in (subtitle, prize) if line]
    for place, line in enumerate(lines, 1):
        y = tear + place * (bottom - tear) // (len(lines) + 1)
        size = _fitting("DejaVuSans", line, WIDTH - 2 * MARGIN - 80, 48 - 10 * (len(lines) - 1))
        pen.text((middle, y), line, ON_ACCENT, size, anchor="mm")
    size = _fitting("DejaVuSerif-Bold", name, WIDTH - 2 * MARGIN, 40)
    pen.text((MARGIN, HEIGHT - MARGIN), name, INK, size, anchor="lm")
    png = BytesIO()
    card.quantize(16).save(png, "PNG", optimize=True)
    return png.getvalue()


def _fitting(name: str, text: str, width: int, size: int) -> ImageFont.FreeTypeFont:
    """Return a font in the largest size, up to one, in which a text is not too wide."""
    font = _font(name, size)
    while font.getlength(text) > width and size > SMALLEST:
        size -= 10 if size > 2 * SMALLEST else 2
        font = _font(name, size)
    return font


@lru_cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS / f"{name}.ttf", size)
