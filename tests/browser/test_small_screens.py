"""Small screens: no word is broken in any language, and large text keeps everything whole."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visitors, browsing
from tests.browser.measures import broken_words
from tests.browser.states import AT_ONCE, SMALL, STATES, width_of
from tests.stand_ins.processes import Gunicorn

#: English is looked at in every state (`test_accessibility.py`)
LANGUAGES = ("de-DE", "es-ES", "fr-FR")
PEOPLE = sorted({STATES[name].who for name in AT_ONCE})


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("locale", LANGUAGES)
def test_no_word_is_broken_at_320_pixels(
    chromium: Browser, visitors: Visitors, played: Gunicorn, new: Gunicorn, who: str, locale: str
) -> None:
    found = []
    mine = [STATES[name] for name in AT_ONCE if STATES[name].who == who]
    shown = [each for each in mine if "lang=" not in each.path and "long" not in each.path]
    for server in (played, new):
        paths = [each.path for each in shown if each.is_new == (server is new)]
        if not paths:
            continue
        options = visitors.options(server, who) | {"locale": locale}
        with browsing(chromium, server.url, viewport=SMALL, **options) as page:
            for path in paths:
                page.goto(path, wait_until="domcontentloaded")
                found += [f"{path}: {each}" for each in broken_words(page)]

    assert not found, "\n".join(found)


def test_twice_the_text_keeps_name_and_countdown_whole_on_a_phone(
    chromium: Browser, visitors: Visitors, played: Gunicorn
) -> None:
    phone = {"width": 390, "height": 664}
    with browsing(chromium, played.url, viewport=phone, **visitors.options(played, "bob")) as page:
        page.goto("/")
        page.evaluate("document.documentElement.style.fontSize = '200%'")

        assert width_of(page) == phone["width"]
        for part in (page.locator(".name bdi"), page.locator(".countdown strong")):
            expect(part).to_be_visible()
            assert part.evaluate(
                "e => e.scrollHeight <= e.clientHeight + 1 || e.clientHeight === 0"
            )
            box = part.bounding_box()
            assert box
            assert 0 <= box["x"] <= box["x"] + box["width"] <= phone["width"]
        tall, line = page.locator(".countdown strong").evaluate(
            "e => [e.getBoundingClientRect().height, parseFloat(getComputedStyle(e).lineHeight)]"
        )
        assert tall < 1.5 * line


#: a mark is seen by its border, or by a background that the system leaves alone
IS_SEEN = """(element, pseudo) => {
    const style = getComputedStyle(element, pseudo || null);
    const paper = getComputedStyle(document.body).backgroundColor;
    const isBordered = style.borderTopStyle !== "none" && style.borderTopWidth !== "0px";
    return isBordered || (style.forcedColorAdjust === "none" && style.backgroundColor !== paper);
}"""


@pytest.mark.parametrize(
    ("who", "selector", "pseudo"),
    [
        ("charlie", ".calendar a.won", ""),
        ("charlie", ".legend .won", "::before"),
        ("bob", ".calendar a.played", "::after"),
        ("bob", ".legend .played", "::before"),
    ],
)
def test_forced_colours_keep_the_marks_of_the_calendar_and_its_legend(
    chromium: Browser, visitors: Visitors, played: Gunicorn, who: str, selector: str, pseudo: str
) -> None:
    options = visitors.options(played, who)
    with browsing(chromium, played.url, forced_colors="active", **options) as page:
        page.goto("/winners")

        assert page.locator(selector).first.evaluate(IS_SEEN, pseudo)
