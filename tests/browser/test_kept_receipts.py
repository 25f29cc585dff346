"""Receipts that the browser keeps by itself from the press on, and checks once the day is drawn."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree, rmtree

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from lottery_system.models import User
from lottery_system.passwords import hash_password
from tests.browser.conftest import browsing, database, log_in
from tests.browser.test_journey import log_out, submit_one
from tests.browser.test_stories import Site, open_lotteries, site
from tests.conftest import FIRST_DAY, FIRST_NOON, PASSWORD
from tests.stand_ins.processes import PATIENCE, ROOT

RECEIPTS = "**/receipt.json"
DRAW = f"/draws/{FIRST_DAY}"
SAVED = "This browser saved the receipt"
FAILED = "This browser couldn’t save the receipt."


@pytest.fixture(scope="module")
def lottery(sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a lottery on one day alone."""
    with playing(sqlite_file, tmp_path_factory.mktemp("kept")) as lottery:
        yield lottery


@contextmanager
def playing(file: Path, folder: Path) -> Iterator[Site]:
    """Serve a lottery that bob and charlie may play."""
    with site(file, folder) as lottery:
        with database(lottery.url) as session, session.begin():
            for name in ("bob", "charlie"):
                session.add(User.sign_up(name, hash_password(PASSWORD), FIRST_NOON))
        open_lotteries(lottery.url, "Big Chance")
        yield lottery


def kept(page: Page) -> dict[str, str]:
    """Return what the browser keeps, by its keys."""
    entries: dict[str, str] = page.evaluate("({ ...localStorage })")
    return entries


def key_of(username: str, number: int, day: object = FIRST_DAY) -> str:
    return f"receipt {username} /draws/{day}/ballots/{number}/receipt.json"


def line(page: Page) -> Locator:
    """Return what the receipt on the page says of itself."""
    return page.locator("[data-keep]")


def keep_one(page: Page) -> None:
    """Add a ballot, and see that the browser saves its receipt."""
    submit_one(page, "Big Chance")
    expect(line(page)).to_contain_text(SAVED)


def verdict(page: Page) -> Locator:
    """Return what the page of a draw says of kept receipts, by itself."""
    return page.locator("[data-kept] output")


def test_a_burst_of_presses_keeps_its_newest_receipt_which_the_draw_checks_unasked(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        playing(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url) as page,
    ):
        asked: list[str] = []

        def count(route: Route) -> None:
            asked.append(route.request.url)
            route.continue_()

        page.route(RECEIPTS, count)
        log_in(page, "bob")
        for _ in range(5):
            submit_one(page, "Big Chance")
        expect(page.get_by_role("status", name="Receipt")).to_contain_text("You now have 5 ballots")

        expect(line(page)).to_contain_text(SAVED)
        assert set(kept(page)) == {key_of("bob", 5)}
        assert len(asked) <= 2  # a second where a pause of a second is between two presses
        assert json.loads(kept(page)[key_of("bob", 5)])["holder"]["username"] == "bob"

        # others play on, so that the list grows, and the next day the page says it by itself
        log_out(page, "bob")
        log_in(page, "charlie")
        keep_one(page)
        log_out(page, "charlie")
        lottery.next_noon(page)
        log_in(page, "bob")
        page.goto(DRAW)
        expect(verdict(page)).to_have_text(
            "All receipts that this browser saved match the final list (1)."
        )
        expect(verdict(page)).to_have_attribute("data-verdict", "ok")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the receipt for ballot 5").click()
        assert download.value.path().read_text() == kept(page)[key_of("bob", 5)]


def test_a_receipt_that_was_kept_before_the_keys_were_replaced_is_good(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    """The server is left running meanwhile, and the second receipt is signed with the new key."""
    with (
        playing(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url) as page,
    ):
        log_in(page, "bob")
        keep_one(page)
        replaced = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "lottery_system", "draw", "replace-keys"],
            cwd=ROOT,
            env={
                **os.environ,
                **lottery.server.clock.environ,
                "LOTTERY_DATABASE_URL": lottery.url,
                "LOTTERY_STORAGE": str(tmp_path),
                "LOTTERY_CLOCK_TOLERANCE": "off",
            },
            input="lottery.local\n",
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert "The statement is published at /log/recovery/1." in replaced.stdout, replaced.stderr
        log_out(page, "bob")
        log_in(page, "charlie")
        keep_one(page)
        signed = {json.loads(text)["checkpoint"].split()[-1][:5] for text in kept(page).values()}
        assert len(signed) == 2  # a signature begins with its key's number
        log_out(page, "charlie")

        lottery.next_noon(page)

        for name in ("bob", "charlie"):
            log_in(page, name)
            page.goto(DRAW)
            expect(verdict(page)).to_have_text(
                "All receipts that this browser saved match the final list (1)."
            )
            log_out(page, name)


