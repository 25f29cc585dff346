"""Claims: a prize is offered, claimed, handed over or lapses, and reserves move up."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from lottery_system import claims
from lottery_system.clock import ONE_DAY, closes_at, starts_at
from lottery_system.errors import (
    AlreadyClaimed,
    AlreadyHandedOver,
    AlreadyLapsed,
    ClaimOver,
    LotteryError,
    NoPrize,
    NotAnOrganiser,
    NotClaimed,
    NotYourPrize,
)
from lottery_system.models import (
    Ballot,
    ClaimContact,
    ClaimEvent,
    Limits,
    Lottery,
    User,
    Winner,
)
from lottery_system.models.claim import (
    ALL_WON,
    CONTACT_KEPT,
    NOT_CLAIMED_IN_TIME,
    BadHandOver,
    claim,
    hand_over,
    lapse,
    lapse_late,
    waiting,
)
from lottery_system.models.claim_event import CLAIMED, HANDED_OVER, LAPSED, OFFERED
from lottery_system.models.lottery_edit import edit_lottery
from lottery_system.queries.claims import my_open_prizes, states_of, to_hand_over
from lottery_system.runtime import database
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.prizes import CLAIM_DAYS, end_days, in_transaction, open_lottery

SECOND_NOON = FIRST_NOON + ONE_DAY
#: by then a prize of the first day's draw must be claimed, which was made at noon of the second
DEADLINE = FIRST_DAY + (1 + CLAIM_DAYS) * ONE_DAY
WORKERS = 6
KINDS = [OFFERED, CLAIMED, HANDED_OVER, LAPSED]


def events(session: Session, day: date = FIRST_DAY) -> list[tuple[int, str]]:
    """Return what happened to a day's prize, place by place."""
    with session.begin():
        rows = session.execute(
            select(ClaimEvent.place, ClaimEvent.kind).where(ClaimEvent.day == day)
        )
        happened = [(row.place, row.kind) for row in rows]
    return sorted(happened, key=lambda each: (each[0], KINDS.index(each[1])))


def holder_of(session: Session, place: int, day: date = FIRST_DAY) -> int:
    with session.begin():
        return session.scalars(
            select(Ballot.user_id)
            .join(Winner, (Winner.day == Ballot.day) & (Winner.number == Ballot.number))
            .where(Winner.day == day, Winner.place == place)
        ).one()


Do = Callable[..., None]


@pytest.fixture
def do(engine: Engine) -> Do:
    """Return a function that calls another one in a transaction of its own."""
    return partial(in_transaction, engine)


@pytest.fixture
def won(session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock) -> int:
    """Let bob win the first day, with two reserves of charlie's or his, and return his number."""
    submit(cast.bob, big_chance, 30)
    clock.set(SECOND_NOON)
    end_days(session, SECOND_NOON, places=3)
    return cast.bob.id


def test_whoever_wins_is_offered_the_prize_in_the_transaction_of_the_draw(
    session: Session, won: int
) -> None:
    assert events(session) == [(1, "offered")]
    with session.begin():
        (offer,) = session.scalars(select(ClaimEvent)).all()
        assert (offer.holder_id, offer.at, offer.claim_until) == (won, SECOND_NOON, DEADLINE)
        (mine,) = my_open_prizes(session.connection(), won)
        assert (mine.state, mine.lottery_name, mine.claim_until) == (
            "offered", "Big Chance", DEADLINE,
        )  # fmt: skip


def test_its_winner_claims_a_prize_once_and_nobody_else_can(
    session: Session, cast: Cast, won: int, do: Do
) -> None:
    with pytest.raises(NotYourPrize):
        do(claim, FIRST_DAY, 1, cast.charlie.id, now=SECOND_NOON)
    for place in (2, 9):  # a reserve whose turn it is not, and no place at all
        with pytest.raises(NotYourPrize):
            do(claim, FIRST_DAY, place, won, now=SECOND_NOON)

    do(claim, FIRST_DAY, 1, won, message="After six", contact="bob@example", now=SECOND_NOON)

    with pytest.raises(AlreadyClaimed):
        do(claim, FIRST_DAY, 1, won, now=SECOND_NOON)
    assert events(session) == [(1, "offered"), (1, "claimed")]
    with session.begin():
        (row,) = to_hand_over(session.connection())
        assert (row.username, row.state, row.message, row.contact) == (
            "bob", "claimed", "After six", "bob@example",
        )  # fmt: skip


