"""No layout shift while a page loads, and print styles without navigation.

Every page in every state is looked at in `test_accessibility.py`.
"""

from playwright.sync_api import Browser, expect

from tests.browser.conftest import DRAWN_DAY, browsing
from tests.browser.measures import shifts
from tests.browser.states import SMALL
from tests.stand_ins.processes import Gunicorn


def test_what_moves_would_be_found(chromium: Browser, played: Gunicorn) -> None:
    with browsing(chromium, played.url, viewport=SMALL) as page:
        page.goto("/how-it-works")
        page.evaluate("document.querySelector('h1').before(document.createElement('textarea'))")

        assert shifts(page) > 0


def test_the_script_does_write_times_that_the_server_cannot_know(
    chromium: Browser, played: Gunicorn
) -> None:
    with browsing(chromium, played.url) as page:
        page.goto(f"/winners/{DRAWN_DAY}")

        expect(page.get_by_role("main")).to_contain_text("your time)")


def test_a_printed_sheet_has_the_result_and_no_ways_around_it(
    chromium: Browser, played: Gunicorn
) -> None:
    with browsing(chromium, played.url) as page:
        page.goto(f"/winners/{DRAWN_DAY}/sheet")
        page.emulate_media(media="print")

        expect(page.get_by_role("article")).to_be_visible()
        expect(page.locator("svg.code")).to_be_visible()
        for hidden in ("Site", "Language"):
            expect(page.get_by_role("navigation", name=hidden)).to_be_hidden()
        expect(page.get_by_text("Print this page")).to_be_hidden()


def test_a_printed_draw_has_what_was_fixed_and_no_buttons(
    chromium: Browser, played: Gunicorn
) -> None:
    with browsing(chromium, played.url) as page:
        page.goto(f"/draws/{DRAWN_DAY}")
        page.emulate_media(media="print")

        expect(page.get_by_text("How this draw was made")).to_be_visible()
        expect(page.get_by_role("button", name="Check this draw")).to_be_hidden()
