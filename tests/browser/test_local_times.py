"""Local times: the reader's own time first, by the device's time zone or the account's."""

from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Seeded, browsing, database, log_in
from tests.browser.test_journey import expect_figures, sign_up, submit_one
from tests.browser.test_stories import open_lotteries, site
from tests.conftest import FIRST_DAY

UTC_ALONE = "23:59:59 UTC"
KATHMANDU = f"05:45 your time ({UTC_ALONE})"
THURSDAY, FRIDAY = "Thursday 19 November 2026", "Friday 20 November 2026"


def expect_closing(page: Page, closing: str) -> None:
    today = page.get_by_role("region", name="Today’s draw")
    expect(today.get_by_text("Closes at")).to_have_text(f"Closes at {closing}.")


def choose(page: Page, time_zone: str) -> None:
    page.goto("/account")
    page.get_by_label("Show times in this time zone").select_option(time_zone)
    page.locator("form", has=page.locator("#time_zone")).get_by_role("button").click()
    expect(page.get_by_role("main")).to_contain_text("Your time zone has been saved.")
    page.goto("/")


#: of the device; the time and the day at which Thursday ends there, if they are not those of UTC
TIME_ZONES = (
    ("UTC", "", ""),
    ("Europe/London", "", ""),
    ("Europe/Berlin", "01:00 your time", FRIDAY),
    ("America/New_York", "19:00 your time", THURSDAY),
    ("Asia/Kathmandu", "05:45 your time", FRIDAY),
)


def test_the_script_writes_the_time_of_the_device_first_whatever_its_clock_says(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with site(sqlite_file, tmp_path) as lottery:
        open_lotteries(lottery.url, "Big Chance")
        with database(lottery.url) as session:
            Seeded(session, begins=FIRST_DAY).sign_up("bob")
        for time_zone, own, day in TIME_ZONES:
            with browsing(chromium, lottery.server.url, timezone_id=time_zone) as page:
                page.clock.set_fixed_time(datetime(2031, 7, 1, 3, tzinfo=UTC))
                log_in(page, "bob")

                expect_closing(page, f"{own} ({UTC_ALONE})" if own else UTC_ALONE)
                page.goto("/welcome")
                utc = f"{UTC_ALONE} on {THURSDAY}"
                after = f"After {own} on {day} ({utc})." if own else f"After {utc}."
                expect(page.get_by_role("main")).to_contain_text(after)
                page.goto("/lotteries/1")
                expect(page.get_by_role("main")).to_contain_text("UTC on Tuesday 29 December 2026")


def test_the_account_s_time_zone_is_written_without_a_script(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, java_script_enabled=False) as page,
    ):
        open_lotteries(lottery.url, "Big Chance")
        sign_up(page, "bob")
        expect_closing(page, UTC_ALONE)

        choose(page, "Asia/Kathmandu")

        expect_closing(page, KATHMANDU)


def test_the_script_goes_by_the_account_s_time_zone_on_every_device(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, timezone_id="Pacific/Kiritimati") as page,
        browsing(chromium, lottery.server.url, timezone_id="UTC") as other,
    ):
        open_lotteries(lottery.url, "Big Chance")
        sign_up(page, "bob")
        choose(page, "Asia/Kathmandu")
        log_in(other, "bob")

        for each in (page, other):
            expect_closing(each, KATHMANDU)
        submit_one(page, "Big Chance")  # which renders the content again, in place
        expect_figures(page, 1, 1, "100 %")
        expect_closing(page, KATHMANDU)
        expect(page.get_by_role("status", name="Receipt")).to_contain_text(
            "UTC (Thursday 17:45 your time)"
        )


def test_utc_in_the_account_is_all_there_is(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, timezone_id="Pacific/Kiritimati") as page,
    ):
        open_lotteries(lottery.url, "Big Chance")
        sign_up(page, "bob")
        choose(page, "UTC")

        expect_closing(page, UTC_ALONE)
        expect(page.get_by_role("main")).not_to_contain_text("your time")
