"""Accessibility: axe on every page in every state, nothing moved or cut off on small screens."""

from itertools import pairwise
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visitors, browsing
from tests.browser.measures import LARGE, broken_words, enlarge, shifts, small_targets, sticking_out
from tests.browser.states import SMALL, STATES, width_of
from tests.conftest import PASSWORD
from tests.stand_ins.processes import Gunicorn

RULES_OF_COLOUR = ("color-contrast", "link-in-text-block")
AXE = Axe().axe_script


@pytest.mark.parametrize("name", STATES)
def test_a_page_has_no_barrier_stands_still_and_fits_a_small_screen_at_both_sizes_of_text(
    chromium: Browser, visitors: Visitors, request: pytest.FixtureRequest, name: str
) -> None:
    """All of it in one visit: to open a page costs more than to look at it."""
    state = STATES[name]
    server: Gunicorn = request.getfixturevalue("new" if state.is_new else "played")
    options = visitors.options(server, state.who)

    with browsing(chromium, server.url, viewport=SMALL, **options) as page:
        page.goto(state.path)
        assert shifts(page) == 0
        state.act(page)

        expect(page.locator("body")).to_contain_text(state.sentence)
        page.wait_for_load_state()  # the style may come later than the words
        assert width_of(page) == SMALL["width"]
        assert barriers(page) == []
        assert small_targets(page) == []
        if "long" not in state.path:
            assert broken_words(page) == []
        page.emulate_media(color_scheme="dark")
        assert barriers(page, *RULES_OF_COLOUR) == []
        enlarge(page)
        size = page.evaluate("getComputedStyle(document.documentElement).fontSize")
        assert size == f"{LARGE}px", "the page insists on a size of its own"
        assert width_of(page) == SMALL["width"], "\n".join(sticking_out(page, SMALL["width"]))


def barriers(page: Page, *rules: str) -> list[str]:
    """Return what axe finds, by rule and element; by all its rules where none are named."""
    options: dict[str, Any] = {"rules": {"target-size": {"enabled": True}}}
    if rules:
        options = {"runOnly": rules}
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate(
        "options => axe.run(options).then(({ violations }) => violations)",
        {**options, "resultTypes": ["violations"]},
    )
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]


def test_the_keyboard_alone_is_enough_for_the_whole_way(
    chromium: Browser, played: Gunicorn
) -> None:
    with browsing(chromium, played.url) as page:
        page.goto("/signup")
        tab_to(page, "Username")
        page.keyboard.type("dana")
        tab_to(page, "Password")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Lotteries")

        tab_to(page, "Add 1 ballot to Big Chance")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status", name="Receipt")).to_contain_text("Your ballot is in")

        tab_to(page, "Winners", key="Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Winners")
        tab_to(page, "19")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Thursday 19 November 2026")
        tab_to(page, "Check this draw yourself")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("The draw of")
        tab_to(page, "Check this draw")
        page.keyboard.press("Enter")
        expect(page.get_by_role("main")).to_contain_text("This draw is correct")

        tab_to(page, "My ballots", key="Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("My ballots")
        tab_to(page, "Log out (dana)")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


def test_the_first_tab_offers_to_skip_to_the_content(chromium: Browser, played: Gunicorn) -> None:
    with browsing(chromium, played.url) as page:
        page.goto("/how-it-works")
        page.keyboard.press("Tab")
        assert focused(page)[0] == "Skip to main content"
        expect(page.get_by_role("link", name="Skip to main content")).to_be_in_viewport()

        page.keyboard.press("Enter")
        page.keyboard.press("Tab")

        assert page.evaluate("document.activeElement.closest('main') !== null")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_keyboard_goes_through_the_header_as_the_eye_does(
    chromium: Browser, visitors: Visitors, played: Gunicorn, width: int
) -> None:
    options = visitors.options(played, "alice") | {"viewport": {"width": width, "height": 800}}
    with browsing(chromium, played.url, **options) as page:
        page.goto("/winners")
        places = page.locator("header.site :is(a, button)").evaluate_all(
            """all => all.filter(e => e.checkVisibility()).map(e => {
                const { top, bottom, left } = e.getBoundingClientRect();
                return [Math.round((top + bottom) / 2), Math.round(left)];
            })"""
        )

        assert len(places) >= 6
        for (above, before), (below, after) in pairwise(places):
            assert below > above + 20 or (abs(below - above) <= 20 and after > before), places


def test_what_was_refused_is_where_the_keyboard_is(chromium: Browser, played: Gunicorn) -> None:
    with browsing(chromium, played.url) as page:
        page.goto("/signup")
        page.get_by_role("button", name="Sign up").click()
        expect(page.get_by_role("alert")).to_be_focused()

        page.keyboard.press("Tab")
        page.keyboard.press("Enter")

        expect(page.get_by_label("Username")).to_be_focused()


def tab_to(page: Page, name: str, key: str = "Tab") -> None:
    """Press Tab until something is in focus, and see that it shows that it is."""
    page.wait_for_load_state()  # until scripts have shown their buttons
    for _ in range(100):
        page.keyboard.press(key)
        label, outline = focused(page)
        assert outline != "none", f"{label} does not show that it has the focus"
        if label == name:
            return
    raise AssertionError(f"Tab never comes to {name}")


def focused(page: Page) -> tuple[str, str]:
    """Return what has the focus, by its name, and the style of its outline."""
    name, outline = page.evaluate(
        """() => {
            const element = document.activeElement;
            const label = element.labels?.[0] ?? element;
            return [label.textContent.trim(), getComputedStyle(element).outlineStyle];
        }"""
    )
    return name, outline
