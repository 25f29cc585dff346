"""Live updates: open pages change, and nobody loses focus or input."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from lottery_system.clock import closes_at
from tests.browser.conftest import browsing
from tests.browser.test_journey import expect_figures, sign_up, submit_one
from tests.browser.test_stories import expect_receipt_of, open_lotteries, site
from tests.conftest import FIRST_DAY, PASSWORD


def test_the_ballots_of_others_and_a_new_lottery_appear_by_themselves(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url) as bobs,
        browsing(chromium, lottery.server.url) as charlies,
    ):
        open_lotteries(lottery.url, "Big Chance")
        sign_up(bobs, "bob")
        submit_one(bobs, "Big Chance")
        expect_figures(bobs, 1, 1, "100 %")
        count = bobs.get_by_label("Or add several")
        count.fill("77")
        count.focus()
        bobs.evaluate("window.isTheSamePage = true")

        sign_up(charlies, "charlie")
        submit_one(charlies, "Big Chance")
        expect_figures(bobs, 2, 1, "50 %")

        open_lotteries(lottery.url, "Another Chance")
        expect(bobs.get_by_role("heading", name="Another Chance")).to_be_visible()
        same = (
            bobs.get_by_role("listitem")
            .filter(has_text="Big Chance")
            .get_by_label("Or add several")
        )
        expect(same).to_have_value("77")
        expect(same).to_be_focused()
        expect_receipt_of(bobs, "Your ballot is in", "1", "Thursday 19 November 2026")  # still
        assert bobs.evaluate("window.isTheSamePage")


def test_what_is_being_submitted_is_left_alone_until_it_is_answered(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url) as page,
    ):
        open_lotteries(lottery.url, "Big Chance")
        sign_up(page, "bob")
        page.route("**/lotteries/*/ballots", hold)
        token = page.locator("[name=submission]").first
        before = token.input_value()
        with page.expect_request("**/lotteries/*/ballots"):
            submit_one(page, "Big Chance")

        open_lotteries(lottery.url, "Another Chance")
        assert page.evaluate("ask()") is False
        assert token.input_value() == before  # pressing again would still be the same ballot

        held[0].continue_()
        expect_receipt_of(page, "Your ballot is in", "1", "Thursday 19 November 2026")
        expect(page.get_by_role("heading", name="Another Chance")).to_be_visible()
        assert token.input_value() != before
        assert lottery.count_ballots(FIRST_DAY) == 1


def test_a_click_keeps_ones_place_on_the_page(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, viewport={"width": 390, "height": 700}) as page,
    ):
        open_lotteries(lottery.url, *(f"Raffle {letter}" for letter in "ABCDEFGH"))
        sign_up(page, "bob")
        button = page.get_by_role("button", name="Add 1 ballot to Raffle G")
        button.scroll_into_view_if_needed()
        before = button.bounding_box()

        button.click()
        expect_receipt_of(page, "Your ballot is in", "1", "Thursday 19 November 2026")

        after = button.bounding_box()
        assert before is not None
        assert after is not None
        assert (after["x"], after["y"]) == pytest.approx((before["x"], before["y"]), abs=1)
        expect(button).to_be_focused()
        expect(page.locator("#announcement")).to_have_text("Your ballot is in: 1, Raffle G")
        # then the receipt comes into view, and the button stays in it
        expect(page.get_by_role("status", name="Receipt")).to_be_in_viewport(ratio=1)
        expect(button).to_be_in_viewport(ratio=1)


def test_without_a_script_a_click_comes_back_to_its_receipt(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    small = {"width": 390, "height": 700}
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, viewport=small, java_script_enabled=False) as page,
    ):
        open_lotteries(lottery.url, *(f"Raffle {letter}" for letter in "ABCDEFGH"))
        sign_up(page, "bob")

        page.get_by_role("button", name="Add 1 ballot to Raffle G").click()

        expect(page).to_have_url(re.compile(r"/#receipt-7$"))
        expect(page.get_by_role("status", name="Receipt")).to_be_in_viewport(ratio=1)
        expect(page.get_by_role("button", name="Add 1 ballot to Raffle G")).to_be_in_viewport()
        expect_receipt_of(page, "Your ballot is in", "1", "Thursday 19 November 2026")


#: how long before midnight the clock begins to run and a page is opened
SHORTLY = timedelta(seconds=20)
NOTE_WHAT_IS_SAID = """() => {
    const region = document.querySelector("#announcement");
    window.said = [];
    new MutationObserver(() => window.said.push(region.textContent))
        .observe(region, { childList: true });
}"""


def test_a_page_left_open_over_midnight_turns_over_and_its_form_counts_for_the_new_day(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    before = closes_at(FIRST_DAY) - timedelta(minutes=5)
    with (
        site(sqlite_file, tmp_path, at=before) as lottery,
        browsing(chromium, lottery.server.url) as page,
    ):
        lottery.server.clock.stand_at(before)
        open_lotteries(lottery.url, "Big Chance", at=before)
        sign_up(page, "bob")
        submit_one(page, "Big Chance")
        expect_receipt_of(page, "Your ballot is in", "1", "Thursday 19 November 2026")
        lottery.server.clock.run_from(closes_at(FIRST_DAY) - SHORTLY)
        page.goto("/")
        today = page.get_by_role("region", name="Today’s draw")
        expect(today).to_have_attribute("data-day", "2026-11-19")
        assert re.search(r"Closes in\s+0:00:\d\d", today.inner_text())
        page.evaluate(NOTE_WHAT_IS_SAID)

        expect(today).to_have_attribute("data-day", "2026-11-20")
        # 24:00:00 for an instant
        expect(today).to_contain_text(re.compile(r"Closes in\s+23:59:\d\d"))
        won = page.get_by_role("region", name="You won: Big Chance")
        expect(won).to_contain_text("Ballot 1 won in Big Chance on Thursday 19 November 2026.")
        expect(page.locator("#announcement")).to_have_text("You won: Big Chance")
        # the one may follow the other at once
        said = [text[:24] for text in page.evaluate("window.said")]
        assert said[0] == "Today’s draw has closed."
        # where the page looked between close and draw
        assert set(said[1:-1]) <= {"The draw of 19 Nov is be"}

        submit_one(page, "Big Chance")
        expect_receipt_of(page, "Your ballot is in", "1", "Friday 20 November 2026")


def test_results_left_open_over_midnight_announce_the_winner(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    before = closes_at(FIRST_DAY) - timedelta(minutes=5)
    with (
        site(sqlite_file, tmp_path, at=before) as lottery,
        browsing(chromium, lottery.server.url) as page,
        browsing(chromium, lottery.server.url) as other,
    ):
        lottery.server.clock.stand_at(before)
        open_lotteries(lottery.url, "Big Chance", at=before)
        sign_up(page, "bob")
        submit_one(page, "Big Chance")
        expect_receipt_of(page, "Your ballot is in", "1", "Thursday 19 November 2026")
        page.goto("/winners")
        other.goto(f"/winners/{FIRST_DAY}")
        # no countdown stands here, that would have to run out with the day
        lottery.server.clock.run_from(closes_at(FIRST_DAY) - timedelta(seconds=2))

        for each in (page, other):
            expect(each.locator("#announcement")).to_have_text("Ballot 1 won: bob")
            expect(each.get_by_role("main")).to_contain_text("bob")


def test_a_form_opened_before_midnight_says_which_day_its_ballot_counts_for(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, java_script_enabled=False) as page,
    ):
        open_lotteries(lottery.url, "Big Chance")
        sign_up(page, "bob")
        lottery.next_noon()

        submit_one(page, "Big Chance")  # on the page as it stood yesterday

        expect_receipt_of(page, "Your ballot is in", "1", "Friday 20 November 2026")


@pytest.mark.parametrize("with_script", [True, False], ids=["with a script", "without"])
def test_who_logged_out_in_another_tab_logs_in_and_goes_on_with_what_was_typed(
    chromium: Browser, sqlite_file: Path, tmp_path: Path, with_script: bool
) -> None:
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, java_script_enabled=with_script) as page,
    ):
        open_lotteries(lottery.url, "Big Chance")
        sign_up(page, "bob")
        page.get_by_label("Or add several").fill("77")
        other = page.context.new_page()
        other.goto("/")
        other.get_by_role("button", name="Log out (bob)").click()
        expect(other.get_by_role("heading", level=1)).to_have_text("Log in")

        page.get_by_role("button", name="Add ballots").click()
        expect(page.get_by_role("main")).to_contain_text("what you typed is still here")
        page.get_by_label("Username").fill("bob")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in", exact=True).click()

        expect(page.get_by_role("main")).to_contain_text("You’re logged in again.")
        expect(page.get_by_label("Or add several")).to_have_value("77")
        page.get_by_role("button", name="Add ballots").click()
        expect_receipt_of(page, "Your 77 ballots are in", "1 to 77", "Thursday 19 November 2026")
        assert lottery.count_ballots(FIRST_DAY) == 77


def test_a_reader_whose_calendar_is_a_day_ahead_is_told_their_own_time(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, timezone_id="Pacific/Kiritimati") as page,
    ):
        open_lotteries(lottery.url, "Big Chance")
        sign_up(page, "bob")

        today = page.get_by_role("region", name="Today’s draw")
        expect(today).to_contain_text("Closes at 14:00 your time (23:59:59 UTC).")
        submit_one(page, "Big Chance")
        expect_receipt_of(page, "Your ballot is in", "1", "Thursday 19 November 2026")


def test_nobody_who_looks_away_is_told_anything(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url) as page,
    ):
        open_lotteries(lottery.url, "Big Chance")
        opened: list[str] = []
        page.on("request", lambda request: opened.append(request.url))
        sign_up(page, "bob")
        page.wait_for_function("() => document.querySelector('[data-day]')")

        page.goto("/how-it-works")

        live = [url for url in opened if url.endswith("/live")]
        assert len(live) == 1  # of the front page; how it works is the same all day


def test_a_device_whose_clock_is_set_past_midnight_asks_and_announces_nothing(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url) as page,
    ):
        open_lotteries(lottery.url, "Big Chance")
        sign_up(page, "bob")
        countdown = page.locator("[data-countdown] strong")
        expect(countdown).to_have_text(re.compile(r"^1[01]:\d\d:\d\d$"))

        with page.expect_response(lottery.server.url + "/"):
            page.evaluate("(at => { Date.now = () => at() + 86_400_000 })(Date.now.bind(Date))")

        expect(countdown).to_have_text(re.compile(r"^1[01]:\d\d:\d\d$"))
        assert page.locator("#announcement").text_content() == ""