def test_an_account_that_is_being_closed_claims_nothing(
    session: Session, cast: Cast, won: int, do: Do
) -> None:
    """A request may have begun before the account was closed."""
    with session.begin():
        session.get_one(User, won).close(SECOND_NOON)

    with pytest.raises(NotYourPrize):
        do(claim, FIRST_DAY, 1, won, contact="bob@example", now=SECOND_NOON)

    assert events(session) == [(1, "offered")]
    with session.begin():
        assert session.scalars(select(ClaimContact)).all() == []


def test_a_claim_on_the_last_day_counts_and_none_after_it_though_no_tick_has_come(
    session: Session, won: int, do: Do
) -> None:
    midnight = closes_at(DEADLINE)

    with pytest.raises(ClaimOver):
        do(claim, FIRST_DAY, 1, won, now=midnight)
    assert events(session) == [(1, "offered")]

    do(claim, FIRST_DAY, 1, won, now=midnight - timedelta(microseconds=1))
    assert events(session) == [(1, "offered"), (1, "claimed")]


def test_what_is_not_claimed_in_time_goes_to_the_next_reserve_with_a_deadline_of_its_own(
    session: Session, won: int, do: Do
) -> None:
    end_days(session, closes_at(DEADLINE) - timedelta(seconds=1))
    assert events(session) == [(1, "offered")]

    end_days(session, closes_at(DEADLINE))
    end_days(session, closes_at(DEADLINE))

    assert events(session) == [(1, "offered"), (1, "lapsed"), (2, "offered")]
    with session.begin():
        first, second = states_of(session.connection(), [FIRST_DAY])[FIRST_DAY]
    assert (first.state, first.reason) == ("lapsed", NOT_CLAIMED_IN_TIME)
    assert (second.state, second.claim_until) == ("offered", DEADLINE + (1 + CLAIM_DAYS) * ONE_DAY)
    with pytest.raises(ClaimOver):
        do(claim, FIRST_DAY, 1, won, now=closes_at(DEADLINE))
    do(claim, FIRST_DAY, 2, won, now=closes_at(DEADLINE))


def test_a_claimed_prize_does_not_lapse_by_itself(session: Session, won: int, do: Do) -> None:
    do(claim, FIRST_DAY, 1, won, now=SECOND_NOON)

    end_days(session, closes_at(DEADLINE) + ONE_DAY)

    assert events(session) == [(1, "offered"), (1, "claimed")]


def test_a_prize_is_handed_over_once_it_is_claimed_and_that_ends_it(
    session: Session, cast: Cast, won: int, do: Do
) -> None:
    def give(day: date = FIRST_DAY + ONE_DAY, by: int | None = cast.alice.id) -> None:
        do(hand_over, FIRST_DAY, 1, by, handed_on=day, note="At the desk", now=SECOND_NOON)

    with pytest.raises(NotClaimed):
        give()
    do(claim, FIRST_DAY, 1, won, now=SECOND_NOON)
    with pytest.raises(NotAnOrganiser):
        give(by=cast.bob.id)
    for day in (FIRST_DAY, FIRST_DAY + 2 * ONE_DAY):
        with pytest.raises(BadHandOver):
            give(day)
    with pytest.raises(NoPrize):
        do(hand_over, FIRST_DAY, 2, None, handed_on=FIRST_DAY, now=SECOND_NOON)

    give()

    with pytest.raises(AlreadyHandedOver):
        give()
    with pytest.raises(AlreadyHandedOver):
        do(lapse, FIRST_DAY, 1, cast.alice.id, reason="Never came", now=SECOND_NOON)
    assert events(session) == [(1, "offered"), (1, "claimed"), (1, "handed_over")]
    with session.begin():
        assert my_open_prizes(session.connection(), won) == []
        assert to_hand_over(session.connection()) == []
        (state,) = states_of(session.connection(), [FIRST_DAY])[FIRST_DAY]
    assert (state.state, state.handed_on, state.note) == (
        "handed_over", FIRST_DAY + ONE_DAY, "At the desk",
    )  # fmt: skip


