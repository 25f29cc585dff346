"""On a phone: the first lottery's button is above the fold, and each result is one line."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visitors, browsing
from tests.stand_ins.processes import Gunicorn

#: phones with their bars
PHONES = ({"width": 390, "height": 664}, {"width": 320, "height": 664})
LANGUAGES = ("en", "de", "es", "fr")


def bottom_of_first_button(page: Page) -> float:
    box = page.locator(".cards .act button").first.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


@pytest.mark.parametrize("phone", PHONES, ids=("390", "320"))
@pytest.mark.parametrize("code", LANGUAGES)
def test_the_first_button_is_above_the_fold_below_the_news_of_yesterday(
    chromium: Browser, visitors: Visitors, played: Gunicorn, phone: dict[str, int], code: str
) -> None:
    """The first lottery has the longest name and prize that there may be, and many ballots."""
    options = visitors.options(played, "bob")
    with browsing(chromium, played.url, viewport=phone, **options) as page:
        page.goto(f"/?lang={code}")
        page.locator("[name=count]").first.fill("999")
        page.locator(".many button").first.click()
        expect(page.locator(".receipt").first).to_be_visible()
        page.goto(f"/?lang={code}")
        expect(page.locator(".news p")).to_be_visible()
        expect(page.locator(".countdown")).to_be_visible()

        assert bottom_of_first_button(page) <= phone["height"]
