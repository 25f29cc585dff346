"""Stories: a player over three days and an organiser over a month.

Each story runs twice, with JavaScript and without: pages must work without it.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import func, select

from lottery_system.models import Ballot, Lottery, LotteryChange, User
from lottery_system.queries.day import PlaceTaken, look_up
from tests.browser.conftest import browsing, database, leave, log_in
from tests.browser.test_journey import (
    expect_figures,
    expect_receipt,
    log_out,
    sign_up,
    submit_one,
)
from tests.conftest import FIRST_DAY, FIRST_NOON, hash_of_password
from tests.stand_ins.players import drawn
from tests.stand_ins.processes import Gunicorn, wait_for

ONE_DAY = timedelta(days=1)
WITH_SCRIPT = pytest.mark.parametrize(
    "with_script", [True, False], ids=["with a script", "without"]
)


class Site:
    """A lottery that is served, and its database."""

    def __init__(self, url: str, server: Gunicorn) -> None:
        self.url = url
        self.server = server
        self.noon = FIRST_NOON

    def next_noon(self, *pages: Page, days: int = 1) -> None:
        """Let days go by, while nobody looks; the server makes up for the nights once it is up."""
        leave(*pages)
        self.server.stop()
        self.noon += days * ONE_DAY
        self.server.clock.run_from(self.noon)
        self.server.start()
        # it serves at once, and draws meanwhile
        yesterday = self.noon.date() - ONE_DAY
        wait_for(lambda: str(yesterday) in drawn(self.server), f"{yesterday} is drawn")

    def winner_of(self, day: date) -> PlaceTaken:
        with database(self.url) as session, session.begin():
            winner, *_ = look_up(session.connection(), day, None).winners
        return winner

    def count_ballots(self, day: date) -> int:
        with database(self.url) as session, session.begin():
            query = select(func.count()).select_from(Ballot).where(Ballot.day == day)
            return session.scalar(query) or 0

    def user(self, username: str) -> User:
        with database(self.url) as session, session.begin():
            found = User.by_username(session, username)
        assert found is not None
        return found


@contextmanager
def site(
    file: Path,
    folder: Path,
    at: datetime = FIRST_NOON,
    *,
    places: int = 1,
    claim_days: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Site]:
    """Serve a lottery that alice organises, with nothing in it; `settings` are further ones."""
    url = f"sqlite:///{copy(file, folder / 'lottery.db')}"
    with database(url) as session, session.begin():
        session.add(User.sign_up("alice", hash_of_password(), at, is_organiser=True))
    claimed_within = "off" if claim_days is None else str(claim_days)
    given: dict[str, Any] = {
        "LOTTERY_PLACES": str(places), "LOTTERY_CLAIM_DAYS": claimed_within, **(settings or {}),
    }  # fmt: skip
    with Gunicorn(url, folder, at=at, **given) as server:
        yield Site(url, server)


def open_lotteries(url: str, *names: str, at: datetime = FIRST_NOON) -> None:
    with database(url) as session, session.begin():
        for name in names:
            session.add(Lottery.create(name, "", at.date() + 40 * ONE_DAY, at))


@WITH_SCRIPT
def test_a_player_plays_for_three_days(
    chromium: Browser, sqlite_file: Path, tmp_path: Path, with_script: bool
) -> None:
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, java_script_enabled=with_script) as bobs,
        browsing(chromium, lottery.server.url, java_script_enabled=with_script) as charlies,
    ):
        open_lotteries(lottery.url, "Big Chance", "Extra Win")

        # Thursday: bob is new, and alone
        sign_up(bobs, "bob")
        main = bobs.get_by_role("main")
        expect(main).to_contain_text("Each click adds one ballot.")
        expect_figures(bobs, 0, 0, "–")
        submit_one(bobs, "Big Chance")
        expect_receipt(bobs, "Your ballot is in", "1", "Big Chance")
        card = bobs.get_by_role("listitem").filter(has_text="Big Chance").first
        expect(card).to_contain_text("Your ballot is in")
        expect(card).to_contain_text("you have 1 ballot in today’s draw")
        assert lottery.count_ballots(FIRST_DAY) == 1
        countdown = bobs.get_by_text("Closes in")
        expect(countdown).to_be_visible() if with_script else expect(countdown).to_be_hidden()

        # Friday: bob has won, is told so without asking, and says that he has seen it
        lottery.next_noon(bobs, charlies)
        bobs.goto("/")
        won = bobs.get_by_role("region", name="You won: Big Chance")
        expect(won).to_contain_text("Ballot 1 won in Big Chance on Thursday 19 November 2026.")
        won.get_by_role("link", name="Claim your prize").click()
        bobs.get_by_role("button", name="Claim your prize").click()
        expect(main).to_contain_text("Your claim has reached the organisers.")
        bobs.goto("/")
        expect(won).to_have_count(0)
        news = bobs.get_by_role("region", name="You won!")
        expect(news).to_contain_text("Ballot 1 won in Big Chance on Thursday 19 November 2026.")
        news.get_by_role("button", name="Got it").click()
        expect(news).to_have_count(0)
        assert lottery.user("bob").seen_until == FIRST_DAY
        several = bobs.get_by_role("listitem").filter(has_text="Extra Win")
        several.get_by_label("Or add several").fill("3")
        several.get_by_role("button", name="Add ballots").click()
        expect_receipt_of(bobs, "Your 3 ballots are in", "1 to 3", "Friday 20 November 2026")
        sign_up(charlies, "charlie")
        several = charlies.get_by_role("listitem").filter(has_text="Big Chance")
        several.get_by_label("Or add several").fill("5")
        several.get_by_role("button", name="Add ballots").click()
        expect_receipt_of(charlies, "Your 5 ballots are in", "4 to 8", "Friday 20 November 2026")
        expect_figures(charlies, 8, 5, "62.5 %")
        assert lottery.count_ballots(FIRST_DAY + ONE_DAY) == 8

        # Saturday: one of the two has won; both know at once, and look it up
        lottery.next_noon(bobs, charlies)
        winner = lottery.winner_of(FIRST_DAY + ONE_DAY)
        for page, username in ((bobs, "bob"), (charlies, "charlie")):
            page.goto("/")
            if winner.username == username:
                told = f"Ballot {winner.number} won in"
            else:
                told = "No win on 20 Nov."
            expect(page.locator("#news")).to_contain_text(told)
        bobs.get_by_role("link", name="Winners").click()
        expect(bobs.get_by_role("heading", level=1)).to_have_text("Winners")
        expect(main.get_by_role("listitem").first).to_contain_text("Friday 20 November 2026")
        bobs.get_by_role("region", name="November 2026").get_by_role("link", name="19").click()
        expect(main).to_contain_text("Winner of Thursday 19 November 2026")
        expect(main).to_contain_text("You won.")
        bobs.get_by_role("link", name="Check this draw yourself").click()
        if with_script:
            bobs.get_by_role("button", name="Check this draw").click()
            expect(main).to_contain_text("This draw is correct: all 12 checks")
        else:
            expect(main).to_contain_text("This needs JavaScript.")
        bobs.get_by_role("link", name="My ballots", exact=True).click()
        expect(bobs.get_by_role("row")).to_have_count(3)
        bobs.get_by_role("link", name="Thursday 19 November 2026").click()
        with bobs.expect_download() as receipt:
            bobs.get_by_role("link", name="Download the receipt for ballot 1").click()
        assert json.loads(receipt.value.path().read_text())["format"] == "daily-draw/v1 receipt"
        log_out(bobs, "bob")


def expect_receipt_of(page: Page, title: str, numbers: str, day: str) -> None:
    receipt = page.get_by_role("status", name="Receipt")
    expect(receipt.get_by_role("heading")).to_have_text(title)
    expect(receipt.get_by_role("definition").nth(0)).to_have_text(numbers)
    expect(receipt.get_by_role("definition").nth(2)).to_have_text(day)


@WITH_SCRIPT
def test_an_organiser_answers_for_a_month(
    chromium: Browser, sqlite_file: Path, tmp_path: Path, with_script: bool
) -> None:
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, java_script_enabled=with_script) as alices,
        browsing(chromium, lottery.server.url, java_script_enabled=with_script) as bobs,
    ):
        main = alices.get_by_role("main")

        # The first day: a slip is refused, and nothing typed is lost
        log_in(alices, "alice")
        alices.get_by_role("link", name="Create one").click()
        alices.get_by_label("Name").fill("Christmas Raffle")
        alices.get_by_label("Prize", exact=True).fill("A goose,\nor a nut roast")
        alices.get_by_label("Last day (UTC)").fill("2026-11-01")
        alices.get_by_role("button", name="Create").click()
        expect(alices.get_by_role("alert")).to_contain_text("This day is over.")
        expect(alices.get_by_label("Prize", exact=True)).to_have_value("A goose,\nor a nut roast")
        alices.get_by_label("Last day (UTC)").fill("2026-12-01")
        alices.get_by_role("button", name="Create").click()
        expect(alices.get_by_role("row", name="Christmas Raffle")).to_contain_text("open")
        alices.get_by_role("link", name="Create lottery").click()
        alices.get_by_label("Name").fill("A Mistake")
        alices.get_by_label("Last day (UTC)").fill("2026-12-24")
        alices.get_by_role("button", name="Create").click()
        sign_up(bobs, "bob")
        submit_one(bobs, "Christmas Raffle")
        expect_receipt(bobs, "Your ballot is in", "1", "Christmas Raffle")

        # The tenth: one is extended, the other withdrawn, and nobody can play there any more
        lottery.next_noon(alices, bobs, days=10)
        alices.goto("/organiser/lotteries")
        alices.get_by_role("link", name="Christmas Raffle", exact=True).click()
        alices.get_by_label("Last day (UTC)").fill("2026-12-24")
        alices.get_by_role("button", name="Save").click()
        alices.get_by_role("link", name="A Mistake", exact=True).click()
        alices.get_by_role("link", name="Withdraw lottery").click()
        expect(main).to_contain_text("Nobody can add ballots to it any more, not even today.")
        alices.get_by_role("button", name="Withdraw lottery").click()
        expect(alices.get_by_role("row", name="A Mistake")).to_contain_text("finished")
        bobs.goto("/")
        expect(bobs.get_by_role("button", name="Add 1 ballot to A Mistake")).to_have_count(0)
        submit_one(bobs, "Christmas Raffle")
        expect(bobs.get_by_role("status", name="Receipt")).to_be_visible()

        # A month is over, and with it her log-in: every day had its draw; she looks at them, takes
        # them away, and puts up a sheet
        lottery.next_noon(alices, bobs, days=21)
        log_in(alices, "alice")
        alices.get_by_role("link", name="Organise").click()
        expect(main).to_contain_text("All draws are up to date")
        expect(main).to_contain_text("Participants2")
        alices.get_by_text("Show as a table").click()
        expect(alices.locator(".chart tbody tr")).to_have_count(30)
        changes = alices.locator(".changes li")
        expect(changes).to_have_count(4)
        expect(changes.nth(0)).to_contain_text("A Mistake · withdrawn")
        expect(changes.nth(1)).to_contain_text("to Thursday 24 December 2026")
        with alices.expect_download() as download:
            alices.get_by_role("link", name="Download all winners (CSV)").click()
        rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
        assert [row["day"] for row in rows] == [str(FIRST_DAY + day * ONE_DAY) for day in range(31)]
        assert [row["username"] for row in rows if row["username"]] == ["bob", "bob"]
        alices.get_by_role("link", name="Draws", exact=True).click()
        expect(alices.get_by_role("row")).to_have_count(31)
        alices.get_by_role("link", name="Participants", exact=True).click()
        expect(alices.get_by_role("row", name="bob")).to_contain_text("participant")
        alices.goto(f"/winners/{FIRST_DAY}")
        alices.get_by_role("link", name="Print a poster").click()
        expect(main).to_contain_text("bob")
        expect(alices.locator("svg.code")).to_be_visible()
        alices.get_by_role("link", name=f"/draws/{FIRST_DAY}").click()
        expect(main).to_contain_text("Check it yourself")
        with database(lottery.url) as session, session.begin():
            alice_id = User.by_username(session, "alice")
            assert alice_id is not None
            by = session.scalars(select(LotteryChange.changed_by)).all()
            assert list(by) == [alice_id.id] * 4
