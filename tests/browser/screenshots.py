"""Screenshots: `make pictures` takes those in `docs/screenshots`.

Each is of one page of a demo at 320, 390, 768 and 1440 pixels side by side, once light and once
dark; or of two phones down to the fold. The clock is frozen, and keys and dice of the demo are
fixed, so that a picture changes only if its page does.
"""

import sys
from collections.abc import Callable
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

from flask_migrate import upgrade
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

import config
from lottery_system.clock import ONE_DAY, starts_at
from lottery_system.demo.lotteries import DAYS
from lottery_system.demo.month import QUIET, Month
from lottery_system.fairness.note import SigningKey, format_signing_key
from lottery_system.keys import CHAIN_TIP, DRAFT, LOG_KEY
from lottery_system.parts import parts
from tests.browser.conftest import browsing, dice, launch
from tests.conftest import PASSWORD, running
from tests.stand_ins.processes import Gunicorn

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
WIDTHS = (320, 390, 768, 1440)
HEIGHT = 844
#: phones with their bars
PHONES, FOLD = (320, 390), 664
#: pixels of a page that are shown at most
TALLEST = 2600
MARGIN = 24
#: of the pictures, so that all of them together stay small
SCALE = 0.6
QUALITY = 60
LARGEST = 250_000

#: the day on which the pictures are taken, and the instant
TODAY = date(2026, 11, 22)
YESTERDAY = TODAY - ONE_DAY
AT = starts_at(TODAY) + timedelta(hours=14, minutes=46)
#: somebody who has just signed up
NEW = "newcomer"
#: people of the demo, and the buttons of its banner that let them in
DOORS = {
    "winner": "a player who has just won",
    "player": "a player who hasn’t",
    "organiser": "an organiser",
}

Scheme = Literal["light", "dark"]


class Picture(NamedTuple):
    """A page as somebody, or a stranger, sees it."""

    name: str
    path: str
    who: str = "player"
    #: what is done before
    act: Callable[[Page], object] = lambda page: None
    language: str = "en-GB"
    #: whether it shows phones with their bars, down to the fold, and not whole pages
    is_fold: bool = False


def press(name: str) -> Callable[[Page], object]:
    def act(page: Page) -> None:
        page.get_by_role("button", name=name).first.click()
        page.locator(
            "[role=status]:not(:empty):visible, output[data-verdict=ok], [role=alert]"
        ).first.wait_for()

    return act


def claim_once(page: Page) -> None:
    button = page.get_by_role("button", name="Claim your prize")
    if button.count():
        press("Claim your prize")(page)


PICTURES = (
    Picture("phone", "/", is_fold=True),
    Picture("phone-first-use", "/", NEW, is_fold=True),
    Picture("phone-won", "/", "winner", is_fold=True),
    Picture("phone-welcome", "/welcome", "", is_fold=True),
    Picture("lotteries", "/"),
    Picture("lotteries-first-use", "/", NEW),
    Picture("lotteries-in-german", "/", language="de-DE"),
    Picture("won", "/", "winner"),
    Picture("won-elsewhere", "/how-it-works", "winner"),
    Picture("prize", f"/prizes/{YESTERDAY}/1", "winner"),
    Picture("prizes", "/prizes", "winner"),
    Picture("welcome", "/welcome", ""),
    Picture("lottery", "/lotteries/1", ""),
    Picture("lottery-of-a-player", "/lotteries/2"),
    Picture("lottery-in-german", "/lotteries/5", language="de-DE"),
    Picture("winners", "/winners", ""),
    Picture("winner", f"/winners/{YESTERDAY}"),
    Picture("winner-nobody-played", f"/winners/{TODAY - (DAYS - max(QUIET)) * ONE_DAY}"),
    Picture("winner-open", f"/winners/{TODAY}"),
    Picture("winner-not-a-date", "/winners/yesterday", ""),
    Picture("sheet", f"/winners/{YESTERDAY}/sheet", ""),
    Picture("draw", f"/draws/{YESTERDAY}", act=press("Check this draw")),
    Picture("my-ballots", "/ballots"),
    Picture("my-ballots-of-a-day", f"/ballots/{YESTERDAY}"),
    Picture("my-ballots-none", "/ballots", NEW),
    Picture("account", "/account"),
    Picture("account-close", "/account/close"),
    Picture("sign-up", "/signup", ""),
    Picture("sign-up-refused", "/signup", "", press("Sign up")),
    Picture("log-in", "/login", ""),
    Picture("organiser", "/organiser", "organiser"),
    Picture("organiser-prizes", "/organiser/prizes", "organiser"),
    Picture("organiser-prize", f"/organiser/prizes/{YESTERDAY - ONE_DAY}/1", "organiser"),
    Picture("organiser-lotteries", "/organiser/lotteries", "organiser"),
    Picture("organiser-draws", "/organiser/draws", "organiser"),
    Picture("organiser-participants", "/organiser/participants", "organiser"),
    Picture("organiser-changes", "/organiser/changes", "organiser"),
    Picture("organiser-edit", "/organiser/lotteries/1", "organiser"),
    Picture("organiser-site", "/organiser/site", "organiser"),
    Picture("how-it-works", "/how-it-works", ""),
    Picture("nothing-here", "/nowhere", ""),
    # these change something, and come last
    Picture("receipt", "/", act=press("Add 1 ballot")),
    Picture("prize-claimed", f"/prizes/{YESTERDAY}/1", "winner", claim_once),
)


