"""Races for prizes: claims, lapses, hand-overs, edits, ballots and draws, all at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import date, timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.orm import Session

from lottery_system import claims
from lottery_system.admission import admit
from lottery_system.clock import ONE_DAY, closes_at, starts_at
from lottery_system.errors import LotteryError
from lottery_system.models import AskedBallots, Ballot, GrantedBallots, Limits, Lottery, User
from lottery_system.models.claim import claim, hand_over, lapse, lapse_late
from lottery_system.models.lottery_edit import edit_lottery
from lottery_system.models.prizes import standings
from lottery_system.runtime import database
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.prizes import CLAIM_DAYS, end_days
from tests.stand_ins.processes import PATIENCE
from tests.test_claims import draw_with_first, events, reopen

DAYS = 8
PRIZES = 3


class Worker:
    """A worker of its own, with connections of its own."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = create_engine(url, **database.engine_options(url))
        database.prepare(self.engine)

    def does(self, start: Barrier, act: Callable[[Session], object]) -> bool:
        """Do something as soon as all others are ready; tell whether it was not refused."""
        start.wait()
        try:
            with Session(self.engine) as session:
                done = act(session) is not False
                session.commit()
                return done
        except LotteryError:
            return False


@pytest.fixture
def workers(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Worker]]:
    """Return six workers, who wait for a lock however busy the machine is."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT", PATIENCE)
    workers = [Worker(database_url) for _ in range(6)]
    yield workers
    for each in workers:
        each.engine.dispose()


def at_once(workers: list[Worker], *acts: Callable[[Session], object]) -> list[bool]:
    """Let each act be done by a worker of its own, all at the same time."""
    start = Barrier(len(acts))
    with ThreadPoolExecutor(len(acts)) as pool:
        done = [
            pool.submit(worker.does, start, act) for worker, act in zip(workers, acts, strict=False)
        ]
        return [each.result(PATIENCE) for each in done]


def play_days(cast: Cast, lottery: Lottery, submit: Submit, clock: Clock) -> list[date]:
    days = [FIRST_DAY + number * ONE_DAY for number in range(DAYS)]
    for day in days:
        clock.set(starts_at(day))
        submit(cast.bob, lottery, 3)
    return days


def test_of_a_hand_over_and_two_lapses_one_comes_first_and_a_reserve_moves_up_once(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock,
    workers: list[Worker],
) -> None:  # fmt: skip
    days = play_days(cast, big_chance, submit, clock)
    now = closes_at(days[-1])
    clock.set(now)
    end_days(session, now, places=2)
    bob, alice, today = cast.bob.id, cast.alice.id, now.date()
    for day in days:
        with session.begin():
            claim(session, day, 1, bob, message="Hello", contact="bob", now=now)

    ends = set()
    for day in days:

        def hand(mine: Session, day: date = day) -> None:
            hand_over(mine, day, 1, alice, handed_on=today, now=now)

        def end(mine: Session, day: date = day) -> None:
            lapse(mine, day, 1, alice, reason="Nobody came", now=now)

        handed, *lapsed = at_once(workers, hand, end, end)

        assert [handed, *lapsed].count(True) == 1
        ends.add(handed)
        after = [(1, "handed_over")] if handed else [(1, "lapsed"), (2, "offered")]
        assert events(session, day) == [(1, "offered"), (1, "claimed"), *after]


def test_of_a_claim_its_repetition_and_the_ticks_after_its_time_one_comes_first(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock,
    workers: list[Worker],
) -> None:  # fmt: skip
    """Hosts whose clocks differ: for one the last day goes on, for the others it is over."""
    days = play_days(cast, big_chance, submit, clock)
    end_days(session, closes_at(days[-1]), places=2)
    bob = cast.bob.id
    late = closes_at(closes_at(days[-1]).date() + CLAIM_DAYS * ONE_DAY)
    for day in days:

        def take(mine: Session, day: date = day) -> None:
            claim(mine, day, 1, bob, message="Hello", now=late - timedelta(seconds=1))

        def tick(mine: Session, day: date = day) -> bool:
            return lapse_late(mine, day, 1, late, CLAIM_DAYS)

        done = at_once(workers, take, tick, take, tick)

        assert done.count(True) == 1
        after = [(1, "claimed")] if done[0] or done[2] else [(1, "lapsed"), (2, "offered")]
        assert events(session, day) == [(1, "offered"), *after]


def test_a_reserve_does_not_move_up_past_a_ballot_that_is_on_its_way_in(
    session: Session, cast: Cast, big_chance: Lottery, extra_win: Lottery, submit: Submit,
    clock: Clock, workers: list[Worker],
) -> None:  # fmt: skip
    """Either may win the last prize, and a ballot that is acknowledged must be able to."""
    reopen(session, extra_win, FIRST_NOON, winnable=None)
    charlies = (cast.charlie, extra_win)
    day = draw_with_first(session, submit, (cast.bob, big_chance), charlies, clock)
    now = closes_at(day)
    reopen(session, extra_win, now, winnable=1)

    def end(mine: Session) -> None:
        lapse(mine, day, 1, reason="Nobody came", now=now)

    with Session(workers[0].engine) as slow, ThreadPoolExecutor(1) as pool:
        (granted,) = admit(
            slow.connection(), [ballots(cast.bob, extra_win.id)], lambda: now
        ).answers
        assert isinstance(granted, GrantedBallots)
        lapsed = pool.submit(workers[1].does, Barrier(1), end)
        assert wait([lapsed], timeout=1).not_done
        slow.commit()
        assert lapsed.result(PATIENCE)

    assert events(session, day) == [(1, "offered"), (1, "lapsed")]  # and the reserve waits


def ballots(user: User, lottery_id: int) -> AskedBallots:
    return AskedBallots.of(
        token=uuid4(),
        user_id=user.id,
        username=user.username,
        lottery_id=lottery_id,
        ballot_count=2,
    )


def test_ballots_edits_lapses_and_draws_at_once_never_win_more_than_there_is(
    session: Session, cast: Cast, clock: Clock, submit: Submit, workers: list[Worker]
) -> None:
    with session.begin():
        rare = Lottery.create(
            "Rare", "", FIRST_DAY + 60 * ONE_DAY, FIRST_NOON, limits=Limits(winnable=PRIZES)
        )
        common = Lottery.create("Common", "", FIRST_DAY + 60 * ONE_DAY, FIRST_NOON)
        session.add_all([rare, common])
    rare_id, common_id = rare.id, common.id
    submit(cast.bob, rare)
    end_days(session, FIRST_NOON, places=3)
    won = []
    for number in range(2 * DAYS):
        day = FIRST_DAY + number * ONE_DAY
        now = starts_at(day + ONE_DAY) + timedelta(hours=1)
        clock.set(now)

        def play(user: User, lottery_id: int) -> Callable[[Session], object]:
            def act(mine: Session) -> object:
                return admit(mine.connection(), [ballots(user, lottery_id)], lambda: now).answers  # noqa: B023

            return act

        def edit(mine: Session) -> None:
            edit_lottery(
                mine, rare_id, now, name="Rare", prize=str(now),  # noqa: B023
                closes_on=FIRST_DAY + 60 * ONE_DAY,
            )  # fmt: skip

        def end(mine: Session) -> None:
            lapse(mine, day - ONE_DAY, 1, reason="Nobody came", now=now)  # noqa: B023

        def tick(mine: Session) -> None:
            end_days(mine, now, places=3)  # noqa: B023

        at_once(workers, play(cast.bob, rare_id), play(cast.charlie, rare_id), edit, end, tick,
                play(cast.charlie, common_id))  # fmt: skip

        with session.begin():
            standing = standings(session.connection(), [rare_id], date.max)[rare_id]
        won.append(standing.won)
        assert standing.won <= PRIZES
    clock.turn(ONE_DAY)
    end_days(session, now + ONE_DAY, places=3)
    claims.run_due(session, now + ONE_DAY, CLAIM_DAYS)
    with session.begin():
        standing = standings(session.connection(), [rare_id], date.max)[rare_id]
        in_rare = select(func.count()).select_from(Ballot).where(Ballot.lottery_id == rare_id)
        assert (session.scalar(in_rare) or 0) > PRIZES
    assert standing.won <= PRIZES
    assert max(won) > 0
