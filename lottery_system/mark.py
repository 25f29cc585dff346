"""High-water mark: what was last answered or signed, in a file outside the database.

A database that is restored from a backup, or a standby that takes over, may have forgotten what
people were told. The mark remembers the heads of the logs that they were told of: the journal's,
and that of each day that the journal does not cover yet. It is raised after a commit and before
the answer, so that after a crash it may stand below the database, and never above.

The file has two slots, written in turn, each with a sequence number and a digest of its own: a
write that is cut off leaves the other one. Writes reach the operating system at once, which
survives the death of any process, and the disk within a second: the mark guards against restores
and failovers, and a power cut takes a second of it at most.

    daily-draw/v1 mark
    sequence 12
    genesis <H of the journal's first record>
    journal <size> <root>
    day <YYYY-MM-DD> <size> <root> <token of its last submission, or none>    any number, in order
    digest <H of the lines above>
"""

import fcntl
import logging
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from errno import ENOSPC
from hashlib import sha256
from pathlib import Path
from time import sleep
from typing import NamedTuple
from uuid import UUID

from lottery_system.clock import parse_day
from lottery_system.errors import LotteryError
from lottery_system.fairness.note import Checkpoint
from lottery_system.runtime.offload import Offload

log = logging.getLogger(__name__)

SLOT_BYTES = 8192
#: days that a mark has room for; a lottery has two at midnight, and one else
MAX_DAYS = 48
#: seconds within which the disk has what was written
FLUSH_EVERY = 1
#: seconds between two looks at a lock that another process holds, for microseconds
LOCK_PAUSE = 0.0005

_HASH = "[0-9a-f]{64}"
_TEXT = re.compile(
    rf"daily-draw/v1 mark\nsequence ([1-9][0-9]*)\ngenesis ({_HASH})\n"
    rf"journal ([1-9][0-9]*) ({_HASH})\n((?:day [^\n]*\n)*)digest ({_HASH})\n"
)
_DAY = re.compile(rf"day ([0-9-]{{10}}) ([1-9][0-9]*) ({_HASH}) ([0-9a-f]{{32}}|none)")

# one thread is enough: a process has one mark
_flush = Offload(threads=1)


class MarkDamaged(LotteryError):
    """A mark is there and cannot be read."""


class Head(NamedTuple):
    """A log at one moment: what people were told that it holds."""

    size: int
    root: bytes
    #: of the submission that its last ballot is of, where that is known; the journal has none
    token: UUID | None = None


class Mark(NamedTuple):
    """The heads of one lottery that were last answered or signed."""

    #: H of the journal's first record
    genesis: bytes
    journal: Head
    #: of the days that the journal does not cover yet
    days: Mapping[date, Head] = {}

    def heads(self, name: str) -> list[Checkpoint]:
        """Return the heads of the logs of a lottery of a name."""
        journal = Checkpoint(name, self.journal.size, self.journal.root)
        days = [
            Checkpoint(f"{name}/{day}", head.size, head.root) for day, head in self.days.items()
        ]
        return [journal, *days]

    def raised(self, day: date, head: Head) -> "Mark":
        """Return the mark with a day's head, unless it has a greater one."""
        known = self.days.get(day)
        if known is not None and known.size >= head.size:
            return self
        days = dict(sorted({**self.days, day: head}.items())[-MAX_DAYS:])
        return self._replace(days=days)

    def closed(self, journal: Head, last_day: date) -> "Mark":
        """Return the mark with the journal's head, whose last freeze is that of a day."""
        if journal.size <= self.journal.size:
            return self
        days = {day: head for day, head in self.days.items() if day > last_day}
        return self._replace(journal=journal, days=days)


def joined(one: Mark, other: Mark) -> Mark:
    """Return what two marks of the same lottery know together.

    Raises:
        MarkDamaged: they are of different lotteries.
    """
    if one.genesis != other.genesis:
        raise MarkDamaged("The marks of this lottery are of different lotteries.")
    low, high = sorted((one, other), key=lambda mark: mark.journal.size)
    for day, head in low.days.items():
        # a day that only the lower one has was closed since, if it is older than all of the other's
        if day in high.days or low.journal.size == high.journal.size:
            high = high.raised(day, head)
    return high


def format_mark(mark: Mark, sequence: int) -> bytes:
    """Write a mark as a slot of its file has it, without what fills the slot."""
    lines = [
        "daily-draw/v1 mark",
        f"sequence {sequence}",
        f"genesis {mark.genesis.hex()}",
        f"journal {mark.journal.size} {mark.journal.root.hex()}",
        *(
            f"day {day} {head.size} {head.root.hex()} {head.token.hex if head.token else 'none'}"
            for day, head in sorted(mark.days.items())
        ),
    ]
    text = "".join(f"{line}\n" for line in lines).encode()
    return text + f"digest {sha256(text).hexdigest()}\n".encode()


def parse_mark(slot: bytes) -> tuple[int, Mark] | None:
    """Read the sequence number and the mark of a slot; None where it holds no whole one."""
    end = slot.find(b"digest ")
    try:
        found = _TEXT.match(slot.decode("ascii", "replace")) if end >= 0 else None
    except ValueError:
        return None
    if found is None or sha256(slot[:end]).hexdigest() != found[6]:
        return None
    days = {}
    for line in found[5].splitlines():
        parts = _DAY.fullmatch(line)
        day = parse_day(parts[1]) if parts else None
        if parts is None or day is None:
            return None
        token = None if parts[4] == "none" else UUID(parts[4])
        days[day] = Head(int(parts[2]), bytes.fromhex(parts[3]), token)
    journal = Head(int(found[3]), bytes.fromhex(found[4]))
    return int(found[1]), Mark(bytes.fromhex(found[2]), journal, days)


