"""Readiness probe: whether a ballot could be stored now.

A load balancer takes a host out for what it says, so it says nothing of late draws, relays or
clocks that still agree: these are figures of `/metrics`.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswer

from sqlalchemy.exc import SQLAlchemyError

from lottery_system.ballot_box import BallotBox
from lottery_system.clock import steady
from lottery_system.errors import Paused
from lottery_system.pause import Pause

log = logging.getLogger(__name__)

#: seconds for which a result, or a batch of ballots that was stored, is taken for the present
PERIOD = 3
#: seconds that the probe may take, less than whoever asks waits (`config/probe.py`)
BOUND = 3
#: seconds that a batch of ballots may take, more than it waits for a lock or a standby
BUSY = 10

NO_ANSWER = f"the database does not answer within {BOUND} seconds"
FAILED = "the database does not answer"
STUCK = f"ballots have waited for the database for more than {BUSY} seconds"


class Readiness:
    """What a process knows of whether it could store a ballot.

    While ballots come in nothing is tried: the last batch shows it, or the one that waits.
    Otherwise the ballot box does what storing one takes and rolls it back, at most once in a period
    however many ask.

    Args:
        ballot_box: the process's own.
        pause: the process's own.
        steady: a monotonic clock, in seconds.
    """

    def __init__(
        self, ballot_box: BallotBox, pause: Pause, steady: Callable[[], float] = steady
    ) -> None:
        self._ballot_box = ballot_box
        self._pause = pause
        self._steady = steady
        self._lock = threading.Lock()
        #: when the newest probe began, and what it found; None while it runs
        self._began_at = -float("inf")
        self._probe: Future[tuple[str, ...]] | None = None

    def look(self) -> tuple[str, ...]:
        """Return why no ballot could be stored now, a line for each reason; empty if one could."""
        if reasons := self._pause.reasons:
            return tuple(f"paused: {reason}" for reason in reasons)
        now = self._steady()
        stored_at, busy_since = self._ballot_box.stored_at, self._ballot_box.busy_since
        if stored_at is not None and now - stored_at < PERIOD:
            return ()
        if busy_since is not None:  # a probe would wait for the same lock
            if self._ballot_box.has_failed:  # and each batch may end before it has taken too long
                return (FAILED,)
            return (STUCK,) if now - busy_since > BUSY else ()
        probe = self._newest(now)
        try:
            return probe.result(max(0, self._began_at + BOUND - now))
        except NoAnswer:
            return (NO_ANSWER,)

    def _newest(self, now: float) -> Future[tuple[str, ...]]:
        """Return the probe that runs or is recent, or begin one."""
        with self._lock:
            is_over = self._probe is None or self._probe.done()
            if self._probe is None or (is_over and now - self._began_at >= PERIOD):
                self._probe, self._began_at = Future(), now
                threading.Thread(
                    target=self._try, args=(self._probe,), name="readiness", daemon=True
                ).start()
            return self._probe

    def _try(self, probe: Future[tuple[str, ...]]) -> None:
        try:
            self._ballot_box.try_out()
        except Paused as error:
            probe.set_result((f"paused: {error.reason}",))
        except SQLAlchemyError as error:
            log.error("readyz: %s", str(error).splitlines()[0])
            probe.set_result((FAILED,))
        except Exception:
            log.exception("readyz: a fault of ours")
            probe.set_result(("a fault of ours, which the log has",))
        else:
            probe.set_result(())
