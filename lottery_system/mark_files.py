"""Files of the high-water mark: written in place with two slots, locked and flushed.

A file has two slots, written in turn, each with a sequence number and a digest, so that a torn
write leaves the other slot intact. Writes go to the operating system at once, and so survive the
death of any process; they reach the disk within a second. The mark protects against restores and
failovers; a power cut may lose its last second.
"""

import fcntl
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import ENOSPC
from pathlib import Path
from time import sleep

from lottery_system.mark import SLOT_BYTES, Mark, MarkDamaged, format_mark, joined, parse_mark
from lottery_system.runtime.offload import Offload

log = logging.getLogger(__name__)

#: seconds within which the disk has what was written
FLUSH_EVERY = 1
#: seconds between two checks of a lock that another process holds, for microseconds
LOCK_PAUSE = 0.0005

# one thread is enough: a process has one mark
_flush = Offload(threads=1)


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
        """Return the mark, or None if there is no file.

        Raises:
            MarkDamaged: the file holds no mark.
            OSError: it cannot be read.
        """
        if not self._open():
            return None
        newest = self._newest()
        if newest is None and self._read[0] != bytes(2 * SLOT_BYTES):
            raise MarkDamaged(f"{self.path} holds no high-water mark that can be read.")
        return newest[1] if newest else None

    def raise_to(self, raised: Callable[[Mark | None], Mark]) -> bool:
        """Replace the mark by what a function makes of it; tell whether that is another one.

        Args:
            raised: handed None if there is no mark, or none that can be read.

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
        """Flush to disk what was written."""
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
        """Create the file atomically, with its full size."""
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


class MarkFiles:
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
        """Return the merged mark of all files; None if there is none.

        Raises:
            MarkDamaged: no file holds a mark that can be read, or they are of different lotteries.
            OSError: a file cannot be read.
        """
        marks, damaged = [], None
        for file in self._files:
            try:
                mark = file.read()
            except MarkDamaged as error:
                damaged = error
                continue
            if mark is not None:
                marks.append(mark)
        if damaged and not marks:
            raise damaged
        if not marks:
            return None
        return joined(marks[0], marks[-1]) if marks[1:] else marks[0]

    def raise_to(self, raised: Callable[[Mark | None], Mark], *, at_once: bool = False) -> None:
        """Replace the mark in each file by what a function makes of it.

        Args:
            at_once: flushes to disk before this returns instead of within a second; starts no
                thread, so it can run before a fork.

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
