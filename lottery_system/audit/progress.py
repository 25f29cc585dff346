"""Progress of an audit: days and ballots done, totals, and the time that is left."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import NamedTuple, TextIO

#: seconds between two lines where there is no terminal, whose one line is written again each second
PAUSE = 15


class Progress(NamedTuple):
    """How far an audit is."""

    days: int = 0
    of_days: int = 0
    ballots: int = 0
    of_ballots: int = 0

    def describe(self, seconds: float) -> str:
        """Say how far it is, and what is left at the pace of this many seconds."""
        text = (
            f"{self.days:,} of {self.of_days:,} days, "
            f"{self.ballots:,} of {self.of_ballots:,} ballots"
        )
        if not self.ballots or not seconds:
            return text
        pace = self.ballots / seconds
        left = timedelta(seconds=round((self.of_ballots - self.ballots) / pace))
        return f"{text}, {pace:,.0f} a second, {left} left"


#: told now and then how far an audit is
Watch = Callable[[Progress], None]


def no_progress(progress: Progress) -> None:
    """Watch nothing."""


class ProgressLine:
    """Writes progress to a terminal as one line that changes, elsewhere as a line now and then.

    Args:
        stream: where to.
        shows: whether to write at all.
        timer: counts seconds.
    """

    def __init__(
        self, stream: TextIO, *, shows: bool, timer: Callable[[], float] = monotonic
    ) -> None:
        self.latest = Progress()
        self._stream, self._shows, self._timer = stream, shows, timer
        self._began_at = self._told_at = timer()
        self._pause = 1 if stream.isatty() else PAUSE
        self._stands = False

    def __call__(self, progress: Progress) -> None:
        """Write, unless it was written just before."""
        self.latest = progress
        now = self._timer()
        if not self._shows or now - self._told_at < self._pause:
            return
        self._told_at = now
        text = progress.describe(now - self._began_at)
        if self._stream.isatty():
            self._stream.write(f"\r\x1b[K{text}")
            self._stands = True
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Clear the line, so that something else can be written."""
        if self._stands:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._stands = False