def test_an_organiser_lets_a_claimed_prize_lapse_and_says_why(
    session: Session, cast: Cast, won: int, do: Do
) -> None:
    do(claim, FIRST_DAY, 1, won, now=SECOND_NOON)
    with pytest.raises(LotteryError, match="Enter a reason"):
        do(lapse, FIRST_DAY, 1, cast.alice.id, reason="  ", now=SECOND_NOON)
    with pytest.raises(NotAnOrganiser):
        do(lapse, FIRST_DAY, 1, cast.charlie.id, reason="I want it", now=SECOND_NOON)

    do(lapse, FIRST_DAY, 1, cast.alice.id, reason="Never came", now=SECOND_NOON)

    with pytest.raises(AlreadyLapsed):
        do(lapse, FIRST_DAY, 1, cast.alice.id, reason="Never came", now=SECOND_NOON)
    with pytest.raises(ClaimOver):
        do(claim, FIRST_DAY, 1, won, now=SECOND_NOON)
    assert events(session) == [(1, "offered"), (1, "claimed"), (1, "lapsed"), (2, "offered")]


def test_when_all_places_have_lapsed_nobody_is_offered_anything(
    session: Session, won: int, do: Do
) -> None:
    for place in (1, 2, 3):
        do(lapse, FIRST_DAY, place, None, reason="Gone", now=SECOND_NOON)

    end_days(session, SECOND_NOON)

    assert [kind for _, kind in events(session)] == ["offered", "lapsed"] * 3
    with session.begin():
        assert waiting(session) == []


def test_contacts_are_deleted_a_while_after_the_end_and_no_others(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock, won: int,
    do: Do,
) -> None:  # fmt: skip
    submit(cast.charlie, big_chance)
    clock.turn(ONE_DAY)
    third_noon = SECOND_NOON + ONE_DAY
    end_days(session, third_noon)
    do(claim, FIRST_DAY, 1, won, contact="bob", now=third_noon)
    do(claim, FIRST_DAY + ONE_DAY, 1, cast.charlie.id, contact="charlie", now=third_noon)
    do(hand_over, FIRST_DAY, 1, None, handed_on=FIRST_DAY + ONE_DAY, now=third_noon)

    def contacts() -> set[str]:
        with session.begin():
            return set(session.scalars(select(ClaimContact.contact)))

    end_days(session, third_noon + CONTACT_KEPT - timedelta(seconds=1))
    assert contacts() == {"bob", "charlie"}
    end_days(session, third_noon + CONTACT_KEPT)
    assert contacts() == {"charlie"}

    with session.begin():
        session.get_one(User, cast.charlie.id).close(third_noon)
    end_days(session, third_noon + CONTACT_KEPT)
    assert contacts() == set()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE claim_events SET claim_until = NULL",
        "DELETE FROM claim_events",
        # out of order
        "INSERT INTO claim_events {columns} SELECT day, place, 'handed_over', {same}, '2026-11-20',"
        " '' FROM claim_events",
        "INSERT INTO claim_events {columns} SELECT day, place + 1, 'offered', {same}, NULL, NULL"
        " FROM claim_events",
        "INSERT INTO claim_events {columns} SELECT day, place + 1, 'claimed', {same}, NULL, NULL"
        " FROM claim_events",
        # twice
        "INSERT INTO claim_events {columns} SELECT day, place, 'offered', {same}, NULL, NULL"
        " FROM claim_events",
        # somebody else's
        "INSERT INTO claim_events {columns} SELECT day, place, 'claimed', lottery_id,"
        " holder_id + 1, at, NULL, NULL FROM claim_events",
        # before it was offered, and after its deadline
        "INSERT INTO claim_events {columns} SELECT day, place, 'claimed', lottery_id, holder_id,"
        " '2026-11-20 11:00:00.000000', NULL, NULL FROM claim_events",
        "INSERT INTO claim_events {columns} SELECT day, place, 'claimed', lottery_id, holder_id,"
        " '2026-12-05 00:00:00.000000', NULL, NULL FROM claim_events",
        "INSERT INTO claim_events {columns} SELECT day, place, 'eaten', {same}, NULL, NULL"
        " FROM claim_events",
    ],
)
@pytest.mark.usefixtures("won")
def test_the_database_itself_keeps_the_order_of_claims(session: Session, statement: str) -> None:
    columns = "(day, place, kind, lottery_id, holder_id, at, handed_on, note)"
    if session.get_bind().dialect.name == "postgresql":
        for value in ("'2026-11-20 11:00:00.000000'", "'2026-12-05 00:00:00.000000'"):
            statement = statement.replace(value, f"timestamptz {value[:-1]}+00'")
        statement = statement.replace("'2026-11-20',", "date '2026-11-20',").replace(
            "NULL, NULL", "NULL::date, NULL"
        )

    with pytest.raises(DatabaseError), session.begin():
        session.execute(text(statement.format(columns=columns, same="lottery_id, holder_id, at")))
    assert events(session) == [(1, "offered")]


