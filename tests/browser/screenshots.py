"""Screenshots: `make pictures` takes those in `docs/screenshots`.

Each is of one page at 320, 390, 768 and 1440 pixels side by side, once light and once dark. The
clock is frozen and random numbers are seeded, so that a picture changes only if its page does.
"""

import sys
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from lottery_system.models import Limits
from tests.browser.conftest import (
    CLOSED_DAY,
    DRAWN_DAY,
    QUIET_DAY,
    TODAY,
    Seeded,
    Visitors,
    browsing,
    database,
    launch,
    noon,
    served,
)
from tests.conftest import migrate
from tests.stand_ins.processes import Gunicorn

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
WIDTHS = (320, 390, 768, 1440)
HEIGHT = 844
#: pixels of a page that are shown at most
TALLEST = 2600
MARGIN = 24
#: of the pictures, so that all of them together stay small
SCALE = 0.6
QUALITY = 60
LARGEST = 250_000

Scheme = Literal["light", "dark"]


class Picture(NamedTuple):
    """A page as somebody, or a stranger, sees it."""

    name: str
    path: str
    who: str = "charlie"
    #: what is done before
    act: Callable[[Page], object] = lambda page: None
    language: str = "en-GB"


def press(name: str) -> Callable[[Page], object]:
    def act(page: Page) -> None:
        page.get_by_role("button", name=name).first.click()
        page.locator(
            "[role=status]:not(:empty):visible, output[data-verdict=ok], [role=alert]"
        ).first.wait_for()

    return act


PICTURES = (
    Picture("lotteries", "/"),
    Picture("lotteries-first-use", "/", "dana"),
    Picture("lotteries-in-german", "/", language="de-DE"),
    Picture("receipt", "/", act=press("Add 1 ballot to Big Chance")),
    Picture("won", "/", "bob"),
    Picture("won-elsewhere", "/how-it-works", "bob"),
    Picture("prize", f"/prizes/{CLOSED_DAY}/1", "bob"),
    Picture("prize-claimed", f"/prizes/{DRAWN_DAY}/1", "bob"),
    Picture("prizes", "/prizes", "bob"),
    Picture("welcome", "/welcome", ""),
    Picture("lottery", "/lotteries/1", ""),
    Picture("lottery-of-a-player", "/lotteries/2"),
    Picture("lottery-in-german", "/lotteries/5", language="de-DE"),
    Picture("winners", "/winners", ""),
    Picture("winner", f"/winners/{CLOSED_DAY}"),
    Picture("winner-nobody-played", f"/winners/{QUIET_DAY - timedelta(days=1)}"),
    Picture("winner-open", f"/winners/{TODAY}"),
    Picture("winner-not-a-date", "/winners/yesterday", ""),
    Picture("sheet", f"/winners/{CLOSED_DAY}/sheet", ""),
    Picture("draw", f"/draws/{CLOSED_DAY}", act=press("Check this draw")),
    Picture("my-ballots", "/ballots"),
    Picture("my-ballots-of-a-day", f"/ballots/{CLOSED_DAY}"),
    Picture("my-ballots-none", "/ballots", "dana"),
    Picture("account", "/account"),
    Picture("account-close", "/account/close"),
    Picture("sign-up", "/signup", ""),
    Picture("sign-up-refused", "/signup", "", press("Sign up")),
    Picture("log-in", "/login", ""),
    Picture("organiser", "/organiser", "alice"),
    Picture("organiser-prizes", "/organiser/prizes", "alice"),
    Picture("organiser-prize", f"/organiser/prizes/{DRAWN_DAY}/1", "alice"),
    Picture("organiser-lotteries", "/organiser/lotteries", "alice"),
    Picture("organiser-draws", "/organiser/draws", "alice"),
    Picture("organiser-participants", "/organiser/participants", "alice"),
    Picture("organiser-changes", "/organiser/changes", "alice"),
    Picture("organiser-edit", "/organiser/lotteries/1", "alice"),
    Picture("organiser-site", "/organiser/site", "alice"),
    Picture("how-it-works", "/how-it-works", ""),
    Picture("nothing-here", "/nowhere", ""),
)


def main(names: list[str], folder: Path = FOLDER) -> None:
    """Seed a lottery, serve it, and take the pictures that are named, or all."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name:
        url = f"sqlite:///{name}/lottery.db"
        migrate(url)
        seed(url)
        with (
            served(url, Path(name), noon(TODAY) + timedelta(hours=2, minutes=46)) as server,
            sync_playwright() as playwright,
        ):
            browser = launch(playwright)
            visitors = Visitors(browser)
            for picture in PICTURES:
                if not names or picture.name in names:
                    for scheme in ("light", "dark"):
                        take(browser, visitors, server, picture, scheme, folder)
            browser.close()


def seed(url: str) -> None:
    """Let people play for a month."""
    month = [DRAWN_DAY - timedelta(days=days) for days in range(26, 0, -1)]
    with database(url) as session:
        seeded = (
            Seeded(session, begins=month[0])
            .sign_up("alice", "bob", "charlie", "dana")
            .open(
                "Big Chance",
                "A weekend for two by the sea.",
                TODAY + timedelta(days=30),
                "Come to the desk of the library on any weekday, and bring this page.",
            )
            .open("Extra Win", "A basket of cheese, bread and apples.", TODAY)
            .open("Winter Books", "Ten novels of your choice.", TODAY + timedelta(days=7))
            .open("Garden Fair", "A pear tree.", QUIET_DAY)
            .open("One of a Kind", "A ring.", TODAY, limits=Limits(most_a_day=3, winnable=2))
        )
        for place, day in enumerate(month):
            if place % 9 != 4:
                seeded.play(day, "bob", "Big Chance", 20 + (place * 37) % 90)
            if place % 4 == 1:
                seeded.play(day, "charlie", "Garden Fair", 3)
            seeded.draw(day)
            if place % 9 != 4 or place % 4 == 1:
                seeded.hand_over(day)
        (
            seeded.play(DRAWN_DAY, "bob", "Big Chance", 40)
            .play(DRAWN_DAY, "charlie", "Garden Fair", 2)
            .draw(DRAWN_DAY)
            .claim(DRAWN_DAY, "I can come by on any evening.", "bob@lottery.example")
            .play(QUIET_DAY, "charlie", "Extra Win", 1, 1)
            .draw(QUIET_DAY, places=3)
            .lapse(QUIET_DAY, 1, "The address was wrong.")
            .play(CLOSED_DAY, "bob", "Big Chance", 73, 30)
            .play(CLOSED_DAY, "charlie", "Extra Win", 12)
            .draw(CLOSED_DAY, claim_days=14)
            .play(TODAY, "bob", "Winter Books", 100, 16)
            .play(TODAY, "charlie", "Extra Win", 3)
            .play(TODAY, "charlie", "Big Chance", 1)
            .promise("Extra Win", "A basket of cheese and bread.", noon(TODAY) + timedelta(hours=2))
            .seen("charlie", QUIET_DAY)
            .seen("bob", DRAWN_DAY)
        )


def take(
    browser: Browser,
    visitors: Visitors,
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
        **visitors.options(server, picture.who),
    }
    shots = []
    for width in WIDTHS:
        viewport = {"width": width, "height": HEIGHT}
        with browsing(browser, server.url, viewport=viewport, **options) as page:
            page.goto(picture.path)
            picture.act(page)
            page.wait_for_load_state()
            png = page.screenshot(full_page=True)
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
