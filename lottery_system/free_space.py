"""Free disk space: below a limit no ballots are taken, before the database is damaged."""

import logging
import os
from collections.abc import Callable, Collection
from pathlib import Path

from lottery_system.clock import steady
from lottery_system.pause import Pause

log = logging.getLogger(__name__)

CAUSE = "disk"
MEGABYTE = 1_000_000
#: seconds for which a result is cached
PERIOD = 2


class FreeSpace:
    """Checks disks, and pauses a process while one of them has too little space.

    Draws go on: they are few and small, and the limit leaves room for them.

    Args:
        folders: one on each disk.
        least: megabytes that must be free; None for none.
        pause: is set while there are fewer.
        steady: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        folders: Collection[Path],
        least: int | None,
        pause: Pause,
        steady: Callable[[], float] = steady,
    ) -> None:
        self._folders = folders
        self._least = least
        self._pause = pause
        self._steady = steady
        self._looks_at = 0.0

    def look(self) -> None:
        """Look at the disks, where that was some seconds ago, and set or clear the pause."""
        now = self._steady()
        if self._least is None or now < self._looks_at:
            return
        self._looks_at = now + PERIOD
        for folder in self._folders:
            if _free(folder) < self._least * MEGABYTE:
                self._pause.set(
                    CAUSE,
                    f"Less than {self._least} MB are free on the disk of {folder}. Make room "
                    "there; ballots are then taken again (LOTTERY_FREE_SPACE).",
                    ballots_only=True,
                )
                return
        self._pause.clear(CAUSE)


def _free(folder: Path) -> float:
    """Return the bytes that a process without privileges can still write; more than any if unknown.

    A missing folder is reported elsewhere.
    """
    try:
        volume = os.statvfs(folder)
    except OSError as error:
        log.warning("disk: cannot look at %s (%s)", folder, error.strerror)
        return float("inf")
    return volume.f_bavail * volume.f_frsize
