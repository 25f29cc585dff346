"""Ballot box: a queue of submissions with group commit; the only way in for ballots.

All waiting submissions are admitted together in one transaction that holds the day's row, and are
answered only after its commit: as safe as one commit for each, at the speed of a batch.
Participants take turns, so that thousands of submissions from one do not delay the others.
"""

import logging
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer
from datetime import datetime, timedelta
from queue import Full
from time import sleep
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from lottery_system.admission import Answer, admit, rehearse
from lottery_system.clock import steady, utcnow
from lottery_system.errors import NotAdmitted, Paused
from lottery_system.free_space import FreeSpace
from lottery_system.metrics import BALLOT_WAIT, BALLOTS_REFUSED, BALLOTS_STORED, BATCH_SIZE
from lottery_system.models import AskedBallots, GrantedBallots
from lottery_system.models.database_clock import Clocks
from lottery_system.pause import Pause
from lottery_system.rollback import CAUSE, Rollback
from lottery_system.runtime.bounded import request_limit
from lottery_system.runtime.fair_queue import FairQueue

log = logging.getLogger(__name__)

#: submissions that may wait; more are refused at once
CAPACITY = 1000
#: the part of them that may be one participant's
EACH = 1 / 10
#: ballots after which a transaction takes no further submission, so that none grows too long
BATCH_BALLOTS = 10_000
#: ballots after which it takes no further submission of the same participant
SHARE_BALLOTS = 1000
#: seconds after which a waiting caller gets NotAdmitted: more than a batch waits for a lock, or for
#: a standby (`runtime/database.py`, `runtime/eager.py`), and less than anybody should wait at all
PATIENCE = 6


class Waiting(NamedTuple):
    """A queued submission, and the future for its answer."""

    submission: AskedBallots
    answer: Future[GrantedBallots]


