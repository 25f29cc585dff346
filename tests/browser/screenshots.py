"""Take the pictures in `docs/screenshots`: `python -m tests.browser.screenshots`.

The clock stands and the dice are given, so that a picture changes only where a page does.
"""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import (
    CLOSED_DAY,
    DRAWN_DAY,
    QUIET_DAY,
    TODAY,
    Seeded,
    browsing,
    database,
    launch,
    log_in,
    noon,
    served,
)
from tests.conftest import migrate

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
WIDTHS = {"phone": 390, "desktop": 1440}
LARGEST = 150_000


class Picture(NamedTuple):
    """A page as charlie, or somebody who is not logged in, sees it."""

    name: str
    path: str
    logged_in: bool = True
    scheme: Literal["light", "dark"] = "light"
    #: a button to press first
    press: str = ""


PICTURES = (
    Picture("lotteries", "/"),
    Picture("lotteries-dark", "/", scheme="dark"),
    Picture("receipt", "/", press="Submit 1 ballot to Big Chance"),
    Picture("winner", f"/winners/{CLOSED_DAY}"),
    Picture("draw", f"/draws/{CLOSED_DAY}", press="Check this draw"),
    Picture("draw-dark", f"/draws/{CLOSED_DAY}", scheme="dark", press="Check this draw"),
    Picture("my-ballots", "/ballots"),
    Picture("sign-up", "/signup", logged_in=False),
)


def main() -> None:
    """Seed a lottery, serve it, and take all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name:
        url = f"sqlite:///{name}/lottery.db"
        migrate(url)
        seed(url)
        with (
            served(url, Path(name), noon(TODAY) + timedelta(hours=2, minutes=46)) as server,
            sync_playwright() as playwright,
        ):
            browser = launch(playwright)
            for screen in WIDTHS:
                for picture in PICTURES:
                    take(browser, server.url, picture, screen)
            browser.close()


def seed(url: str) -> None:
    """Let people play for three days and a half."""
    with database(url) as session:
        (
            Seeded(session)
            .sign_up("alice", "bob", "charlie")
            .open("Big Chance", "A weekend for two by the sea.", TODAY + timedelta(days=30))
            .open("Extra Win", "A basket of cheese, bread and apples.", TODAY)
            .open("Winter Books", "Ten novels of your choice.", TODAY + timedelta(days=7))
            .open("Garden Fair", "A pear tree.", QUIET_DAY)
            .play(DRAWN_DAY, "bob", "Big Chance", 40)
            .play(DRAWN_DAY, "charlie", "Garden Fair", 2)
            .draw(DRAWN_DAY)
            .play(QUIET_DAY, "charlie", "Extra Win", 1, 1)
            .draw(QUIET_DAY)
            .play(CLOSED_DAY, "bob", "Big Chance", 73, 30)
            .play(CLOSED_DAY, "charlie", "Extra Win", 12)
            .draw(CLOSED_DAY)
            .play(TODAY, "bob", "Winter Books", 100, 16)
            .play(TODAY, "charlie", "Extra Win", 3)
            .play(TODAY, "charlie", "Big Chance", 1)
        )


def take(browser: Browser, url: str, picture: Picture, screen: str) -> None:
    """Take a picture of a whole page; after a press, of what then is in sight.

    Raises:
        ValueError: it is too large a file.
    """
    viewport = {"width": WIDTHS[screen], "height": 844}
    with browsing(
        browser, url, viewport=viewport, color_scheme=picture.scheme, timezone_id="Europe/Dublin"
    ) as page:
        if picture.logged_in:
            log_in(page, "charlie")
        page.goto(picture.path)
        if picture.press:
            page.get_by_role("button", name=picture.press).click()
            page.locator("[role=status], output[data-verdict=ok]").first.wait_for()
        page.wait_for_load_state()
        png = page.screenshot(full_page=not picture.press)
    if len(png) > LARGEST:
        raise ValueError(f"{picture.name} on a {screen} takes {len(png):,} bytes")
    (FOLDER / f"{picture.name}-{screen}.png").write_bytes(png)


if __name__ == "__main__":
    main()