# Several at once


@pytest.fixture
def open_session(database_url: str) -> Iterator[Callable[[], Session]]:
    """Return a function that opens sessions, each of a worker of its own."""
    engines: list[Engine] = []

    def open_session() -> Session:
        engine = create_engine(database_url, **database.engine_options(database_url))
        database.prepare(engine)
        engines.append(engine)
        return Session(engine)

    yield open_session
    for engine in engines:
        engine.dispose()


def test_a_prize_lapses_once_however_many_workers_tick(
    session: Session, won: int, open_session: Callable[[], Session]
) -> None:
    start = Barrier(WORKERS)

    def tick(now: datetime) -> int:
        with open_session() as mine:
            start.wait()
            return claims.run_due(mine, now, CLAIM_DAYS)

    for place in (1, 2, 3):
        now = closes_at(DEADLINE) + (place - 1) * (1 + CLAIM_DAYS) * ONE_DAY
        with ThreadPoolExecutor(WORKERS) as pool:
            assert sum(pool.map(tick, [now] * WORKERS)) == 1

    assert [kind for _, kind in events(session)] == ["offered", "lapsed"] * 3


def test_of_a_claim_and_the_end_of_its_time_one_comes_first_and_the_other_knows(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock,
    open_session: Callable[[], Session],
) -> None:  # fmt: skip
    """By the clock of one worker the last day goes on, by that of the other it is over."""
    days = [FIRST_DAY + number * ONE_DAY for number in range(12)]
    for day in days:
        clock.set(starts_at(day))
        submit(cast.bob, big_chance)
    now = starts_at(days[-1]) + ONE_DAY
    end_days(session, now)
    deadline = days[-1] + (1 + CLAIM_DAYS) * ONE_DAY
    claimer, ticker, start = open_session(), open_session(), Barrier(2)

    def claim_it(day: date) -> bool:
        start.wait()
        try:
            with claimer.begin():
                claim(claimer, day, 1, cast.bob.id, now=closes_at(deadline) - timedelta(seconds=1))
        except ClaimOver:
            return False
        return True

    def let_it_lapse(day: date) -> bool:
        start.wait()
        with ticker.begin():
            return lapse_late(ticker, day, 1, closes_at(deadline), CLAIM_DAYS)

    with ThreadPoolExecutor(2) as pool:
        for day in days:
            claimed, lapsed = pool.submit(claim_it, day), pool.submit(let_it_lapse, day)
            assert claimed.result() != lapsed.result()
            kind = "claimed" if claimed.result() else "lapsed"
            assert events(session, day) == [(1, "offered"), (1, kind)]
    claimer.close()
    ticker.close()


# Whose prize a reserve wins, where its lottery has only so many


@pytest.fixture
def rare(session: Session, clock: Clock) -> Lottery:
    """Open a lottery whose prize can be won once."""
    return open_lottery(session, "Rare", winnable=1)


def draw_with_first(
    session: Session, submit: Submit, first: tuple[User, Lottery], second: tuple[User, Lottery],
    clock: Clock,
) -> date:  # fmt: skip
    """Let days go by until the first's ballot wins and the second's is the reserve."""
    for number in range(40):
        day = FIRST_DAY + number * ONE_DAY
        clock.set(starts_at(day))
        submit(*first)
        submit(*second)
        end_days(session, closes_at(day), places=2)
        clock.set(closes_at(day))
        if holder_of(session, 1, day) == first[0].id:
            return day
        lapse_all(session, day)
    raise AssertionError("the first never won")


def lapse_all(session: Session, day: date) -> None:
    for place in (1, 2):
        with session.begin():
            lapse(session, day, place, reason="Not this time", now=closes_at(day))


def reopen(session: Session, lottery: Lottery, now: datetime, winnable: int | None = None) -> None:
    with session.begin():
        edit_lottery(
            session,
            lottery.id,
            now,
            name=lottery.name,
            prize="",
            closes_on=FIRST_DAY + 90 * ONE_DAY,
            limits=Limits(winnable=winnable),
        )


