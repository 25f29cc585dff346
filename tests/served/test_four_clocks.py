"""Eight processes with four clocks: one draw, at midnight, by those whose clock is right.

All of them submit ballots and close days as fast as they can. Two have the right clock, six have
three wrong ones: on PostgreSQL, whose own clock is right, from the start; on SQLite the clocks are
set while the processes run.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from lottery_system import draws
from lottery_system.ballot_box import BallotBox
from lottery_system.clock import ONE_DAY, closes_at, steady
from lottery_system.clock_check import ClockCheck
from lottery_system.closing_check import ClosingCheck
from lottery_system.errors import LotteryError, Paused
from lottery_system.models import DRAWN, OPEN, AskedBallots, Draw
from lottery_system.pause import Pause
from tests.conftest import FIRST_DAY, settings_for
from tests.served.test_exactly_once import Journal, begin, end, engine_for, populate
from tests.stand_ins import log_keys
from tests.stand_ins.audit import audit, receipt
from tests.stand_ins.database_clocks import moved_clock

MIDNIGHT = closes_at(FIRST_DAY)
#: until midnight, and from then on
BEFORE, AFTER = timedelta(seconds=10), timedelta(seconds=6)
#: by how much each process's clock is ahead, at last
AHEAD = [timedelta(), ONE_DAY, 365 * ONE_DAY, timedelta(hours=-3)] * 2


@dataclass
class SettableClock:
    """A wall clock that runs at its usual speed, and may be set."""

    starts_at: datetime
    ahead: timedelta = timedelta()
    began_at: float = field(default_factory=time.time)

    def __call__(self) -> datetime:
        return self.right() + self.ahead

    def right(self) -> datetime:
        return self.starts_at + timedelta(seconds=time.time() - self.began_at)


def be_a_process(
    url: str, clock: SettableClock, ahead: timedelta, journal: Journal, player: tuple[int, int]
) -> None:
    """Submit ballots and do what is due, again and again, as a worker does."""
    pause = Pause()
    check = ClockCheck(60, pause, clock, steady)
    engine = engine_for(url)
    box = BallotBox(engine, pause, utcnow=clock, check_clocks=check.check_turn)
    settings = settings_for(url, LOTTERY_CLOCK_TOLERANCE="60")
    closing_check = ClosingCheck(settings, check)
    while clock.right() < MIDNIGHT + AFTER:
        is_wrong = clock.ahead != timedelta()
        try:
            with Session(engine) as session:
                now = check.look(session)
                pause.refuse()
                drawn = draws.run_due(session, now, 1, log_keys.LOG_KEYS, check=closing_check)
            for day in drawn:
                journal.write("drew", str(day))
        except Paused:
            journal.write("paused", "tick")
        except SQLAlchemyError as error:
            journal.write("failed", str(error).splitlines()[0])
        submission = AskedBallots.of(
            token=uuid4(), user_id=player[0], username="", lottery_id=player[1], ballot_count=3
        )
        try:
            text = receipt(box.submit(submission))
            journal.write("stored", text)
            if is_wrong:
                journal.write("wrong", text)
        except Paused:
            journal.write("paused", "ballots")
        except LotteryError as error:
            journal.write("failed", str(error))
        clock.ahead = ahead


@contextmanager
def right_database(url: str, now: datetime) -> Iterator[None]:
    with moved_clock(url, now) if url.startswith("postgresql") else nullcontext():
        yield


def test_one_draw_is_made_and_nothing_is_closed_early(database_url: str, tmp_path: Path) -> None:
    engine = engine_for(database_url)
    (user_id, *_), (lottery_id, *_) = populate(engine)
    with Session(engine) as session:
        log_keys.begin(session, MIDNIGHT - BEFORE)
    engine.dispose()
    end(begin(do_nothing))  # what all the others fork from is there from now on
    clock = SettableClock(MIDNIGHT - BEFORE)
    journals = [Journal(tmp_path / f"process-{number}") for number in range(len(AHEAD))]
    is_known = database_url.startswith("postgresql")
    with right_database(database_url, clock()):
        children = [
            begin(
                partial(
                    be_a_process,
                    database_url,
                    replace(clock, ahead=ahead if is_known else timedelta()),
                    ahead,
                    journal,
                    (user_id, lottery_id),
                )
            )
            for ahead, journal in zip(AHEAD, journals, strict=True)
        ]
        assert [end(child) for child in children] == [0] * len(AHEAD)

    check(engine, journals)
    engine.dispose()


def do_nothing() -> None:
    """Be the process that imports what the others need."""


def check(engine: Engine, journals: list[Journal]) -> None:
    texts = {
        word: [text for journal in journals for text in journal.texts(word)]
        for word in ("drew", "stored", "wrong", "failed")
    }
    assert texts["wrong"] == texts["failed"] == []
    assert texts["drew"] == [str(FIRST_DAY)]
    for ahead, journal in zip(AHEAD, journals, strict=True):
        assert bool(journal.texts("paused")) == (ahead != timedelta())
    with Session(engine) as session, session.begin():
        found = session.scalars(select(Draw).order_by(Draw.day)).all()
        assert [(draw.day, draw.status) for draw in found] == [
            (FIRST_DAY, DRAWN),
            (FIRST_DAY + ONE_DAY, OPEN),
        ]
        assert found[0].closed_at is not None
        assert MIDNIGHT <= found[0].closed_at < MIDNIGHT + AFTER
        assert all(draw.ballot_count for draw in found)
        audit(session, texts["stored"])
