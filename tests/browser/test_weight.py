"""Page weight at the first view, and how what does not fit at twice the text size is found."""

import gzip
import secrets
from collections import Counter

import pytest
from playwright.sync_api import Browser, Page, Response, Route

from tests.browser.conftest import Visitors, browsing
from tests.browser.measures import LARGE, enlarge, sticking_out
from tests.browser.states import SMALL, width_of
from tests.browser.test_lighthouse import PRIVATE_PAGES, PUBLIC_PAGES
from tests.stand_ins.processes import Gunicorn

PAGES = [*(("", path) for path in (*PUBLIC_PAGES, "/screen")), *PRIVATE_PAGES]
#: bytes, compressed as a server does: less than this
LIGHT, LIGHT_SCRIPTS = 50_000, 10_000
KINDS = ("document", "stylesheet", "script")


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


def test_what_fits_at_the_usual_size_alone_is_found(chromium: Browser) -> None:
    with browsing(chromium, "http://wide.test", viewport=SMALL) as page:
        page.set_content("<!doctype html><body><ul><li><p style='width: 15em'>Wide.")
        assert width_of(page) == SMALL["width"]

        enlarge(page)

        assert width_of(page) > 15 * LARGE
        assert sticking_out(page, SMALL["width"]) == ['<p style="width: 15em">Wide.</p>']