class MarkFile:
    """One file with a mark, shared by all processes of a host."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._number = -1
        #: the process that opened it: a lock is shared with whoever inherits the open file
        self._pid = 0
        #: threads of a process share its lock of the file
        self._threads = threading.Lock()
        #: what was last read, and what was found in it
        self._read: tuple[bytes, tuple[int, Mark] | None] = (b"", None)

    def read(self) -> Mark | None:
        """Return the mark, or None where there is no file.

        Raises:
            MarkDamaged: the file holds no mark.
            OSError: it cannot be read.
        """
        if not self._open():
            return None
        found = self._newest()
        if found is None and self._read[0] != bytes(2 * SLOT_BYTES):
            raise MarkDamaged(f"{self.path} holds no high-water mark that can be read.")
        return found[1] if found else None

    def raise_to(self, raised: Callable[[Mark | None], Mark]) -> bool:
        """Replace the mark by what a function makes of it; tell whether that is another one.

        Args:
            raised: handed None where there is no mark, or none that can be read.

        Raises:
            OSError: it cannot be written.
        """
        if not self._open():
            self._make()
        with self._locked():
            sequence, before = self._newest() or (0, None)
            after = raised(before)
            if after == before:
                return False
            sequence += 1
            text, place = format_mark(after, sequence), sequence % 2 * SLOT_BYTES
            # what is left of a longer one behind it is never read
            if os.pwrite(self._number, text, place) < len(text):
                raise OSError(ENOSPC, os.strerror(ENOSPC))
            if before is None:  # whatever is in the other slot is no mark
                os.pwrite(self._number, bytes(SLOT_BYTES), SLOT_BYTES - place)
            else:  # what is there now need not be parsed by whoever wrote it
                data = self._read[0]
                written = data[:place] + text + data[place + len(text) :]
                self._read = written, (sequence, after)
        return True

    def flush(self) -> None:
        """Have the disk keep what was written."""
        if self._open():
            _flush(os.fsync, self._number)

    def _newest(self) -> tuple[int, Mark] | None:
        data = os.pread(self._number, 2 * SLOT_BYTES, 0)
        if data != self._read[0]:
            slots = [parse_mark(data[at : at + SLOT_BYTES]) for at in (0, SLOT_BYTES)]
            self._read = data, max(filter(None, slots), key=lambda slot: slot[0], default=None)
        return self._read[1]

    def _open(self) -> bool:
        """Open the file, unless this process has it open; tell whether there is one."""
        if self._pid == os.getpid() and os.fstat(self._number).st_nlink:
            return True
        if self._pid == os.getpid():  # it was replaced, or taken away
            os.close(self._number)
            self._pid = 0
        try:
            self._number = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        self._pid = os.getpid()
        return True

    def _make(self) -> None:
        """Make the file with all the room it will ever need, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        number, draft = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            os.write(number, bytes(2 * SLOT_BYTES))
            os.fsync(number)
            with suppress(FileExistsError):  # another process was first
                os.link(draft, self.path)
        finally:
            os.close(number)
            os.unlink(draft)
        self._open()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._threads:
            while True:
                try:
                    fcntl.flock(self._number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    sleep(LOCK_PAUSE)  # other greenlets may run
            try:
                yield
            finally:
                fcntl.flock(self._number, fcntl.LOCK_UN)


class Marks:
    """The high-water mark of a lottery, kept in one file or in two.

    Args:
        paths: the files; a restore that takes back the first may leave the second as it was.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [MarkFile(path) for path in paths]
        self._lock = threading.Lock()
        self._flushing: threading.Thread | None = None
        self._is_dirty = False

    @property
    def paths(self) -> list[Path]:
        """Return the files."""
        return [file.path for file in self._files]

    def read(self) -> Mark | None:
        """Return what all files know together; None where there is none.

        Raises:
            MarkDamaged: no file holds a mark that can be read, or they are of different lotteries.
            OSError: a file cannot be read.
        """
        found, damaged = [], None
        for file in self._files:
            try:
                mark = file.read()
            except MarkDamaged as error:
                damaged = error
                continue
            if mark is not None:
                found.append(mark)
        if damaged and not found:
            raise damaged
        if not found:
            return None
        return joined(found[0], found[-1]) if found[1:] else found[0]

    def raise_to(self, raised: Callable[[Mark | None], Mark], *, at_once: bool = False) -> None:
        """Replace the mark in each file by what a function makes of it.

        Args:
            at_once: has the disk keep it before this returns, and not within a second; no thread
                is begun then, so that it may come before a fork.

        Raises:
            OSError: a file cannot be written.
        """
        changed = [file.raise_to(raised) for file in self._files]
        if not any(changed):
            return
        if at_once:
            self._flush()
        else:
            self._is_dirty = True
            self._flush_soon()

    def _flush(self) -> None:
        for file in self._files:
            file.flush()

    def _flush_soon(self) -> None:
        with self._lock:
            if self._flushing is None:
                self._flushing = threading.Thread(target=self._flush_all, name="mark", daemon=True)
                self._flushing.start()

    def _flush_all(self) -> None:
        while True:
            sleep(FLUSH_EVERY)
            with self._lock:
                if not self._is_dirty:
                    self._flushing = None
                    return
                self._is_dirty = False
            try:
                self._flush()
            except OSError as error:
                log.error("mark: not flushed to disk: %s", error)
