"""An organiser gives the site a title and a lottery a picture, in a real browser."""

import random
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from itertools import product
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import TODAY, Seeded, Visitors, browsing, database, noon, served
from tests.stand_ins.processes import Gunicorn, wait_for

WORDS = "Waves on a beach, seen from a hill"


@pytest.fixture
def server(sqlite_file: Path, tmp_path: Path) -> Iterator[Gunicorn]:
    """Serve two lotteries, to be changed."""
    url = f"sqlite:///{shutil.copy(sqlite_file, tmp_path / 'lottery.db')}"
    with database(url) as session:
        (
            Seeded(session, begins=TODAY)
            .sign_up("alice", "bob")
            .open("Big Chance", "A weekend for two by the sea.", TODAY + timedelta(days=27))
            .open("Extra Win", "A basket of cheese.", TODAY + timedelta(days=3))
        )
    with served(url, tmp_path, noon(TODAY)) as server:
        yield server


def photo(width: int, height: int) -> bytes:
    """Return a JPEG with something of everything in it."""
    small = Image.frombytes("RGB", (24, 16), random.Random(7).randbytes(24 * 16 * 3))
    written = BytesIO()
    small.resize((width, height), Image.Resampling.BICUBIC).save(written, "JPEG", quality=92)
    return written.getvalue()


def choose(page: Page, label: str, data: bytes) -> None:
    page.get_by_label(label, exact=True).set_input_files(
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": data}
    )


def test_an_organiser_shows_a_picture_and_nothing_shifts_when_it_comes(
    chromium: Browser, server: Gunicorn, visitors: Visitors
) -> None:
    alice, bob = (visitors.options(server, who) for who in ("alice", "bob"))
    with browsing(chromium, server.url, **alice) as page:
        page.goto("/organiser/lotteries/1")
        choose(page, "Picture", b"\xff\xd8" + bytes(6_000_000))
        field = page.get_by_label("Picture", exact=True)
        message = field.evaluate("field => [field.validationMessage, field.value]")
        assert message == ["This file is larger than 5 MB. Choose a smaller one.", ""]
        choose(page, "Picture", photo(4000, 3000))
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("Describe the picture in a few words")

        choose(page, "Picture", photo(4000, 3000))
        page.get_by_label("Description of the picture").fill(WORDS)
        page.get_by_role("button", name="Save").click()
        page.wait_for_url("**/organiser/lotteries")
        page.goto("/organiser/lotteries/1")
        expect(page.get_by_role("checkbox", name="Remove the picture")).to_be_visible()

        page.goto("/organiser/site")
        page.get_by_label("Title").fill("Spring Fair")
        choose(page, "Logo", photo(400, 200))
        page.get_by_label("Contact").fill("Ask alice.\n\nOr ring the bell.")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("link", name="Spring Fair")).to_be_visible()
        page.get_by_role("link", name="Contact").click()
        expect(page.get_by_text("Or ring the bell.")).to_be_visible()

    with browsing(chromium, server.url, **bob) as page:
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route(re.compile(r"/pictures/.*\.webp"), hold)
        page.goto("/", wait_until="domcontentloaded")
        picture = page.get_by_role("img", name=WORDS)
        expect(picture).to_be_visible()
        before = page.locator("li.card").first.bounding_box()
        for route in held:
            route.continue_()
        page.wait_for_function("image => image.complete", arg=picture.element_handle())
        assert picture.evaluate("image => image.naturalWidth") > 0
        assert page.locator("li.card").first.bounding_box() == before


TITLE = "The great summer raffle of the volunteer fire brigade"


def test_a_long_title_leaves_the_links_their_room_and_a_picture_stays_on_its_page(
    chromium: Browser, server: Gunicorn, visitors: Visitors
) -> None:
    with browsing(chromium, server.url, **visitors.options(server, "alice")) as page:
        page.goto("/organiser/site")
        page.get_by_label("Title").fill(TITLE)
        choose(page, "Logo", photo(600, 200))
        page.get_by_role("button", name="Save").click()
        page.get_by_text("Your changes have been saved.").wait_for()
        for number in (1, 2):
            page.goto(f"/organiser/lotteries/{number}")
            choose(page, "Picture", photo(1600, 1000))
            page.get_by_label("Description of the picture").fill(WORDS)
            page.get_by_role("button", name="Save").click()
            page.wait_for_url("**/organiser/lotteries")

        def has_title() -> bool:
            """Each worker reads it every two seconds."""
            shown = TITLE in page.locator("header .name").inner_text()
            return shown or page.reload() is None

        for language, width in product(("en", "fr"), (320, 390, 1280)):
            page.set_viewport_size({"width": width, "height": 664})
            page.goto(f"/lotteries/1?lang={language}")
            wait_for(has_title, "the title of the site")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(LINKS) < 65, (language, width)
            assert page.evaluate(WIDTH_OF_TITLE) > 120, (language, width)

    # on the smallest phone the first button is above the fold, with long title and picture
    phone = {"width": 320, "height": 664}
    options = visitors.options(server, "bob")
    with browsing(chromium, server.url, viewport=phone, **options) as page:
        page.goto("/")
        expect(page.locator(".cards > .card .picture").first).to_be_visible()
        box = page.locator(".cards .act button").first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= phone["height"]


#: pixels of the highest link at the top: none is broken into lines
LINKS = """() => Math.max(...Array.from(
  document.querySelectorAll("header nav a"), (link) => link.getBoundingClientRect().height))"""
#: pixels that the title has for itself
WIDTH_OF_TITLE = "() => document.querySelector('header .name bdi').getBoundingClientRect().width"
