"""Number of statements a request: few, and independent of the amount of data.

This finds what grows with the data, on any machine, without measuring time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from lottery_system import site_cache
from lottery_system.admission import admit
from lottery_system.clock import ONE_DAY
from lottery_system.models import AskedBallots, GrantedBallots, Limits, Lottery
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import Visitor, csrf_token, submission_token

#: statements that a request of somebody logged in may make, the log-in included; fewer is better
MOST = {
    "/": 4,  # of which two tell once what became of one's ballots
    "/ballots": 3,
    f"/ballots/{FIRST_DAY}": 3,
    f"/winners/{FIRST_DAY}": 3,
    "/winners": 4,
    f"/draws/{FIRST_DAY}": 8,
    "/lotteries/1": 4,
    "/welcome": 3,
    "/how-it-works": 1,  # and yet it says that a prize waits
    "/prizes": 2,
    f"/prizes/{FIRST_DAY}/1": 2,
    "/screen": 3,
}
MOST_FOR_A_RECEIPT = 1
MOST_FOR_A_CLICK = 7
MOST_FOR_A_BATCH = 6

QUIET = ("/healthz", "/static/css/lottery.css", "/static/js/lottery.js", "/static/img/ticket.svg")

MANY_LOTTERIES = 40
MANY_SUBMISSIONS = 300
MANY_DAYS = 12


@pytest.fixture(autouse=True)
def site_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no page be the one of its two seconds that asks what the site is called."""
    monkeypatch.setattr(site_cache, "MOMENT", inf)


Count = Callable[[Callable[[], object]], int]


@contextmanager
def statements(engines: Sequence[Engine]) -> Iterator[list[str]]:
    """Collect what is executed within the block, in whatever thread."""
    found: list[str] = []

    def collect(connection: object, cursor: object, statement: str, *_: Any) -> None:
        found.append(statement)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", collect)
    try:
        yield found
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", collect)


@pytest.fixture
def count(engines: list[Engine]) -> Count:
    """Return a function that counts the statements of a call."""

    def count(call: Callable[[], object]) -> int:
        with statements(engines) as found:
            call()
        return len(found)

    return count


def page(visitor: Visitor, path: str) -> Callable[[], None]:
    """Return a call that gets a page as it is meant to be got."""

    def get() -> None:
        with visitor.get(path) as answer:
            assert answer.status_code == 200

    return get


def open_lotteries(session: Session, how_many: int) -> None:
    with session.begin():
        session.add_all(
            Lottery.create(f"Lottery {number}", "", FIRST_DAY + 30 * ONE_DAY, FIRST_NOON)
            for number in range(how_many)
        )


def clicks(cast: Cast, lotteries: list[Lottery], how_many: int) -> list[AskedBallots]:
    """Make submissions of several people in several lotteries, of several ballots."""
    users = (cast.bob, cast.charlie)
    return [
        AskedBallots.of(
            token=uuid4(),
            user_id=users[number // 2 % 2].id,
            username=users[number // 2 % 2].username,
            lottery_id=lotteries[number % 2].id,
            ballot_count=number % 5 + 1,
        )
        for number in range(how_many)
    ]


def admit_together(session: Session, submissions: list[AskedBallots]) -> None:
    with session.begin():
        answers = admit(session.connection(), submissions, lambda: FIRST_NOON).answers
    assert all(isinstance(each, GrantedBallots) for each in answers)


@pytest.fixture
def both(big_chance: Lottery, extra_win: Lottery) -> list[Lottery]:
    """Open two lotteries."""
    return [big_chance, extra_win]


@pytest.fixture
def drawn_day(
    session: Session, cast: Cast, clock: Clock, both: list[Lottery], submit: Submit
) -> None:
    """Let bob win the first day with his only ballot, and play on the second."""
    submit(cast.bob, both[0])
    clock.turn(ONE_DAY)
    submit(cast.bob, both[0])
    run_due(session, FIRST_NOON + ONE_DAY, places=1)


@pytest.mark.usefixtures("drawn_day")
@pytest.mark.parametrize("path", MOST)
def test_a_page_makes_few_queries(bob: Visitor, count: Count, path: str) -> None:
    assert count(page(bob, path)) <= MOST[path]


@pytest.mark.usefixtures("drawn_day")
@pytest.mark.parametrize("path", MOST)
def test_one_query_tells_who_is_there(bob: Visitor, engines: list[Engine], path: str) -> None:
    with statements(engines) as found:
        page(bob, path)()

    assert_one_tells_who_is_there(found)


def test_one_query_tells_who_clicks(
    bob: Visitor, both: list[Lottery], engines: list[Engine]
) -> None:
    post = click(bob, both[0], "1")

    with statements(engines) as found:
        post()

    assert_one_tells_who_is_there(found)


def assert_one_tells_who_is_there(found: list[str]) -> None:
    # whoever admits a batch asks which of its users are blocked, in a statement that is made anyway
    asked = [each for each in found if "users.blocked_at IS NOT NULL" not in each]
    asking = [each for each in asked if "FROM users" in each or "login_sessions" in each]
    assert len(asking) == 1
    assert "FROM users JOIN login_sessions" in asking[0]
    assert "users.is_organiser" in asking[0]


@pytest.mark.parametrize("path", QUIET)
def test_what_needs_no_database_asks_it_nothing(
    bob: Visitor, stranger: Visitor, count: Count, path: str
) -> None:
    assert count(page(bob, path)) == 0
    assert count(page(stranger, path)) == 0


def test_the_front_page_asks_as_much_with_one_lottery_as_with_many(
    bob: Visitor, session: Session, big_chance: Lottery, count: Count
) -> None:
    with_one = count(page(bob, "/"))

    open_lotteries(session, MANY_LOTTERIES - 1)

    assert count(page(bob, "/")) == with_one


def test_limits_cost_the_front_page_one_query_however_many_lotteries_have_them(
    bob: Visitor, session: Session, big_chance: Lottery, count: Count
) -> None:
    without = count(page(bob, "/"))

    with session.begin():
        for number in range(5):
            limits = Limits(most_a_day=3, winnable=number + 1)
            session.add(Lottery.create(f"Rare {number}", "", FIRST_DAY, FIRST_NOON, limits=limits))

    assert count(page(bob, "/")) == without + 1


def test_the_list_of_winners_asks_as_much_for_one_day_as_for_many(
    bob: Visitor, session: Session, cast: Cast, big_chance: Lottery, clock: Clock, submit: Submit,
    count: Count,
) -> None:  # fmt: skip
    paths = ("/winners", "/welcome", f"/lotteries/{big_chance.id}")
    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=1)
    with_one = [count(page(bob, path)) for path in paths]

    for _ in range(MANY_DAYS):
        submit(cast.bob, big_chance)
        clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + (MANY_DAYS + 1) * ONE_DAY, places=3)

    assert [count(page(bob, path)) for path in paths] == with_one