def test_a_list_without_the_kept_ballot_is_convicted_with_no_hand_of_its_holder(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    """The operator goes back to a copy of everything from before the ballot, and draws."""
    folder, before = tmp_path / "site", tmp_path / "before"
    folder.mkdir()
    with (
        playing(sqlite_file, folder) as lottery,
        browsing(chromium, lottery.server.url) as page,
    ):
        log_in(page, "charlie")
        keep_one(page)
        log_out(page, "charlie")
        log_in(page, "bob")
        page.goto("about:blank")
        lottery.server.stop()
        copytree(folder, before)
        lottery.server.start()
        page.goto("/")
        keep_one(page)

        page.goto("about:blank")
        lottery.server.stop()
        rmtree(folder)
        copytree(before, folder)
        lottery.server.start()
        lottery.next_noon(page)
        page.goto(DRAW)

        expect(verdict(page)).to_contain_text("Ballot 2: This receipt doesn’t match the draw:")
        expect(verdict(page)).to_contain_text("ballots were dropped")
        expect(verdict(page)).to_contain_text("Together they prove it to anyone.")
        expect(verdict(page)).to_have_attribute("data-verdict", "FAIL")


def test_another_account_sees_none_of_them_and_their_owner_deletes_them(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    with (
        playing(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url) as page,
    ):
        log_in(page, "bob")
        keep_one(page)
        log_out(page, "bob")
        log_in(page, "charlie")
        page.goto("/ballots")
        mine = page.get_by_role("region", name="Receipts in this browser")
        expect(mine.get_by_role("status")).to_have_text("0")
        mine.get_by_text("Delete saved receipts").click()
        mine.get_by_role("button", name="Delete them from this browser").click()
        assert set(kept(page)) == {key_of("bob", 1)}
        lottery.next_noon(page)
        page.goto(DRAW)
        expect(verdict(page)).to_have_text(
            "This browser has saved no receipt of yours for this day."
        )
        log_out(page, "charlie")

        log_in(page, "bob")
        page.goto("/ballots")
        expect(mine.get_by_role("status")).to_have_text("1")
        expect(mine).to_contain_text("They stay here when you log out")
        mine.get_by_text("Delete saved receipts").click()
        mine.get_by_role("button", name="Delete them from this browser").click()
        expect(mine.get_by_role("status")).to_have_text("0")
        assert kept(page) == {}


#: entries of other days and of this one, each with so many characters
FILL = """([days, ofToday, characters]) => {
    const value = "x".repeat(characters);
    for (let at = 0; at < days; at += 1) {
        const day = new Date(Date.UTC(2024, 0, 1 + at)).toISOString().slice(0, 10);
        localStorage.setItem(`receipt dora /draws/${day}/ballots/1/receipt.json`, value);
    }
    for (let at = 0; at < ofToday; at += 1) {
        const address = `/draws/2026-11-19/ballots/${at + 10}/receipt.json`;
        localStorage.setItem(`receipt bob ${address}`, value);
    }
}"""


@pytest.mark.parametrize(
    ("days", "of_today", "characters", "most"),
    [(250, 0, 10, 200), (90, 0, 20_000, 50), (0, 12, 10, 10)],
    ids=["too many", "too large", "too many of a day"],
)
def test_what_is_kept_is_bounded_and_the_oldest_days_go_first(
    chromium: Browser, lottery: Site, days: int, of_today: int, characters: int, most: int
) -> None:
    with browsing(chromium, lottery.server.url) as page:
        log_in(page, "bob")
        page.get_by_label("Or add several to Big Chance").fill("50")
        page.evaluate(FILL, [days, of_today, characters])
        before = sorted(kept(page))
        page.get_by_role("button", name="Add ballots to Big Chance").click()
        expect(line(page)).to_contain_text(SAVED)

        after = kept(page)
        own = f"receipt bob {line(page).get_attribute('data-keep')}"
        assert most - 1 <= len(after) <= most
        assert sum(len(key) + len(value) for key, value in after.items()) <= 1_000_000
        assert after[own]
        left = sorted(set(after) - {own})
        # of dora's days the newest, and of bob's numbers the greatest
        assert left == before[-len(left) :]


def test_an_answer_that_is_lost_is_made_up_for_later_and_is_never_good_meanwhile(
    chromium: Browser, sqlite_file: Path, tmp_path: Path
) -> None:
    def lose(route: Route) -> None:
        route.abort("connectionreset")

    with (
        playing(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, broken="receipt.json") as page,
    ):
        page.route(RECEIPTS, lose)
        log_in(page, "bob")
        submit_one(page, "Big Chance")
        expect(line(page)).to_contain_text(FAILED)
        assert kept(page) == {key_of("bob", 1): ""}
        lottery.next_noon(page)
        page.goto(DRAW)
        expect(verdict(page)).to_contain_text("Ballot 1: This website hasn’t sent the receipt")
        expect(verdict(page)).to_have_attribute("data-verdict", "--")

        page.unroute(RECEIPTS)
        page.reload()

        expect(verdict(page)).to_have_attribute("data-verdict", "ok")
        assert kept(page)[key_of("bob", 1)]


def test_where_the_browser_keeps_nothing_or_the_answer_is_no_receipt_of_it_the_page_says_so(
    chromium: Browser, lottery: Site
) -> None:
    full = "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); }"

    def mislead(route: Route) -> None:
        """Answer with the receipt of another ballot."""
        number = int(route.request.url.split("/")[-2])
        address = route.request.url.replace(f"/ballots/{number}/", f"/ballots/{number - 1}/")
        route.fulfill(response=route.fetch(url=address))

    with browsing(chromium, lottery.server.url) as page:
        page.add_init_script(full)
        log_in(page, "bob")
        submit_one(page, "Big Chance")
        expect(line(page)).to_contain_text(FAILED)
        assert kept(page) == {}
    with browsing(chromium, lottery.server.url) as page:
        page.route(RECEIPTS, mislead)
        log_in(page, "bob")
        submit_one(page, "Big Chance")
        expect(line(page)).to_contain_text(FAILED)
        assert list(kept(page).values()) == [""]


def test_without_a_script_the_link_is_offered_and_nothing_is_said_of_keeping(
    chromium: Browser, lottery: Site
) -> None:
    with browsing(chromium, lottery.server.url, java_script_enabled=False) as page:
        log_in(page, "bob")
        submit_one(page, "Big Chance")

        expect(page.get_by_role("link", name="Download your signed receipt")).to_be_visible()
        expect(line(page)).to_be_hidden()
        page.goto("/ballots")
        expect(page.get_by_text("Receipts in this browser")).to_be_hidden()
