"""Running draws: `run_due`, called at any time by any process."""

import logging
from datetime import date, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.errors import TooEarly
from lottery_system.fairness.records import format_freeze
from lottery_system.fairness.selection import seed_of, winning_ballots
from lottery_system.models import CLOSED, DRAWN, OPEN, Draw, JournalRecord, Lottery, Winner
from lottery_system.queries.day import look_up
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import LOG_KEYS, begin, run_due

ONE_DAY = timedelta(days=1)


def days_of(session: Session) -> list[tuple[date, str, int]]:
    with session.begin():
        rows = session.execute(select(Draw.day, Draw.status, Draw.ballot_count).order_by(Draw.day))
        return [(row.day, row.status, row.ballot_count) for row in rows]


def test_the_first_call_of_all_opens_today(session: Session) -> None:
    drawn = run_due(session, FIRST_NOON, places=1)

    assert drawn == []
    assert days_of(session) == [(FIRST_DAY, OPEN, 0)]


def test_after_midnight_the_day_is_drawn_from_its_own_ballots(
    session: Session, cast: Cast, big_chance: Lottery, clock: Clock, submit: Submit
) -> None:
    submit(cast.bob, big_chance, 5)
    clock.turn(ONE_DAY)
    submit(cast.bob, big_chance, 2)

    drawn = run_due(session, FIRST_NOON + ONE_DAY, places=1)

    assert drawn == [FIRST_DAY]
    assert days_of(session) == [(FIRST_DAY, DRAWN, 5), (FIRST_DAY + ONE_DAY, OPEN, 2)]
    (winner,) = session.scalars(select(Winner)).all()
    draw = session.get_one(Draw, FIRST_DAY)
    assert draw.seed is not None
    assert winner.day == FIRST_DAY
    assert [winner.number] == [pick.number for pick in winning_ballots(draw.seed, 5, 1)]


