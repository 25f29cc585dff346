"""A participant's journey in a real browser: sign up, play, look up the winner."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy import func, select

from lottery_system.models import Ballot, LoginSession, Lottery, User
from lottery_system.queries.day import PlaceTaken, look_up
from tests.browser.conftest import browsing, database, leave, log_in
from tests.conftest import FIRST_DAY, FIRST_NOON, PASSWORD
from tests.stand_ins.processes import Gunicorn

MONTH = timedelta(days=30)

#: the ballots of the first day: number, user and lottery
BOBS = [
    *((number, "bob", "Big Chance") for number in (1, 2)),
    *((number, "bob", "Extra Win") for number in (3,)),
    *((number, "bob", "Big Chance") for number in (4, 5)),
    *((number, "bob", "Extra Win") for number in (6, 7, 8, 9)),
]
CHARLIES = (10, "charlie", "Extra Win")


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Gunicorn]:
    """Serve two open lotteries, at noon of their first day."""
    with database(database_url) as session, session.begin():
        for name in ("Big Chance", "Extra Win"):
            session.add(Lottery.create(name, "", FIRST_DAY + MONTH, FIRST_NOON))
    with Gunicorn(database_url, tmp_path, at=FIRST_NOON) as server:
        yield server


def sign_up(page: Page, username: str) -> None:
    page.goto("/")
    page.get_by_role("link", name="Sign up").first.click()
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lotteries")


def log_out(page: Page, username: str) -> None:
    page.get_by_role("button", name=f"Log out ({username})").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


def submit_one(page: Page, lottery: str) -> None:
    page.get_by_role("button", name=f"Add 1 ballot to {lottery}").click()


def expect_receipt(page: Page, title: str, numbers: str, lottery: str) -> None:
    receipt = page.get_by_role("status", name="Receipt")
    expect(receipt.get_by_role("heading")).to_have_text(title)
    expect(receipt.get_by_role("definition").nth(0)).to_have_text(numbers)
    expect(receipt.get_by_role("definition").nth(1)).to_have_text(lottery)
    expect(receipt.get_by_role("definition").nth(2)).to_have_text("Thursday 19 November 2026")


def expect_figures(page: Page, so_far: int, yours: int, chance: str) -> None:
    """Look at today's draw on the front page."""
    today = page.get_by_role("region", name="Today’s draw")
    expect(today.get_by_role("definition")).to_have_text([str(so_far), str(yours), chance])


def ballots_of(url: str) -> list[tuple[int, str, str]]:
    """Return what is stored: each ballot's number, user and lottery."""
    with database(url) as session, session.begin():
        rows = session.execute(
            select(Ballot.number, User.username, Lottery.name)
            .join(User, User.id == Ballot.user_id)
            .join(Lottery, Lottery.id == Ballot.lottery_id)
            .where(Ballot.day == FIRST_DAY)
            .order_by(Ballot.number)
        )
        return [(row.number, row.username, row.name) for row in rows]


def count_sessions(url: str) -> int:
    with database(url) as session, session.begin():
        return session.scalar(select(func.count()).select_from(LoginSession)) or 0


def winner_of(url: str) -> PlaceTaken:
    with database(url) as session, session.begin():
        (winner,) = look_up(session.connection(), FIRST_DAY, None).winners
    return winner


def play_the_first_day(page: Page, url: str) -> None:
    """Submit ballots in all the ways there are, and look at the receipt and at what is stored."""
    submit_one(page, "Big Chance")
    expect_receipt(page, "Your ballot is in", "1", "Big Chance")
    submit_one(page, "Big Chance")
    expect_receipt(page, "Your ballot is in", "2", "Big Chance")
    submit_one(page, "Extra Win")
    expect_receipt(page, "Your ballot is in", "3", "Extra Win")
    expect_figures(page, 3, 3, "100 %")
    assert ballots_of(url) == BOBS[:3]

    submit_one(page, "Big Chance")
    expect_receipt(page, "Your ballot is in", "4", "Big Chance")
    assert ballots_of(url) == BOBS[:4]

    page.reload()
    expect(page.get_by_role("status", name="Receipt")).to_have_count(0)
    expect_figures(page, 4, 4, "100 %")
    assert ballots_of(url) == BOBS[:4]

    page.go_back()
    expect_figures(page, 4, 4, "100 %")
    assert ballots_of(url) == BOBS[:4]

    submit_one(page, "Big Chance")  # a fresh click, on the page one has gone back to
    expect_receipt(page, "Your ballot is in", "5", "Big Chance")
    several = page.get_by_role("listitem").filter(has_text="Extra Win")
    several.get_by_label("Or add several").fill("4")
    several.get_by_role("button", name="Add ballots").click()
    expect_receipt(page, "Your 4 ballots are in", "6 to 9", "Extra Win")
    assert ballots_of(url) == BOBS


