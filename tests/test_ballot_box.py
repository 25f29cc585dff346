"""Ballot box: numbers without a gap, idempotent tokens, days cut at midnight."""

import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from lottery_system import ballot_box
from lottery_system.admission import Admitted, admit
from lottery_system.ballot_box import BallotBox
from lottery_system.errors import LotteryFinished, NotAdmitted, TokenTaken, UnknownLottery
from lottery_system.models import AskedBallots, Ballot, Draw, GrantedBallots, Holding, Lottery, User
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import LOG_KEYS, run_due
from tests.stand_ins.processes import PATIENCE, wait_for

ONE_DAY = timedelta(days=1)


def ballots(session: Session) -> list[tuple[object, ...]]:
    with session.begin():
        rows = session.execute(
            select(Ballot.day, Ballot.number, Ballot.user_id, Ballot.lottery_id).order_by(
                Ballot.day, Ballot.number
            )
        )
        return [tuple(row) for row in rows]


def test_ballots_are_numbered_from_one_over_all_lotteries(
    session: Session, cast: Cast, big_chance: Lottery, extra_win: Lottery, submit: Submit
) -> None:
    first = submit(cast.bob, big_chance)
    second = submit(cast.charlie, extra_win, 2)

    assert (first.day, first.first_number, first.last_number) == (FIRST_DAY, 1, 1)
    assert (second.day, second.first_number, second.last_number) == (FIRST_DAY, 2, 3)
    assert first.submitted_at == FIRST_NOON
    assert ballots(session) == [
        (FIRST_DAY, 1, cast.bob.id, big_chance.id),
        (FIRST_DAY, 2, cast.charlie.id, extra_win.id),
        (FIRST_DAY, 3, cast.charlie.id, extra_win.id),
    ]


def test_counts_are_kept_beside_the_ballots(
    session: Session, cast: Cast, big_chance: Lottery, extra_win: Lottery, submit: Submit
) -> None:
    submit(cast.bob, big_chance, 2)
    submit(cast.bob, extra_win, 3)
    submit(cast.bob, big_chance, 4)

    assert session.get_one(Draw, FIRST_DAY).ballot_count == 9
    holdings = session.scalars(select(Holding).where(Holding.user_id == cast.bob.id))
    assert {each.lottery_id: each.ballot_count for each in holdings} == {
        big_chance.id: 6,
        extra_win.id: 3,
    }


def test_the_numbers_begin_anew_each_day(
    session: Session, cast: Cast, big_chance: Lottery, clock: Clock, submit: Submit
) -> None:
    submit(cast.bob, big_chance, 3)
    clock.turn(ONE_DAY)

    assert submit(cast.bob, big_chance).first_number == 1


def test_the_same_token_again_is_answered_as_before_and_adds_nothing(
    session: Session, cast: Cast, big_chance: Lottery, extra_win: Lottery, clock: Clock,
    submit: Submit,
) -> None:  # fmt: skip
    token = uuid4()
    first = submit(cast.bob, big_chance, 2, token)
    clock.turn(3 * ONE_DAY)  # meanwhile the day is over, and another form would be refused

    again = submit(cast.bob, extra_win, 7, token)

    assert (again.day, again.lottery_id) == (first.day, first.lottery_id)
    assert (again.first_number, again.last_number) == (first.first_number, first.last_number)
    assert len(ballots(session)) == 2