def test_calling_again_changes_nothing(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    submit(cast.bob, big_chance, 5)
    later = FIRST_NOON + ONE_DAY
    run_due(session, later, places=1)
    with session.begin():
        before = session.execute(select(Winner.number, Draw.seed).join_from(Winner, Draw)).all()

    assert run_due(session, later, places=1) == []

    with session.begin():
        assert (
            session.execute(select(Winner.number, Draw.seed).join_from(Winner, Draw)).all()
            == before
        )


def test_missed_days_are_made_up_in_order_also_those_without_a_ballot(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    submit(cast.bob, big_chance, 3)

    drawn = run_due(session, FIRST_NOON + 4 * ONE_DAY, places=1)

    assert drawn == [FIRST_DAY + step * ONE_DAY for step in range(4)]
    assert [(status, count) for _, status, count in days_of(session)] == [
        (DRAWN, 3), (DRAWN, 0), (DRAWN, 0), (DRAWN, 0), (OPEN, 0),
    ]  # fmt: skip
    assert len(session.scalars(select(Winner)).all()) == 1


def test_each_missed_day_is_drawn_before_the_next_one_is_closed(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    """However many they are: who waits for the first needs not wait for the last."""
    run_due(session, FIRST_NOON)
    caplog.set_level(logging.INFO, "lottery_system.draws")

    run_due(session, FIRST_NOON + 3 * ONE_DAY)

    assert [line.getMessage() for line in caplog.records] == [
        f"draw of {FIRST_DAY + step * ONE_DAY}: {done}"
        for step in range(3)
        for done in ("closed", "drawn")
    ]


def test_as_many_places_as_asked_for_but_no_more_than_ballots(
    session: Session, cast: Cast, big_chance: Lottery, clock: Clock, submit: Submit
) -> None:
    submit(cast.bob, big_chance, 2)
    clock.turn(ONE_DAY)
    submit(cast.bob, big_chance, 9)

    run_due(session, FIRST_NOON + 2 * ONE_DAY, places=3)

    rows = session.execute(select(Winner.day, Winner.place, Winner.number)).all()
    assert sorted(row.place for row in rows if row.day == FIRST_DAY) == [1, 2]
    assert sorted(row.place for row in rows if row.day == FIRST_DAY + ONE_DAY) == [1, 2, 3]
    assert len({(row.day, row.number) for row in rows}) == 5


def test_a_crash_between_closing_and_drawing_does_not_lead_to_a_second_throw(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    submit(cast.bob, big_chance, 1000)
    later = FIRST_NOON + ONE_DAY
    begin(session, FIRST_NOON)
    with session.begin():
        assert Draw.close(session, FIRST_DAY, later, 1, LOG_KEYS)
        (frozen,) = JournalRecord.freezes(session, [FIRST_DAY]).values()
    with session.begin():  # somebody else tries to throw again
        assert not Draw.close(session, FIRST_DAY, later + ONE_DAY, 2, LOG_KEYS)

    run_due(session, later, places=1)

    (expected,) = winning_ballots(seed_of(format_freeze(frozen), None), 1000, 1)
    assert session.scalars(select(Winner.number)).all() == [expected.number]


def test_a_day_is_not_closed_before_its_midnight(session: Session) -> None:
    run_due(session, FIRST_NOON, places=1)
    last_instant = FIRST_NOON.replace(hour=23, minute=59, second=59, microsecond=999_999)

    with pytest.raises(TooEarly, match="closes at 2026-11-20 00:00"), session.begin():
        Draw.close(session, FIRST_DAY, last_instant, 1, LOG_KEYS)

    assert run_due(session, last_instant, places=1) == []
    assert days_of(session) == [(FIRST_DAY, OPEN, 0)]


def test_a_day_waits_for_the_days_before_it(session: Session) -> None:
    run_due(session, FIRST_NOON, places=1)
    with session.begin():
        Draw.open_until(session.connection(), FIRST_DAY + 2 * ONE_DAY)
    later = FIRST_NOON + 5 * ONE_DAY

    with session.begin():
        assert not Draw.close(session, FIRST_DAY + ONE_DAY, later, 1, LOG_KEYS)
        assert Draw.close(session, FIRST_DAY, later, 1, LOG_KEYS)
        assert Draw.close(session, FIRST_DAY + ONE_DAY, later, 1, LOG_KEYS)
        assert not Draw.draw(session, FIRST_DAY + ONE_DAY, later, LOG_KEYS)
        assert Draw.draw(session, FIRST_DAY, later, LOG_KEYS)
        assert Draw.draw(session, FIRST_DAY + ONE_DAY, later, LOG_KEYS)

    assert [status for _, status, _ in days_of(session)] == [DRAWN, DRAWN, OPEN]


def test_an_open_day_is_not_drawn(session: Session) -> None:
    run_due(session, FIRST_NOON, places=1)

    with session.begin():
        assert not Draw.draw(session, FIRST_DAY, FIRST_NOON + ONE_DAY, LOG_KEYS)


def test_a_clock_set_back_closes_nothing_and_opens_nothing(session: Session) -> None:
    run_due(session, FIRST_NOON + ONE_DAY, places=1)

    assert run_due(session, FIRST_NOON - 3 * ONE_DAY, places=1) == []
    assert days_of(session) == [(FIRST_DAY + ONE_DAY, OPEN, 0)]


def test_the_winning_ballot_is_one_that_was_stored(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    submit(cast.charlie, big_chance, 1)

    run_due(session, FIRST_NOON + ONE_DAY, places=1)

    (winner,) = look_up(session.connection(), FIRST_DAY, None).winners
    assert (winner.number, winner.username, winner.lottery_name) == (1, "charlie", "Big Chance")


def test_closed_days_wait_to_be_drawn_by_the_next_call(session: Session) -> None:
    run_due(session, FIRST_NOON, places=1)
    with session.begin():
        Draw.close(session, FIRST_DAY, FIRST_NOON + ONE_DAY, 1, LOG_KEYS)
    assert days_of(session) == [(FIRST_DAY, CLOSED, 0)]

    assert run_due(session, FIRST_NOON + ONE_DAY, places=1) == [FIRST_DAY]