def test_the_front_page_asks_as_much_with_no_ballot_as_with_many(
    bob: Visitor, session: Session, cast: Cast, both: list[Lottery], count: Count
) -> None:
    with_none = count(page(bob, "/"))

    admit_together(session, clicks(cast, both, 2 * MANY_SUBMISSIONS))

    assert count(page(bob, "/")) == with_none


def test_a_receipt_costs_the_front_page_one_query(
    bob: Visitor, both: list[Lottery], count: Count
) -> None:
    without = count(page(bob, "/"))

    bob.submit(both[0].id, count="7")

    assert count(page(bob, "/")) <= without + MOST_FOR_A_RECEIPT
    assert count(page(bob, "/")) == without


def test_my_days_ask_as_much_for_one_day_as_for_many(
    bob: Visitor, session: Session, cast: Cast, big_chance: Lottery, clock: Clock, submit: Submit,
    count: Count,
) -> None:  # fmt: skip
    submit(cast.bob, big_chance)
    with_one = count(page(bob, "/ballots"))

    for _ in range(MANY_DAYS):
        clock.turn(ONE_DAY)
        submit(cast.bob, big_chance)
    run_due(session, FIRST_NOON + MANY_DAYS * ONE_DAY, places=1)

    assert count(page(bob, "/ballots")) == with_one


def test_a_day_of_mine_asks_as_much_for_one_ballot_as_for_many(
    bob: Visitor, session: Session, cast: Cast, both: list[Lottery], submit: Submit, count: Count
) -> None:
    path = f"/ballots/{FIRST_DAY}"
    submit(cast.bob, both[0])
    with_one = count(page(bob, path))

    admit_together(session, clicks(cast, both, 2 * MANY_SUBMISSIONS))

    assert count(page(bob, path)) == with_one


def test_a_drawn_day_asks_as_much_for_one_winner_as_for_many(
    bob: Visitor, session: Session, cast: Cast, both: list[Lottery], clock: Clock, submit: Submit,
    count: Count,
) -> None:  # fmt: skip
    submit(cast.bob, both[0])
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=1)
    with_one = count(page(bob, f"/winners/{FIRST_DAY}"))

    for user in (cast.alice, cast.bob, cast.charlie):
        submit(user, both[0], 20)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + 2 * ONE_DAY, places=30)

    assert count(page(bob, f"/winners/{FIRST_DAY + ONE_DAY}")) == with_one


def test_a_click_makes_few_statements_and_as_many_for_a_thousand_ballots_as_for_one(
    bob: Visitor, both: list[Lottery], count: Count
) -> None:
    bob.submit(both[0].id)  # the first of the day also opens it

    for_one = count(click(bob, both[0], "1"))
    for_many = count(click(bob, both[0], "1000"))

    assert for_one <= MOST_FOR_A_CLICK
    # once in 256 ballots the tree above them grows, by one statement however many
    assert for_many == for_one + 1


def click(visitor: Visitor, lottery: Lottery, ballots: str) -> Callable[[], None]:
    """Return a call that submits a form; its page is got before."""
    front_page = visitor.get("/")
    form = {
        "csrf_token": csrf_token(front_page),
        "submission": str(submission_token(front_page)),
        "count": ballots,
    }

    def post() -> None:
        answer = visitor.client.post(f"/lotteries/{lottery.id}/ballots", data=form)
        assert answer.status_code == 303

    return post


def test_a_batch_makes_as_many_statements_for_fifty_as_for_one(
    session: Session, cast: Cast, both: list[Lottery], count: Count
) -> None:
    admit_together(session, clicks(cast, both, 1))  # the first of the day also opens it

    for_one = count(lambda: admit_together(session, clicks(cast, both, 1)))
    for_fifty = count(lambda: admit_together(session, clicks(cast, both, 50)))

    assert for_one <= MOST_FOR_A_BATCH
    assert for_fifty == for_one