def main(names: list[str], folder: Path = FOLDER) -> None:
    """Play a demo, serve it, and take the pictures that are named, or all."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name:
        play(Path(name))
        with (
            Gunicorn("", Path(name), at=AT, LOTTERY_DEMO="on") as server,
            sync_playwright() as playwright,
        ):
            server.clock.stand_at(AT)
            browser = launch(playwright)
            people = People(browser, server.url)
            for picture in PICTURES:
                if not names or picture.name in names:
                    for scheme in ("light", "dark"):
                        take(browser, people, server, picture, scheme, folder)
            browser.close()


def play(storage: Path) -> None:
    """Play a demo with keys and dice that are always the same."""
    settings = config.load({"LOTTERY_DEMO": "on", "LOTTERY_STORAGE": str(storage)})
    key = SigningKey(settings.name, dice(TODAY))
    (storage / (LOG_KEY + DRAFT)).write_text(format_signing_key(key))
    (storage / (CHAIN_TIP + DRAFT)).write_text(dice(YESTERDAY).hex())
    with running(settings) as app, app.app_context():
        upgrade()
        Month(parts(), AT, lambda size: (dice(TODAY) * size)[:size]).play()


class People:
    """Somebody before a browser, who comes in by a door of the demo once."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._states: dict[str, Any] = {"": None}

    def state(self, who: str) -> Any:
        """Return cookies of somebody; of nobody where `who` is empty."""
        if who not in self._states:
            with browsing(self._browser, self._url) as page:
                if who in DOORS:
                    page.goto("/welcome")
                    page.get_by_role("button", name=DOORS[who], exact=True).click()
                else:
                    page.goto("/signup")
                    page.get_by_label("Username").fill(who)
                    page.get_by_label("Password").fill(PASSWORD)
                    page.get_by_role("checkbox").check()
                    page.get_by_role("button", name="Sign up").click()
                page.get_by_role("button", name="Log out").wait_for()
                self._states[who] = page.context.storage_state()
        return self._states[who]


def take(
    browser: Browser,
    people: People,
    server: Gunicorn,
    picture: Picture,
    scheme: Scheme,
    folder: Path,
) -> None:
    """Take a picture of a page at all widths.

    Raises:
        ValueError: it is too large a file.
    """
    options: dict[str, Any] = {
        "color_scheme": scheme,
        "reduced_motion": "reduce",  # so that nothing is taken as it moves
        "locale": picture.language,
        "timezone_id": "Europe/Dublin",
        "storage_state": people.state(picture.who),
    }
    shots = []
    for width in PHONES if picture.is_fold else WIDTHS:
        viewport = {"width": width, "height": FOLD if picture.is_fold else HEIGHT}
        with browsing(browser, server.url, viewport=viewport, **options) as page:
            page.goto(picture.path)
            picture.act(page)
            page.wait_for_load_state()
            png = page.screenshot(full_page=not picture.is_fold)
        shots.append(Image.open(BytesIO(png)).convert("RGB"))
    file = folder / f"{picture.name}-{scheme}.webp"
    sheet = side_by_side(shots)
    size = (round(sheet.width * SCALE), round(sheet.height * SCALE))
    sheet.resize(size, Image.Resampling.LANCZOS).save(file, "WEBP", quality=QUALITY, method=6)
    if file.stat().st_size > LARGEST:
        raise ValueError(f"{file.name} takes {file.stat().st_size:,} bytes")


def side_by_side(shots: list[Image.Image]) -> Image.Image:
    """Put pictures beside each other."""
    tallest = min(TALLEST, max(shot.height for shot in shots))
    width = sum(shot.width for shot in shots) + MARGIN * (len(shots) + 1)
    sheet = Image.new("RGB", (width, tallest + 2 * MARGIN), "#888888")
    left = MARGIN
    for shot in shots:
        sheet.paste(shot.crop((0, 0, shot.width, min(shot.height, tallest))), (left, MARGIN))
        left += shot.width + MARGIN
    return sheet


if __name__ == "__main__":
    main(sys.argv[1:])
