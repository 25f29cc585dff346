"""The draw screen over days: it updates itself, and never shows outdated content as current."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, Route, expect

from lottery_system.clock import closes_at
from tests.browser.conftest import Complaints, Seeded, browsing, database, leave
from tests.browser.test_stories import Site, open_lotteries, site
from tests.conftest import FIRST_DAY
from tests.stand_ins.processes import PATIENCE, wait_for

#: seconds before midnight at which a screen is opened
BEFORE = 20
#: what a browser writes of each request for which there is no server
NO_SERVER = "net::ERR_"
LOST = "No connection to the lottery. This is how things stood on"
NOTES_NUMBERS = """() => {
    window.numbers = [];
    new MutationObserver(() => {
        const drawn = document.querySelector("[data-drawn]");
        if (drawn && window.numbers.at(-1) !== drawn.textContent) {
            window.numbers.push(drawn.textContent);
        }
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


@contextmanager
def lottery_of(file: Path, folder: Path) -> Iterator[Site]:
    """Serve a lottery in which bob can play."""
    with site(file, folder) as lottery:
        open_lotteries(lottery.url, "Big Chance")
        with database(lottery.url) as session:
            Seeded(session, begins=FIRST_DAY).sign_up("bob")
        yield lottery


def play(lottery: Site, count: int, day: date = FIRST_DAY) -> None:
    with database(lottery.url) as session:
        Seeded(session, begins=FIRST_DAY).play(day, "bob", "Big Chance", count)


def ballots(page: Page, count: str) -> None:
    expect(page.locator("[data-ballots]")).to_have_text(count)


@contextmanager
def cut_off(browser: Browser, url: str) -> Iterator[Page]:
    """Open a page whose requests may fail, and find nothing else wrong with it."""
    context = browser.new_context(base_url=url, locale="en-GB")
    context.set_default_timeout(PATIENCE * 1000)
    complaints = Complaints(context)
    try:
        yield context.new_page()
    finally:
        context.close()
    assert [each for each in complaints if NO_SERVER not in each] == []


def test_a_day_that_closes_reveals_its_winner_without_a_touch(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        lottery_of(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url) as page,
        browsing(chromium, lottery.server.url, reduced_motion="reduce") as still,
    ):
        play(lottery, 4000)
        lottery.server.stop()
        lottery.server.clock.stand_at(closes_at(FIRST_DAY) - timedelta(seconds=BEFORE))
        lottery.server.start()
        lottery.server.clock.run_from(closes_at(FIRST_DAY) - timedelta(seconds=BEFORE))
        for each in (page, still):
            each.goto("/screen")
            each.evaluate(NOTES_NUMBERS)
            ballots(each, "4,000")
            expect(each.locator("#result")).to_contain_text("The first draw hasn’t taken place")
        expect(page.locator("#today .countdown strong")).to_have_text(re.compile(r"0:00:[01]\d"))

        for each in (page, still):
            expect(each.locator("#result")).to_contain_text("Winner of Thursday 19 November 2026")
            ballots(each, "0")
            expect(each.locator(".who")).to_contain_text("bob")
        winner = f"{lottery.winner_of(FIRST_DAY).number:,}"
        expect(page.locator("#result")).to_have_attribute("aria-busy", "false")
        expect(page.locator("[data-drawn]")).to_have_text(winner)
        expect(page.locator(".who")).to_have_css("opacity", "1")
        expect(page.locator("#today .countdown strong")).to_have_text(re.compile(r"^2[34]:\d\d:"))
        assert len(page.evaluate("numbers")) > 1  # its digits came to rest
        assert still.evaluate("numbers") == [winner]
        expect(page.locator("#connection")).to_be_empty()
        leave(page, still)


def test_ballots_rise_and_a_server_that_restarts_is_found_again(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        lottery_of(sqlite_file, tmp_path) as lottery,
        cut_off(chromium, lottery.server.url) as page,
    ):
        page.goto("/screen")
        ballots(page, "0")
        play(lottery, 7)
        ballots(page, "7")
        expect(page.locator("#connection")).to_be_empty()

        lottery.server.stop()

        expect(page.locator("#connection")).to_contain_text(f"{LOST} Thursday")
        ballots(page, "7")  # as it stood then
        play(lottery, 5)
        lottery.server.start()
        expect(page.locator("#connection")).to_be_empty()
        ballots(page, "12")
        play(lottery, 3)
        ballots(page, "15")
        leave(page)


def test_a_day_that_is_over_meanwhile_is_not_shown_as_today(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        lottery_of(sqlite_file, tmp_path) as lottery,
        cut_off(chromium, lottery.server.url) as page,
    ):
        play(lottery, 7)
        page.clock.install(time=lottery.server.clock.now())
        page.goto("/screen")
        ballots(page, "7")
        lottery.server.stop()
        expect_lost(page)

        page.clock.fast_forward("13:00:00")

        expect(page.locator("#today .countdown strong")).to_have_text("–")
        ballots(page, "–")
        expect(page.locator("#connection")).to_contain_text(f"{LOST} Thursday")
        leave(page)


def expect_lost(page: Page) -> None:
    page.clock.run_for(10_000)
    expect(page.locator("#connection")).to_contain_text(LOST)


def test_a_network_that_is_cut_is_said_to_be_and_found_again(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        lottery_of(sqlite_file, tmp_path) as lottery,
        cut_off(chromium, lottery.server.url) as page,
    ):
        page.goto("/screen")
        ballots(page, "0")
        page.context.set_offline(True)
        expect(page.locator("#connection")).to_contain_text(LOST)
        play(lottery, 7)

        page.context.set_offline(False)

        expect(page.locator("#connection")).to_be_empty()
        ballots(page, "7")
        leave(page)


def test_a_laptop_that_slept_asks_at_once_and_goes_by_the_servers_clock(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        lottery_of(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url) as page,
    ):
        page.goto("/screen")
        play(lottery, 7)
        ballots(page, "7")  # by the news: for half a minute nothing else is a reason to ask

        with page.expect_request("**/screen", timeout=10_000):
            page.evaluate("(at => { Date.now = () => at() + 3_600_000 })(Date.now.bind(Date))")

        expect(page.locator("#connection")).to_be_empty()
        expect(page.locator("#today .countdown strong")).to_have_text(re.compile(r"^1[01]:"))
        leave(page)


def answering(status: int) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status)


def test_where_there_are_no_news_the_page_itself_is_asked(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with lottery_of(sqlite_file, tmp_path) as lottery, ExitStack() as stack:
        pages = []
        for status in (204, 429, 502):
            page = stack.enter_context(browsing(chromium, lottery.server.url))
            page.route("**/live", answering(status))
            page.goto("/screen")
            ballots(page, "0")
            pages.append(page)

        play(lottery, 7)

        for page in pages:  # at once: each asks only now and then
            ballots(page, "7")
            expect(page.locator("#connection")).to_be_empty()


def test_another_page_than_the_lotterys_is_no_answer(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    def pose(route: Route) -> None:
        route.fulfill(content_type="text/html", body="<!doctype html><h1>Pay for the network</h1>")

    with (
        lottery_of(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url) as page,
    ):
        page.goto("/screen")
        ballots(page, "0")
        expect(page.locator("#connection")).to_be_empty()
        page.route("**/screen", pose)
        page.route("**/live", pose)
        play(lottery, 7)

        expect(page.locator("#connection")).to_contain_text(LOST)


def test_streams_that_end_again_and_again_leave_nothing_behind(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    state = f'{{"day":"{FIRST_DAY}","ballots":0,"version":"%d"}}'
    streams: list[int] = []

    def end_at_once(route: Route) -> None:
        streams.append(1)
        body = f"retry: 5000\n\nevent: state\ndata: {state % len(streams)}\n\n:\n\n"
        route.fulfill(content_type="text/event-stream", body=body)

    with (
        lottery_of(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url) as page,
    ):
        page.clock.install(time=lottery.server.clock.now())
        page.route("**/live", end_at_once)
        page.goto("/screen")
        ballots(page, "0")

        def hear(count: int) -> dict[str, float]:
            for _ in range(count):
                before = len(streams)
                while len(streams) == before:
                    page.clock.run_for(1000)
            return held_by(page)

        before = hear(5)
        hear(60)

        def is_clean() -> bool:  # awaited: a page that was just fetched may not be collected yet
            after = held_by(page)
            return (
                after["JSEventListeners"] <= before["JSEventListeners"] + 5
                and after["Nodes"] <= before["Nodes"] + 30
            )

        wait_for(is_clean, "what 60 more streams left is let go")
        assert page.locator("#today, #result").count() == 2


def held_by(page: Page) -> dict[str, float]:
    """Return how many nodes and listeners the page holds."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    devtools.send("HeapProfiler.enable")
    devtools.send("HeapProfiler.collectGarbage")
    found = devtools.send("Performance.getMetrics")["metrics"]
    devtools.detach()
    return {each["name"]: each["value"] for each in found}


def test_without_a_script_it_says_when_the_day_closes(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        lottery_of(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, java_script_enabled=False) as page,
    ):
        page.goto("/screen")

        expect(page.locator("main")).to_contain_text("Closes at 23:59:59 UTC on Thursday")
        expect(page.locator(".countdown").first).to_be_hidden()


def test_all_of_it_is_on_a_projector_and_large(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        lottery_of(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url) as page,
    ):
        for width, height in ((1920, 1080), (1280, 720), (1024, 768)):
            page.set_viewport_size({"width": width, "height": height})
            page.goto("/screen")
            ballots(page, "0")

            whole = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
            assert page.evaluate(whole) == [width, height]
            smallest = page.evaluate(
                """() => Math.min(...[...document.querySelectorAll("main *")]
                    .filter(each => each.checkVisibility() && !each.classList.contains("unseen")
                        && each.textContent.trim())
                    .map(each => parseFloat(getComputedStyle(each).fontSize)))"""
            )
            assert smallest >= 0.025 * height
