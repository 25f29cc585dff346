"""Valid HTML: every page in every state, by the Nu checker."""

import json
import re
import subprocess
from html import unescape
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.browser.conftest import Visitors, browsing
from tests.browser.floors import NU_CHECKER, skip_without
from tests.browser.states import AT_ONCE, STATES, State
from tests.stand_ins.processes import PATIENCE, Gunicorn


@pytest.fixture(scope="module", autouse=True)
def nu_checker() -> None:
    skip_without(NU_CHECKER)


def test_every_page_is_valid_html(
    chromium: Browser, visitors: Visitors, played: Gunicorn, new: Gunicorn, tmp_path: Path
) -> None:
    for name, state in STATES.items():
        server = new if state.is_new else played
        if name in AT_ONCE:  # what scripts make of it has no part in this: no browser is needed
            html = fetched(f"{server.url}{state.path}", visitors.cookies(server, state.who))
            assert state.sentence in words_of(html)
        else:
            html = acted(chromium, visitors, server, state)
        (tmp_path / f"{file_name(name)}.html").write_text(html, encoding="utf-8")

    assert len(list(tmp_path.iterdir())) == len(STATES)
    assert (found := faults(tmp_path)) == [], "\n".join(found)


def fetched(url: str, cookies: str) -> str:
    """Return the document at an address, whatever its status."""
    request = Request(url, headers={"Cookie": cookies, "Accept-Language": "en-GB"})
    try:
        with urlopen(request, timeout=PATIENCE) as answer:
            html: str = answer.read().decode()
    except HTTPError as error:
        html = error.read().decode()
    return html


def words_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", page)).split())


def acted(chromium: Browser, visitors: Visitors, server: Gunicorn, state: State) -> str:
    """Return the document that a page was answered with once something was done there."""
    with browsing(chromium, server.url, **visitors.options(server, state.who)) as page:
        served = Served(page)
        page.goto(state.path)
        state.act(page)
        expect(page.locator("body")).to_contain_text(state.sentence)
        return served.html()


def test_a_spoiled_page_is_found(tmp_path: Path) -> None:
    page = "<!doctype html><html lang=en><title>Spoiled</title><p>{}</p></html>"
    (tmp_path / "sound.html").write_text(page.format("Sound."))
    (tmp_path / "wrong.html").write_text(page.format("<div>A block in a paragraph.</div>"))
    (tmp_path / "doubtful.html").write_text(page.format('<a role="link" href="/">A link.</a>'))

    told = "\n".join(faults(tmp_path))

    assert "wrong.html: error: No “p” element in scope" in told
    assert "doubtful.html: warning: The “link” role is unnecessary" in told
    assert "sound.html" not in told


class Served:
    """The document that a page was last answered with: what came, not what scripts made of it."""

    def __init__(self, page: Page) -> None:
        self._last: Response | None = None
        page.on("response", self._keep)

    def html(self) -> str:
        assert self._last is not None, "nothing was served"
        return self._last.text()

    def _keep(self, response: Response) -> None:
        leads_on = 300 <= response.status < 400
        if response.request.is_navigation_request() and not leads_on:
            self._last = response


def file_name(state: str) -> str:
    return re.sub(r"\W+", "-", state)


def faults(folder: Path) -> list[str]:
    """Return what the Nu checker finds in the pages of a folder, errors and warnings."""
    ran = subprocess.run(
        [*NU_CHECKER, "--format", "json", "--stdout", "--exit-zero-always", str(folder)],
        capture_output=True,
        timeout=2 * PATIENCE,
        check=True,
    )
    return [
        f"{Path(each['url']).name}: {each.get('subType', each['type'])}: {each['message']}"
        f" (line {each.get('lastLine')}: {each.get('extract', '').strip()})"
        for each in json.loads(ran.stdout)["messages"]
    ]
