"""Clock check: whether this host's wall clock can be trusted.

Each process compares it with a monotonic clock, which shows when the wall clock was set; with the
clock of PostgreSQL, which all hosts share; and with the signed rounds of the beacon that it has
seen. While they disagree the process is paused: it takes no ballots and closes no day, and the
other hosts go on. Nothing here waits for anything but the database.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.clock import steady, utcnow
from lottery_system.clock_past import ClockPast
from lottery_system.errors import Paused
from lottery_system.metrics import CLOCK_SKEW
from lottery_system.models.database_clock import Clocks, DatabaseClock
from lottery_system.pause import Pause

CAUSE = "clock"
#: seconds for which a clock that was set must keep its new time to be believed
HOLD = 300
#: by how much a monotonic clock may run fast; real ones do by a tenth of that
DRIFT = 0.001


class Course(NamedTuple):
    """How a clock has run beside the monotonic one: by how much it is ahead of it, in seconds.

    The trusted offset follows no small steps: many of them, each within the tolerance, could add up
    to a day unnoticed.
    """

    believed: float
    #: its offset since it was set, until that is trusted
    jumped_to: float | None = None
    #: the monotonic clock, when it was first seen there
    since: float = 0.0

    def after(self, offset: float, at: float, tolerance: float) -> "Course":
        """Return the course after one more reading.

        Args:
            offset: by how much the clock is ahead of the monotonic one.
            at: the monotonic clock.
            tolerance: seconds that make no jump.
        """
        if abs(offset - self.believed) <= tolerance:
            return Course(self.believed)
        if self.jumped_to is None or abs(offset - self.jumped_to) > tolerance:
            return Course(self.believed, offset, at)
        return Course(offset) if at - self.since >= HOLD else self


class ClockCheck:
    """What one process knows of its clocks, and the pause that follows from it.

    Args:
        tolerance: seconds by which clocks may differ; None if nothing is compared.
        pause: the process's own.
    """

    def __init__(
        self,
        tolerance: int | None,
        pause: Pause,
        utcnow: Callable[[], datetime] = utcnow,
        steady: Callable[[], float] = steady,
    ) -> None:
        self.tolerance = tolerance
        self.utcnow = utcnow
        self.steady = steady
        self._pause = pause
        self._is_paused = False
        self._wall = Course(self._offset())
        self._database: Course | None = None
        self._past: ClockPast | None = None
        self._saved: float | None = None
        #: an instant that has come, in seconds since 1970, and the monotonic clock at its proof
        self._proved: tuple[float, float] | None = None

    def remember(self, past: ClockPast) -> None:
        """Go on from what was believed before a restart, and keep there what is from now on."""
        self._past = past
        self._saved = past.load()
        if self._saved is not None:
            self._wall = Course(self._saved)

    @property
    def is_in_doubt(self) -> bool:
        """Return whether a check is due: the clock was set, or disagreed at the last check."""
        if self.tolerance is None:
            return False
        return self._is_paused or abs(self._offset() - self._wall.believed) > self.tolerance

    def look(self, session: Session) -> datetime:
        """Compare all clocks, and begin or end the pause by what they say.

        Args:
            session: without a transaction begun.

        Returns:
            The reading that was compared; an earlier one may be from another clock.
        """
        before, database = self.utcnow(), None
        if self.tolerance is not None and session.get_bind().dialect.name == "postgresql":
            with session.begin():
                database = session.scalar(select(DatabaseClock()))
        clocks = Clocks(before, database, self.utcnow())
        self._judge(clocks)
        return clocks.after

    def check_turn(self, clocks: Clocks) -> None:
        """Refuse what was to be admitted by clocks that disagree; costs no statement.

        Raises:
            Paused: it says why; the process is paused from now on.
        """
        if reason := self._judge(clocks):
            raise Paused(reason)

    def witness(self, instant: float) -> str | None:
        """Record that an instant has passed, and pause if this host's clock is behind it.

        A round of the beacon that has its signature proves that its time has come.

        Args:
            instant: in seconds since 1970.

        Returns:
            Why the process is paused for it, or None.
        """
        if instant > self._proved_now():
            self._proved = instant, self.steady()
        reason = self._behind(self.utcnow())
        if reason is not None:
            self._set(reason)
        return reason

    def latest_now(self) -> float:
        """Return the latest time that may have come by what is known, in seconds since 1970."""
        return max(self.utcnow().timestamp(), self._proved_now())

    def _proved_now(self) -> float:
        """Return a time that has certainly passed, or minus infinity."""
        if self._proved is None:
            return -inf
        instant, at = self._proved
        return instant + (self.steady() - at) * (1 - DRIFT)

    def _judge(self, clocks: Clocks) -> str | None:
        if self.tolerance is None:
            return None
        at = self.steady()
        offset = clocks.after.timestamp() - at
        self._wall = self._wall.after(offset, at, self.tolerance)
        is_database_steady = False
        if clocks.database is not None:
            between = (clocks.before.timestamp() + clocks.after.timestamp()) / 2
            CLOCK_SKEW.labels("database").set(between - clocks.database)
            # if it is this machine's, it was believed and set along with ours
            first = clocks.database - at if self._saved is None else self._saved
            course = self._database or Course(first)
            self._database = course.after(clocks.database - at, at, self.tolerance)
            is_database_steady = self._database.jumped_to is None
        reason = self._disagreeing(clocks) or self._behind(clocks.after)
        if reason is None and self._wall.jumped_to is not None:
            if is_database_steady:  # it was set to what the database has said all the time
                self._wall = Course(offset)
            else:
                reason = _jump(offset - self._wall.believed)
        self._set(reason)
        if reason is None:
            self._save()
        return reason

    def _save(self) -> None:
        if self._past is not None and self._saved != self._wall.believed:
            self._saved = self._wall.believed
            self._past.save(self._saved)

    def _disagreeing(self, clocks: Clocks) -> str | None:
        assert self.tolerance is not None
        if clocks.database is None:
            return None
        ahead = clocks.before.timestamp() - clocks.database
        behind = clocks.database - clocks.after.timestamp()
        if max(ahead, behind) <= self.tolerance:
            return None
        return (
            f"This host's clock is {span(max(ahead, behind))} "
            f"{'ahead of' if ahead > behind else 'behind'} the database's. Set the one that is "
            f"wrong, by NTP; LOTTERY_CLOCK_TOLERANCE allows {self.tolerance} seconds."
        )

    def _behind(self, now: datetime) -> str | None:
        behind = self._proved_now() - now.timestamp()
        if self.tolerance is None or behind <= self.tolerance:
            return None
        return (
            f"This host's clock is {span(behind)} behind: the beacon has signed a round of a later "
            "time. Set it right, by NTP."
        )

    def _set(self, reason: str | None) -> None:
        self._is_paused = reason is not None
        if reason is None:
            self._pause.clear(CAUSE)
        else:
            self._pause.set(CAUSE, reason)

    def _offset(self) -> float:
        return self.utcnow().timestamp() - self.steady()


def span(seconds: float) -> str:
    """Write roughly how long something is; it seldom changes while two clocks run side by side."""
    for name, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {name}s"
    return f"{seconds:.0f} seconds"


def stamp(instant: datetime) -> str:
    """Write an instant for operators."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _jump(seconds: float) -> str:
    return (
        f"This host's clock was set {'forward' if seconds > 0 else 'back'} by {span(abs(seconds))} "
        f"while the lottery ran. Set it right if it is wrong; otherwise it is trusted once it "
        f"has kept its new time for {HOLD // 60} minutes."
    )
