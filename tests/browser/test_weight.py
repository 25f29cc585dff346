"""Page weight at the first view, and small screens at twice the text size."""

import gzip
import secrets
from collections import Counter

import pytest
from playwright.sync_api import Browser, Page, Response, Route

from tests.browser.conftest import Visitors, browsing
from tests.browser.states import AT_ONCE, SMALL, STATES, width_of
from tests.browser.test_lighthouse import PRIVATE_PAGES, PUBLIC_PAGES
from tests.stand_ins.processes import Gunicorn

PAGES = [*(("", path) for path in (*PUBLIC_PAGES, "/screen")), *PRIVATE_PAGES]
#: bytes, compressed as a server does: less than this
LIGHT, LIGHT_SCRIPTS = 50_000, 10_000
KINDS = ("document", "stylesheet", "script")
#: pixels; a browser's usual size of text is half of it
LARGE = 32


@pytest.mark.parametrize(("who", "path"), PAGES)
def test_the_first_view_of_a_page_is_light(
    chromium: Browser, played: Gunicorn, visitors: Visitors, who: str, path: str
) -> None:
    with browsing(chromium, played.url, **visitors.options(played, who)) as page:
        weights = first_view(page, path)
        assert page.url == f"{played.url}{path}"

    print(path, dict(weights))
    assert set(weights) == set(KINDS)  # or what was weighed is not all that the page loads
    assert weights.total() < LIGHT, weights
    assert weights["script"] < LIGHT_SCRIPTS, weights


def test_a_heavy_script_is_weighed_with_the_module_that_it_asks_for(chromium: Browser) -> None:
    files = {
        "/": ("text/html", '<!doctype html><script type="module" src="/one.js"></script>'),
        "/one.js": ("text/javascript", 'import "./two.js";'),
        "/two.js": ("text/javascript", f"// {secrets.token_hex(LIGHT_SCRIPTS)}"),
    }

    def answer(route: Route) -> None:
        kind, body = files[route.request.url.removeprefix("http://heavy.test")]
        route.fulfill(content_type=kind, body=body)

    with browsing(chromium, "http://heavy.test") as page:
        page.route("**/*", answer)
        weights = first_view(page, "/")

    assert LIGHT_SCRIPTS < weights["script"] < 1.3 * LIGHT_SCRIPTS  # half of what is sent in hex


def first_view(page: Page, path: str) -> Counter[str]:
    """Go to a page and return how many bytes came, by what they are for."""
    responses: list[Response] = []

    def keep(response: Response) -> None:
        responses.append(response)

    def end(route: Route) -> None:
        route.fulfill(status=204)

    page.on("response", keep)
    page.route("**/live", end)  # or the network is never idle where a script reads the stream
    page.goto(path, wait_until="networkidle")
    weights: Counter[str] = Counter()
    for response in responses:
        if (kind := response.request.resource_type) in KINDS:
            weights[kind] += len(gzip.compress(response.body(), 6))
    return weights


@pytest.mark.parametrize("name", AT_ONCE)
def test_a_page_fits_a_small_screen_at_twice_the_size_of_text(
    chromium: Browser, request: pytest.FixtureRequest, visitors: Visitors, name: str
) -> None:
    state = STATES[name]
    server: Gunicorn = request.getfixturevalue("new" if state.is_new else "played")
    options = visitors.options(server, state.who)
    with browsing(chromium, server.url, viewport=SMALL, **options) as page:
        enlarge(page)
        page.goto(state.path)

        size = page.evaluate("getComputedStyle(document.documentElement).fontSize")
        assert size == f"{LARGE}px", "the page insists on a size of its own"
        assert width_of(page) == SMALL["width"], "\n".join(sticking_out(page))


def test_what_fits_at_the_usual_size_alone_is_found(chromium: Browser) -> None:
    with browsing(chromium, "http://wide.test", viewport=SMALL) as page:
        page.set_content("<!doctype html><body><ul><li><p style='width: 15em'>Wide.")
        assert width_of(page) == SMALL["width"]

        enlarge(page)

        assert width_of(page) > 15 * LARGE
        assert sticking_out(page) == ['<p style="width: 15em">Wide.</p>']


def enlarge(page: Page) -> None:
    """Set the browser's own size of text, as does who needs it large; what is in rem follows."""
    page.context.new_cdp_session(page).send(
        "Page.setFontSizes", {"fontSizes": {"standard": LARGE, "fixed": LARGE}}
    )


def sticking_out(page: Page) -> list[str]:
    """Return what reaches beyond the right edge out of something that does not, as HTML."""
    found: list[str] = page.evaluate(
        """width => {
            const sticksOut = element => element.getBoundingClientRect().right > width;
            return [...document.body.querySelectorAll("*")]
                .filter(element => sticksOut(element) && !sticksOut(element.parentElement))
                .map(element => element.outerHTML.slice(0, 120));
        }""",
        SMALL["width"],
    )
    return found