def test_a_token_of_somebody_else_is_refused(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    token = uuid4()
    submit(cast.bob, big_chance, token=token)

    with pytest.raises(TokenTaken):
        submit(cast.charlie, big_chance, token=token)

    assert len(ballots(session)) == 1


def test_a_double_click_in_the_same_instant_enters_once(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    token = uuid4()

    with ThreadPoolExecutor(8) as threads:
        answers = [
            future.result()
            for future in [threads.submit(submit, cast.bob, big_chance, 1, token) for _ in range(8)]
        ]

    assert {answer.first_number for answer in answers} == {1}
    assert len(ballots(session)) == 1


def test_a_token_twice_in_one_transaction_enters_once(
    session: Session, cast: Cast, big_chance: Lottery
) -> None:
    token = uuid4()
    clicks = [
        AskedBallots.of(
            token=token,
            user_id=cast.bob.id,
            username="bob",
            lottery_id=big_chance.id,
            ballot_count=2,
        )
        for _ in range(2)
    ]

    with session.begin():
        answers = admit(session.connection(), clicks, lambda: FIRST_NOON).answers

    first, again = answers
    assert isinstance(first, GrantedBallots)
    assert again is first
    assert (first.token, first.first_number, first.last_number) == (token, 1, 2)
    assert len(ballots(session)) == 2


def test_many_at_once_get_numbers_without_a_gap_and_none_twice(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    with ThreadPoolExecutor(16) as threads:
        answers = list(
            threads.map(lambda count: submit(cast.bob, big_chance, count), [1, 2, 3, 4] * 25)
        )

    taken = sorted(
        number
        for answer in answers
        for number in range(answer.first_number, answer.last_number + 1)
    )
    assert taken == list(range(1, 251))
    assert [row[1] for row in ballots(session)] == taken


@pytest.mark.parametrize("days", [1, 40])
def test_a_lottery_takes_ballots_until_its_last_day_is_over(
    session: Session, cast: Cast, extra_win: Lottery, clock: Clock, submit: Submit, days: int
) -> None:
    clock.set(FIRST_NOON.replace(hour=23, minute=59, second=59, microsecond=999_999))
    submit(cast.bob, extra_win)
    clock.set(FIRST_NOON.replace(hour=0) + days * ONE_DAY)

    with pytest.raises(LotteryFinished, match="“Extra Win” has finished"):
        submit(cast.bob, extra_win)

    assert len(ballots(session)) == 1


def test_a_lottery_that_does_not_exist_takes_no_ballots(
    session: Session, cast: Cast, submit: Submit
) -> None:
    with pytest.raises(UnknownLottery):
        submit(cast.bob, Lottery(id=99))

    assert ballots(session) == []


def test_a_ballot_that_comes_after_the_close_counts_in_the_next_day(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    """Another host, whose clock is ahead, has closed the day that our clock is still in."""
    run_due(session, FIRST_NOON, places=1)
    with session.begin():
        assert Draw.close(session, FIRST_DAY, FIRST_NOON + ONE_DAY, 1, LOG_KEYS)

    receipt = submit(cast.bob, big_chance)

    assert receipt.day == FIRST_DAY + ONE_DAY
    assert receipt.submitted_at == FIRST_NOON.replace(hour=0) + ONE_DAY
    assert session.get_one(Draw, FIRST_DAY).ballot_count == 0


def test_a_ballot_that_comes_after_the_close_of_its_lotterys_last_day_is_refused(
    session: Session, cast: Cast, extra_win: Lottery, submit: Submit
) -> None:
    run_due(session, FIRST_NOON, places=1)
    with session.begin():
        assert Draw.close(session, FIRST_DAY, FIRST_NOON + ONE_DAY, 1, LOG_KEYS)

    with pytest.raises(LotteryFinished):
        submit(cast.bob, extra_win)


def test_the_clock_is_read_after_the_lock_is_held(
    session: Session, engine: Engine, cast: Cast, big_chance: Lottery
) -> None:
    """Midnight passes while the ballot waits for the day's row: it counts in the new day."""
    late = FIRST_NOON.replace(hour=23, minute=59, second=59)
    readings = iter([late, late + timedelta(seconds=2)])
    box = BallotBox(engine, utcnow=lambda: next(readings, late + timedelta(seconds=2)))
    run_due(session, late, places=1)

    receipt = box.submit(
        AskedBallots.of(
            token=uuid4(),
            user_id=cast.bob.id,
            username="bob",
            lottery_id=big_chance.id,
            ballot_count=1,
        )
    )
    box.drain()

    assert receipt.day == FIRST_DAY + ONE_DAY
    assert receipt.submitted_at == late + timedelta(seconds=2)


def test_a_clock_set_back_before_the_first_day_loses_nothing(
    session: Session, cast: Cast, big_chance: Lottery, clock: Clock, submit: Submit
) -> None:
    submit(cast.bob, big_chance)
    clock.turn(-9 * ONE_DAY)

    receipt = submit(cast.bob, big_chance)

    assert (receipt.day, receipt.first_number) == (FIRST_DAY, 2)
    assert receipt.submitted_at == FIRST_NOON.replace(hour=0)


def test_a_missed_day_has_its_draw_when_the_next_ballot_comes(
    session: Session, cast: Cast, big_chance: Lottery, clock: Clock, submit: Submit
) -> None:
    submit(cast.bob, big_chance)
    clock.turn(3 * ONE_DAY)
    submit(cast.bob, big_chance)

    assert session.scalars(select(Draw.day).order_by(Draw.day)).all() == [
        FIRST_DAY + step * ONE_DAY for step in range(4)
    ]


def test_one_at_fault_does_not_spoil_the_batch(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    """A user that is none breaks the transaction that it shares with others."""
    nobody = User(id=12345)

    with ThreadPoolExecutor(9) as threads:
        futures = [threads.submit(submit, cast.bob, big_chance) for _ in range(4)]
        futures.insert(2, threads.submit(submit, nobody, big_chance))
        failures = [future.exception() for future in futures]

    assert [type(failure) for failure in failures] == [
        type(None), type(None), NotAdmitted, type(None), type(None),
    ]  # fmt: skip
    assert [row[1] for row in ballots(session)] == [1, 2, 3, 4]


def test_when_the_database_fails_nothing_counts_and_the_box_goes_on(
    session: Session, engine: Engine, cast: Cast, big_chance: Lottery, submit: Submit,
    box: BallotBox, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def fail(*arguments: object) -> None:
        raise OperationalError("COMMIT", None, Exception("disk full"))

    token = uuid4()
    event.listen(engine, "commit", fail)
    with caplog.at_level(logging.ERROR), pytest.raises(NotAdmitted, match="It’s safe to try again"):
        submit(cast.bob, big_chance, 3, token)
    event.remove(engine, "commit", fail)

    assert ballots(session) == []
    assert len(caplog.records) == 1
    assert "disk full" in caplog.text
    assert box.has_failed
    assert submit(cast.bob, big_chance, 3, token).first_number == 1
    assert not box.has_failed
    assert len(ballots(session)) == 3


@dataclass
class Slow:
    """A ballot box that admits nothing until it may."""

    box: BallotBox
    bob: User
    lottery: Lottery
    admitting: threading.Event
    go_on: threading.Event

    def submit(self) -> GrantedBallots:
        return self.box.submit(
            AskedBallots.of(
                token=uuid4(),
                user_id=self.bob.id,
                username="bob",
                lottery_id=self.lottery.id,
                ballot_count=1,
            )
        )


@pytest.fixture
def slow(
    engine: Engine, cast: Cast, big_chance: Lottery, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Slow]:
    """Return a box of one place."""
    slow = Slow(
        BallotBox(engine, capacity=1), cast.bob, big_chance, threading.Event(), threading.Event()
    )

    def admit_slowly(*arguments: Any, **more: Any) -> Admitted:
        slow.admitting.set()
        assert slow.go_on.wait(PATIENCE)
        return admit(*arguments, **more)

    monkeypatch.setattr(ballot_box, "admit", admit_slowly)
    yield slow
    slow.go_on.set()
    slow.box.drain()


def test_a_full_box_turns_away_at_once(session: Session, slow: Slow) -> None:
    """One is being admitted and one waits in a box of one place: the third is too many."""
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(slow.submit)
        assert slow.admitting.wait(PATIENCE)
        others = {threads.submit(slow.submit), threads.submit(slow.submit)}
        done, waiting = wait(others, return_when=FIRST_COMPLETED)
        slow.go_on.set()

        (refused,) = done
        assert isinstance(refused.exception(), NotAdmitted)
        assert first.result().first_number == 1
        assert [each.result().first_number for each in waiting] == [2]
    slow.box.drain()
    assert len(ballots(session)) == 2


def test_what_was_turned_away_before_a_batch_took_it_is_not_stored_later(
    session: Session, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch that runs stores its own, whatever its callers were told."""
    monkeypatch.setattr(ballot_box, "PATIENCE", 0.2)
    with ThreadPoolExecutor(1) as threads:
        threads.submit(slow.submit)
        assert slow.admitting.wait(PATIENCE)
        with pytest.raises(NotAdmitted):
            slow.submit()
        slow.go_on.set()
    slow.box.drain()

    assert len(ballots(session)) == 1


def test_draining_admits_all_that_waits(
    session: Session, cast: Cast, big_chance: Lottery, box: BallotBox, submit: Submit
) -> None:
    with ThreadPoolExecutor(8) as threads:
        futures = [threads.submit(submit, cast.bob, big_chance) for _ in range(40)]
        futures[0].result()
        box.drain()
        answered = [future.result().first_number for future in futures]

    assert sorted(answered) == list(range(1, 41))


def test_a_batch_takes_no_more_once_it_is_large(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(ballot_box, "BATCH_BALLOTS", 10)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: submit(cast.bob, big_chance, 9), range(8)))

    assert session.scalar(select(func.count()).select_from(Ballot)) == 72


def test_thousands_of_one_participant_let_others_go_first(
    session: Session, engine: Engine, cast: Cast, big_chance: Lottery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Bob's thousands wait in a row; charlie, who came last, is in the very next batch."""
    box = BallotBox(engine)
    batches: list[list[tuple[int, int]]] = []
    go_on = threading.Event()

    def admit_slowly(
        connection: Any, clicks: Sequence[AskedBallots], *rest: Any, **more: Any
    ) -> Any:
        batches.append([(each.user_id, each.ballot_count) for each in clicks])
        assert go_on.wait(PATIENCE)
        return admit(connection, clicks, *rest, **more)

    def submit(user: User, count: int) -> None:
        box.submit(
            AskedBallots.of(
                token=uuid4(),
                user_id=user.id,
                username=user.username or "",
                lottery_id=big_chance.id,
                ballot_count=count,
            )
        )

    bob, charlie = cast.bob.id, cast.charlie.id
    monkeypatch.setattr(ballot_box, "admit", admit_slowly)
    with ThreadPoolExecutor(10) as threads:
        futures = [threads.submit(submit, cast.bob, 1)]
        wait_for(lambda: batches, "the first is being admitted")
        for count, (user, ballots) in enumerate(
            [(cast.bob, 1000)] * 3 + [(cast.charlie, 1)] * 2, 1
        ):
            futures.append(threads.submit(submit, user, ballots))
            wait_for(partial(_waits, box, count), "it waits")
        go_on.set()
        for future in futures:
            future.result(PATIENCE)
    box.drain()

    assert batches == [
        [(bob, 1)],
        [(bob, 1000), (charlie, 1), (charlie, 1)],
        [(bob, 1000)],
        [(bob, 1000)],
    ]


def _waits(box: BallotBox, count: int) -> bool:
    return len(box._queue) == count


def test_one_participant_cannot_fill_the_box(
    session: Session, engine: Engine, cast: Cast, big_chance: Lottery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    box = BallotBox(engine, capacity=20)
    admitting, go_on = threading.Event(), threading.Event()

    def admit_slowly(*arguments: Any, **more: Any) -> Admitted:
        admitting.set()
        assert go_on.wait(PATIENCE)
        return admit(*arguments, **more)

    def submit(user: User) -> GrantedBallots:
        return box.submit(
            AskedBallots.of(
                token=uuid4(),
                user_id=user.id,
                username=user.username or "",
                lottery_id=big_chance.id,
                ballot_count=1,
            )
        )

    monkeypatch.setattr(ballot_box, "admit", admit_slowly)
    with ThreadPoolExecutor(10) as threads:
        futures = [threads.submit(submit, cast.bob)]
        assert admitting.wait(PATIENCE)
        futures += [threads.submit(submit, cast.bob) for _ in range(2)]
        wait_for(lambda: len(box._queue) == 2, "two wait")

        with pytest.raises(NotAdmitted):
            submit(cast.bob)

        futures.append(threads.submit(submit, cast.charlie))
        go_on.set()
        assert sorted(each.result(PATIENCE).first_number for each in futures) == [1, 2, 3, 4]
    box.drain()
