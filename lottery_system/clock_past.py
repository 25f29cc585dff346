"""Clock file: what was believed of this host's wall clock, kept for whoever starts after us.

Without it a restart would end every doubt: a process that has only seen a wrong clock takes it for
right. Only Linux says whether the machine has been started anew since, and nothing is known then.
"""

import logging
import os
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
FILE = "clock_offset"

log = logging.getLogger(__name__)


class ClockPast:
    """By how much the wall clock was ahead of the monotonic one when it was last believed.

    The file may be deleted at any time; processes that run have it in mind.
    """

    def __init__(self, storage: Path, boot_id: Path = BOOT_ID) -> None:
        self._file = storage / FILE
        self._boot_id = boot_id

    def load(self) -> float | None:
        """Return the offset in seconds, or None where none is known since the machine started."""
        try:
            boot, offset = self._file.read_text(encoding="ascii").split()
            return float(offset) if boot == self._boot() else None
        except (OSError, ValueError):  # not there, or not ours
            return None

    def save(self, offset: float) -> None:
        """Keep the offset; where that cannot be done, a restart forgets it."""
        draft = self._file.with_name(f".{FILE}.{os.getpid()}")  # workers start at the same time
        try:
            draft.write_text(f"{self._boot()} {offset}\n", encoding="ascii")
            draft.replace(self._file)
        except OSError as error:
            log.warning("clock: cannot keep %s (%s)", self._file, error.strerror)

    def _boot(self) -> str:
        return self._boot_id.read_text(encoding="ascii").strip()