def test_a_reserve_moves_up_into_the_lottery_of_its_own_ballot(
    session: Session, cast: Cast, big_chance: Lottery, extra_win: Lottery, submit: Submit,
    clock: Clock, do: Do,
) -> None:  # fmt: skip
    submit(cast.bob, big_chance, 3)
    submit(cast.charlie, extra_win, 3)
    end_days(session, SECOND_NOON, places=6)
    do(lapse, FIRST_DAY, 1, reason="Gone", now=SECOND_NOON)

    with session.begin():
        first, second = states_of(session.connection(), [FIRST_DAY])[FIRST_DAY]
    names = {cast.bob.id: "Big Chance", cast.charlie.id: "Extra Win"}
    assert (first.lottery_name, second.lottery_name) == (
        names[holder_of(session, 1)], names[holder_of(session, 2)],
    )  # fmt: skip


def test_a_reserve_is_passed_over_where_all_prizes_of_its_lottery_are_won(
    session: Session, cast: Cast, big_chance: Lottery, rare: Lottery, submit: Submit, clock: Clock,
) -> None:  # fmt: skip
    reopen(session, rare, FIRST_NOON, winnable=None)
    day = draw_with_first(session, submit, (cast.bob, big_chance), (cast.charlie, rare), clock)
    clock.set(closes_at(day))
    submit(cast.charlie, rare)
    end_days(session, closes_at(day + ONE_DAY))
    reopen(session, rare, closes_at(day + ONE_DAY), winnable=1)

    with session.begin():
        lapse(session, day, 1, reason="Gone", now=closes_at(day + ONE_DAY))

    with session.begin():
        _, second = states_of(session.connection(), [day])[day]
    assert (second.state, second.reason) == ("lapsed", ALL_WON)


def test_a_reserve_waits_while_ballots_that_are_in_may_win_the_last_prize_then_has_it_or_not(
    session: Session, cast: Cast, big_chance: Lottery, rare: Lottery, submit: Submit, clock: Clock,
) -> None:  # fmt: skip
    reopen(session, rare, FIRST_NOON, winnable=None)
    day = draw_with_first(session, submit, (cast.bob, big_chance), (cast.charlie, rare), clock)
    reopen(session, rare, closes_at(day), winnable=1)
    submit(cast.charlie, rare)  # on the next day, which is open

    with session.begin():
        lapse(session, day, 1, reason="Gone", now=closes_at(day))
    with session.begin():
        assert [each[:2] for each in waiting(session)] == [(day, 2)]
        assert states_of(session.connection(), [day])[day][1].state == "waiting"
    with pytest.raises(LotteryError):  # it waits for the prize that these would play for
        submit(cast.charlie, rare)
    end_days(session, closes_at(day))
    assert events(session, day)[-1] == (1, "lapsed")

    end_days(session, closes_at(day + ONE_DAY))  # on which charlie's was the only ballot

    assert events(session, day)[-2:] == [(2, "offered"), (2, "lapsed")]
    with session.begin():
        assert waiting(session) == []
        assert states_of(session.connection(), [day])[day][1].reason == ALL_WON


def test_of_two_reserves_who_wait_the_one_of_the_older_draw_is_first(
    session: Session, cast: Cast, big_chance: Lottery, rare: Lottery, submit: Submit, clock: Clock,
) -> None:  # fmt: skip
    """Neither may wait for the other."""
    reopen(session, rare, FIRST_NOON, winnable=None)
    ours = (cast.bob, big_chance), (cast.charlie, rare)
    one = draw_with_first(session, submit, *ours, clock)
    for number in range(1, 40):
        other = one + number * ONE_DAY
        clock.set(starts_at(other))
        submit(*ours[0])
        submit(*ours[1])
        end_days(session, closes_at(other), places=2)
        if holder_of(session, 1, other) == cast.bob.id:
            break
        lapse_all(session, other)
    today = other + ONE_DAY
    clock.set(starts_at(today))
    submit(cast.charlie, rare)
    submit(cast.bob, big_chance, 400)  # so that charlie's wins hardly ever
    reopen(session, rare, starts_at(today), winnable=1)
    for day in (other, one):
        with session.begin():
            lapse(session, day, 1, reason="Gone", now=starts_at(today))
    with session.begin():
        assert [each[:2] for each in waiting(session)] == [(one, 2), (other, 2)]

    end_days(session, closes_at(today))

    with session.begin():
        assert waiting(session) == []
    first = holder_of(session, 1, today) == cast.bob.id
    assert ((2, "lapsed") not in events(session, one)) == first
    assert (2, "lapsed") in events(session, other)
