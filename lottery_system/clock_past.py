"""Clock file: the trusted offset of this host's wall clock, kept over restarts.

Without it a restart would hide a problem: a process that has only seen a wrong clock trusts it.
Only Linux tells whether the machine has booted since; after a boot nothing is known.
"""

import logging
import os
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
FILE = "clock_offset"

log = logging.getLogger(__name__)


class ClockPast:
    """The last trusted offset of the wall clock from the monotonic clock.

    The file may be deleted at any time; running processes keep the value in memory.
    """

    def __init__(self, storage: Path, boot_id: Path = BOOT_ID) -> None:
        self._file = storage / FILE
        self._boot_id = boot_id

    def load(self) -> float | None:
        """Return the offset in seconds, or None if none is known since the machine started."""
        try:
            boot, offset = self._file.read_text(encoding="ascii").split()
            return float(offset) if boot == self._boot() else None
        except (OSError, ValueError):  # not there, or not ours
            return None

    def save(self, offset: float) -> None:
        """Save the offset; if that fails, a restart forgets it."""
        draft = self._file.with_name(f".{FILE}.{os.getpid()}")  # workers start at the same time
        try:
            draft.write_text(f"{self._boot()} {offset}\n", encoding="ascii")
            draft.replace(self._file)
        except OSError as error:
            log.warning("clock: cannot keep %s (%s)", self._file, error.strerror)

    def _boot(self) -> str:
        return self._boot_id.read_text(encoding="ascii").strip()
