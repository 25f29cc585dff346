"""What the journeys rely on: the phone, complaints that are found, profiles of their own."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.browser.conftest import DRAWN_DAY
from tests.browser.engines.conftest import start
from tests.browser.engines.firefox import Firefox
from tests.browser.engines.page import HEIGHT, WIDTH, Engine, browsing
from tests.browser.engines.webkit import WebKit
from tests.stand_ins.processes import Gunicorn, wait_for
from tests.stand_ins.programs import program, running

BROKEN = "/bin/false"
#: what visitors see, with names that are hard to fit in
PUBLIC = (
    "/welcome",
    "/signup",
    "/login",
    "/winners",
    f"/winners/{DRAWN_DAY}",
    f"/draws/{DRAWN_DAY}",
)


def test_a_page_is_seen_on_a_phone_far_from_utc(
    engine: Engine, new: Gunicorn, tmp_path: Path
) -> None:
    with browsing(engine, new.url, tmp_path) as page:
        page.open("/how-it-works")

        assert page.run("[innerWidth, innerHeight]") == [WIDTH, HEIGHT]
        zone = "Intl.DateTimeFormat().resolvedOptions().timeZone"
        assert page.run(zone) == "Europe/Helsinki"
        assert page.run("document.visibilityState") == "visible"
        assert page.tab.screenshot().startswith(b"\x89PNG")
        assert re.fullmatch(r"\d+\.[\d.]+", engine.version)


def test_public_pages_fit_a_phone_and_say_nothing_on_the_console(
    engine: Engine, played: Gunicorn, tmp_path: Path
) -> None:
    with browsing(engine, played.url, tmp_path) as page:
        for address in PUBLIC:
            page.open(address)
            assert page.run("document.documentElement.scrollWidth") <= WIDTH, address
            if isinstance(engine, WebKit):
                assert engine.console_of(played.url + address) == []


def test_what_a_page_did_wrong_is_found(engine: Engine, new: Gunicorn, tmp_path: Path) -> None:
    def slip() -> None:
        with browsing(engine, new.url, tmp_path) as page:
            page.open("/how-it-works")
            page.run("void setTimeout(() => { document.title = 'slipped'; throw Error('a slip') })")
            wait_for(lambda: page.run("document.title") == "slipped", "it slipped")

    with pytest.raises(AssertionError, match="a slip"):
        slip()
    if isinstance(engine, WebKit):
        file = tmp_path / "page.html"
        file.write_text("<!doctype html><script>nowhere()</script>")
        assert "nowhere" in "".join(engine.console_of(file.as_uri()))


def test_profiles_know_nothing_of_each_other(engine: Engine, new: Gunicorn, tmp_path: Path) -> None:
    for _ in range(2):
        with browsing(engine, new.url, tmp_path) as page:
            page.open("/how-it-works")
            assert page.run("document.cookie + localStorage.length") == "0"
            page.run("void (document.cookie = 'mark=1', localStorage.setItem('mark', '1'))")


def how_it_starts(folder: Path) -> str:
    """Return what comes of starting Firefox: a test that is skipped would not be red."""
    try:
        with ExitStack() as stack:
            start(stack, Firefox, folder)
    except (pytest.skip.Exception, AssertionError) as outcome:
        return f"{type(outcome).__name__}: {outcome}"
    return "it starts"


@pytest.mark.parametrize("ci", ["", "true"])
def test_a_browser_that_is_nowhere_is_skipped_and_said_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ci: str
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", str(tmp_path))

    outcome = "Skipped: no firefox here; install the package firefox-esr"
    assert how_it_starts(tmp_path) == outcome


@pytest.mark.parametrize(("ci", "outcome"), [("", "Skipped"), ("true", "AssertionError")])
def test_a_browser_that_does_not_start_is_skipped_but_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ci: str, outcome: str
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("FIREFOX", BROKEN)

    assert re.match(rf"{outcome}: .*Firefox ended", how_it_starts(tmp_path))


def test_nothing_that_a_program_started_outlives_a_test_that_fails(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [program("dash", "sh"), "-c", "sleep 1000 & echo $! >&2; trap '' TERM; wait"]

    def fail() -> None:
        with running(command, log, {}):
            wait_for(log.read_text, "it has started another one")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    child = Path(f"/proc/{int(log.read_text())}/stat")
    wait_for(lambda: not child.exists() or ") Z " in child.read_text(), "the other one has ended")
