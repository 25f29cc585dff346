"""Front page, with the receipt of the last submission or a refused form."""

from datetime import date
from typing import NamedTuple
from unicodedata import normalize
from uuid import UUID

from flask import render_template, request
from werkzeug.wrappers import Response

from lottery_system.access import viewer
from lottery_system.clock import closes_at, day_of, utcnow
from lottery_system.extensions import reading
from lottery_system.models.lottery import NAME_LENGTH
from lottery_system.name_keys import search_key
from lottery_system.parts import parts
from lottery_system.queries.claims import prizes_to_claim
from lottery_system.queries.front_page import load_front_page
from lottery_system.queries.my_ballots import submission_of
from lottery_system.queries.results import results_of
from lottery_system.text_input import RAW_TIMES, is_printable
from lottery_system.web.chances import changed_today, prizes_left
from lottery_system.web.cookies import keep
from lottery_system.web.days import draw_being_made
from lottery_system.web.forms import parse_page

#: the cookie that remembers the token of what was submitted last
RECEIPT = "receipt"
AN_HOUR = 60 * 60
#: most prizes to claim that are shown; others follow once these are claimed
PRIZES = 3


class ReturnedForm(NamedTuple):
    """A form for ballots that comes back to the person who sent it."""

    lottery_id: int
    #: what was typed as the number of ballots; None for the usual number
    typed: str | None
    #: why it was refused; empty if it was not, but was sent without a valid session
    refusal: str = ""
    is_focused: bool = False


def front_page(*, token: UUID | None = None, returned: ReturnedForm | None = None) -> str:
    """Render the front page.

    Args:
        token: of the submission whose receipt is shown.
        returned: the form that comes back, if one does.
    """
    now = utcnow()
    today = day_of(now)
    at, name = parse_page(request.args.get("page", "")), _name_argument()
    me = viewer()
    with reading() as connection:
        page = load_front_page(connection, me.id, today, page=at, name=name)
        left = prizes_left(connection, page.open_ones, now)
        changed = changed_today(connection, me.id, page.open_ones, now)
        being_made = None
        if page.latest_over != page.latest_drawn:
            being_made = draw_being_made(connection, now, page.latest_drawn, me.id)
        receipt = submission_of(connection, me.id, token) if token else None
        prizes = prizes_to_claim(connection, me.id, today) if me.prize_to_claim else []
        results = None
        if page.my_latest and page.latest_drawn:
            seen = me.seen_until or date.min
            if min(page.my_latest, page.latest_drawn) > seen:
                results = results_of(connection, me.id, after=seen, until=page.latest_drawn)
    shown = {(each.day, each.place) for each in prizes}
    if results and results.places:  # prizes to claim are shown above already
        places = [each for each in results.places if (each.day, each.place) not in shown]
        results = results._replace(places=places) if places else None
    return render_template(
        "lotteries/index.html",
        now=now,
        today=today,
        closes_at=closes_at(today),
        page=page,
        being_made=being_made,
        prizes=prizes[:PRIZES],
        left=left,
        changed=changed,
        at=at,
        name=name,
        results=results,
        receipt=receipt,
        returned=returned,
        max_count=parts().settings.max_count,
    )


def keep_receipt(response: Response, token: UUID) -> None:
    """Let the next front page of this browser show a receipt.

    In a cookie of its own: the session would have to be signed anew, twice a click. Whoever makes a
    token up gets to see a submission of their own, or nothing.
    """
    keep(response, RECEIPT, str(token), AN_HOUR)


def _name_argument() -> str:
    text = request.args.get("q", "").strip()[: RAW_TIMES * NAME_LENGTH]
    is_text = is_printable(text) and search_key(text)  # an accent alone is none
    return normalize("NFC", text) if is_text else ""