def look_up_the_winner(page: Page, winner: PlaceTaken) -> None:
    """Find a day's winner by its date."""
    page.get_by_role("link", name="Winners").click()
    page.get_by_label("Look up a day").fill("2026-11-19")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Winner of Thursday 19 November 2026")
    assert page.url.endswith("/winners/2026-11-19")
    expect(page.get_by_role("region", name="Winning ballot").locator("p")).to_have_text(
        ["Ballot", str(winner.number), winner.username + winner.lottery_name]
    )


def look_up_ones_own_ballots(page: Page, username: str, winner: PlaceTaken) -> None:
    """Read on one's own pages, and on the day's, what became of one's ballots."""
    has_won = username == winner.username
    main = page.get_by_role("main")
    page.get_by_role("link", name="My ballots", exact=True).click()
    day = page.get_by_role("row", name="Thursday 19 November 2026")
    expect(day).to_contain_text(f"Won with ballot {winner.number}" if has_won else "Didn’t win")
    day.get_by_role("link", name="Thursday 19 November 2026").click()
    expect(main).to_contain_text(
        f"You won with ballot {winner.number}." if has_won else "didn’t win."
    )
    page.get_by_role("link", name="See the result").click()
    expect(main).to_contain_text("You won." if has_won else "didn’t win.")


@pytest.mark.parametrize(
    ("database_url", "with_script"),
    [("sqlite", True), ("sqlite", False), ("postgresql", True)],
    indirect=["database_url"],
)
def test_one_signs_up_plays_and_finds_the_winner_the_next_day(
    chromium: Browser, server: Gunicorn, database_url: str, with_script: bool
) -> None:
    with (
        browsing(chromium, server.url, java_script_enabled=with_script) as bobs,
        browsing(chromium, server.url, java_script_enabled=with_script) as charlies,
    ):
        sign_up(bobs, "bob")
        assert count_sessions(database_url) == 1
        log_out(bobs, "bob")
        assert count_sessions(database_url) == 0
        log_in(bobs, "bob")
        expect_figures(bobs, 0, 0, "–")
        play_the_first_day(bobs, database_url)
        local_times = bobs.get_by_role("status", name="Receipt").get_by_text("your time")
        expect(local_times).to_have_count(1 if with_script else 0)
        log_out(bobs, "bob")

        sign_up(charlies, "charlie")
        submit_one(charlies, "Extra Win")
        expect_receipt(charlies, "Your ballot is in", "10", "Extra Win")
        expect_figures(charlies, 10, 1, "10 %")
        assert ballots_of(database_url) == [*BOBS, CHARLIES]

        leave(bobs, charlies)
        server.stop()
        server.clock.run_from(FIRST_NOON + timedelta(days=1))
        server.start()

        bobs.goto("/")
        charlies.goto("/")  # who has not logged out
        winner = winner_of(database_url)
        ballot = (winner.number, winner.username, winner.lottery_name)
        assert ballot in [*BOBS, CHARLIES]
        look_up_the_winner(bobs, winner)
        log_in(bobs, "bob")
        look_up_ones_own_ballots(bobs, "bob", winner)
        look_up_ones_own_ballots(charlies, "charlie", winner)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_a_page_did_wrong_would_be_found(chromium: Browser, server: Gunicorn) -> None:
    def spoil(route: Route) -> None:
        answer = route.fetch()
        wrong = "<style>p {}</style><script src='/static/none.js'></script></head>"
        route.fulfill(response=answer, body=answer.text().replace("</head>", wrong))

    def look() -> None:
        with browsing(chromium, server.url) as page:
            page.route("**/how-it-works", spoil)
            with page.expect_event("console", lambda message: "none.js" in message.location["url"]):
                page.goto("/how-it-works")
            with page.expect_event("pageerror"):
                page.evaluate("() => { setTimeout(() => { throw new Error('a slip') }) }")

    with pytest.raises(AssertionError) as found:
        look()

    complaints = str(found.value)
    assert "violates the following Content Security Policy" in complaints
    assert "/static/none.js" in complaints
    assert "a slip" in complaints
