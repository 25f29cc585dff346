"""A full disk, on demand."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path

MEGABYTE = 1 << 20


class NoDisk(Exception):
    """This machine gives us no disk of our own."""


class SmallDisk:
    """A file system in memory, and a balloon that takes all the room that others leave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._balloon = folder / "balloon"

    def fill(self, megabytes: int | None = None) -> None:
        """Take so much room; if omitted, leave none for a single byte."""
        with self._balloon.open("ab", buffering=0) as balloon:
            try:
                while megabytes is None or balloon.tell() < megabytes * MEGABYTE:
                    balloon.write(bytes(MEGABYTE))
            except OSError as error:
                if error.errno != ENOSPC:
                    raise

    def free(self) -> None:
        self._balloon.unlink()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount a disk at a folder, for as long as the block runs.

    Raises:
        NoDisk: nobody may mount anything here.
    """
    options = f"size={megabytes}m,mode=0755"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise NoDisk("no disk can be filled here: there is no mount") from None
    except subprocess.CalledProcessError as error:
        raise NoDisk(f"no disk can be filled here: {error.stderr.strip()}") from None
    try:
        yield SmallDisk(folder)
    finally:
        # lazily: whoever still has a file open there, as after a failure, keeps nobody else waiting
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