class BallotBox:
    """A process's queue of submissions and the loop that admits them.

    The loop starts with the first submission, in a thread (a greenlet under gevent) of this very
    process, so that a box made before a fork works after it.
    """

    def __init__(
        self,
        engine: Engine,
        pause: Pause | None = None,
        rollback: Rollback | None = None,
        *,
        utcnow: Callable[[], datetime] = utcnow,
        capacity: int = CAPACITY,
        check_clocks: Callable[[Clocks], None] = lambda clocks: None,
        ballots_per_hour: int | None = None,
        free_space: FreeSpace | None = None,
        gap: timedelta = timedelta(),
    ) -> None:
        self._engine = engine
        self._check_clocks = check_clocks
        self._ballots_per_hour = ballots_per_hour
        self._gap = gap
        self._free_space = free_space
        self._pause = pause or Pause()
        self._rollback = rollback
        self._utcnow = utcnow
        self._queue = FairQueue[Waiting](capacity, max(1, round(capacity * EACH)))
        self._lock = threading.Lock()
        self._loop: threading.Thread | None = None
        #: when a batch was last committed, and since when the present one runs, by the monotonic
        #: clock
        self.stored_at: float | None = None
        self.busy_since: float | None = None
        #: whether the database refused the newest batch
        self.has_failed = False

    def submit(self, submission: AskedBallots) -> GrantedBallots:
        """Admit a submission and wait until it is stored permanently.

        Returns:
            Its run of numbers; that of before, where its token came before.

        Raises:
            LotteryError: it was refused, and nothing of it is stored.
            Paused: the lottery takes no ballots for now.
            NotAdmitted: too much waits, of this participant or of all, or the database did not
                answer; trying again is safe.
        """
        waiting, began = Waiting(submission, Future()), steady()
        try:
            self._queue.put(submission.user_id, waiting, submission.ballot_count)
        except Full:
            log.warning("ballot box: full, a submission was turned away")
            BALLOTS_REFUSED.labels("queue_full").inc(submission.ballot_count)
            raise NotAdmitted from None
        self._start()
        try:
            return waiting.answer.result(PATIENCE)
        except NoAnswer:
            waiting.answer.cancel()  # unless a batch has it, it is not stored later
            log.error("ballot box: no answer within %s seconds", PATIENCE)
            BALLOTS_REFUSED.labels("no_answer").inc(submission.ballot_count)
            raise NotAdmitted from None
        finally:
            BALLOT_WAIT.observe(steady() - began)

    @property
    def queue_length(self) -> int:
        """Return how many submissions wait."""
        return len(self._queue)

    def try_out(self) -> None:
        """Do what storing a ballot takes, without a ballot, and roll it back.

        It holds the day's lock, and on SQLite the database's, for some milliseconds.

        Raises:
            Paused: a ballot would be refused.
            SQLAlchemyError: it could not be stored.
        """
        try:
            self._demand()
            mark = self._rollback.read() if self._rollback else None
            with (
                request_limit(),
                self._engine.connect() as connection,
                connection.begin() as transaction,
            ):
                rehearse(connection, self._utcnow, mark, self._check_clocks)
                transaction.rollback()
        except Paused as error:
            self._note(error)
            raise

    def drain(self) -> None:
        """Admit what waits, then end the loop; a later submission starts it again."""
        with self._lock:
            if self._loop is not None:
                self._queue.end()
                self._loop.join()
                self._loop = None
            late = len(self._queue) > 0
        if late:  # it arrived just as the loop ended
            self._start()

    def _start(self) -> None:
        if self._loop is None:
            with self._lock:
                if self._loop is None:
                    loop = threading.Thread(target=self._admit_all, name="ballot box", daemon=True)
                    loop.start()
                    self._loop = loop

    def _admit_all(self) -> None:
        while self._queue.wait():
            sleep(0)  # yield once, so that runnable greenlets can join this batch
            taken = self._queue.take(BATCH_BALLOTS, SHARE_BALLOTS)
            if batch := [each for each in taken if each.answer.set_running_or_notify_cancel()]:
                self.busy_since = steady()
                self._admit(batch)
                self.busy_since = None

    def _admit(self, batch: Sequence[Waiting]) -> None:
        try:
            self._demand()
            answers = self._commit(batch)
        except Paused as error:
            self._note(error)
            answers = [error for _ in batch]
        except IntegrityError as error:
            if len(batch) > 1:  # one of them caused it: admit them singly
                for waiting in batch:
                    self._admit([waiting])
                return
            answers = _not_admitted(batch, error)
        except SQLAlchemyError as error:
            self.has_failed = True
            answers = _not_admitted(batch, error)
        except Exception as error:
            log.exception("ballot box: a fault of ours")
            answers = _not_admitted(batch, error)
        for waiting, answer in zip(batch, answers, strict=True):
            if isinstance(answer, GrantedBallots):
                waiting.answer.set_result(answer)
            else:
                BALLOTS_REFUSED.labels(_reason(answer)).inc(waiting.submission.ballot_count)
                waiting.answer.set_exception(answer)

    def _demand(self) -> None:
        if self._free_space is not None:
            self._free_space.look()
        self._pause.refuse()

    def _note(self, error: Paused) -> None:
        if not self._pause.reasons:  # pages show it, and the next tick checks again
            self._pause.set(CAUSE, error.reason)

    def _commit(self, batch: Sequence[Waiting]) -> list[Answer]:
        """Commit, then raise the mark, before anything is answered."""
        # read before the transaction begins: what it names was committed by then
        mark = self._rollback.read() if self._rollback else None
        with request_limit(), self._engine.begin() as connection:
            submissions = [waiting.submission for waiting in batch]
            admitted = admit(
                connection,
                submissions,
                self._utcnow,
                mark,
                self._check_clocks,
                ballots_per_hour=self._ballots_per_hour,
                gap=self._gap,
            )
        self.stored_at, self.has_failed = steady(), False
        BATCH_SIZE.observe(len(batch))
        BALLOTS_STORED.inc(admitted.stored)
        if self._rollback is not None and mark is not None:
            self._rollback.raise_days(mark, admitted.heads)
        return admitted.answers


def _not_admitted(batch: Sequence[Waiting], error: Exception) -> list[Answer]:
    reason = str(error).splitlines()[0]
    log.error("ballot box: %d submissions not admitted: %s", len(batch), reason)
    return [NotAdmitted() for _ in batch]


def _reason(refusal: Exception) -> str:
    """Name a refusal by its class, in snake case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(refusal).__name__).lower()
