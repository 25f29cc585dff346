"""A slow disk: every flush takes time, or waits until a test releases it."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stand_ins.processes import wait_for

SOURCE = Path(__file__).with_suffix(".c")


class NoCompiler(Exception):
    """Nothing on this machine can make the library that slows flushes."""


class SlowDisk:
    """A library for programs to preload, and what it goes by; PostgreSQL's user may use it too."""

    def __init__(self, folder: Path, milliseconds: int) -> None:
        self.library = folder / "slow_disk.so"
        self._held, self._waiting = folder / "held", folder / "waiting"
        folder.chmod(0o777)
        compiler = shutil.which("cc")
        if compiler is None:
            raise NoCompiler("no flush can be slowed here: there is no cc; install gcc")
        defined = {
            "MILLISECONDS": str(milliseconds),
            "HELD": f'"{self._held}"',
            "WAITING": f'"{self._waiting}"',
        }
        options = ["-shared", "-fPIC", "-O", *(f"-D{name}={it}" for name, it in defined.items())]
        done = subprocess.run(
            [compiler, *options, "-o", str(self.library), str(SOURCE)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise NoCompiler(f"no flush can be slowed here: {done.stderr.strip()}")
        self.library.chmod(0o755)  # an application that ran here keeps files to this user

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no flush come to its end during the block."""
        self._held.touch()
        try:
            yield
        finally:
            self._held.unlink()
            self._waiting.unlink(missing_ok=True)

    def wait_for_a_flush(self) -> None:
        """Wait until one is held."""
        wait_for(self._waiting.exists, "a flush")


@contextmanager
def slow_disk(milliseconds: int) -> Iterator[SlowDisk]:
    """Make the library.

    Raises:
        NoCompiler: it cannot be made here.
    """
    with tempfile.TemporaryDirectory(prefix="lottery-disk-", ignore_cleanup_errors=True) as folder:
        yield SlowDisk(Path(folder), milliseconds)
