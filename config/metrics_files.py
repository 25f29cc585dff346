"""Metrics files: where the processes of a server keep what they count, and what becomes of it.

Prometheus's client adds up the files of all processes (its multiprocess mode). The folder is in
memory where there is such a place: a full disk would kill whoever writes to a mapped file.
"""

import fcntl
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: where Prometheus's client looks for the folder, when it is first imported
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
NAME = "lottery-metrics-"
IN_MEMORY = Path("/dev", "shm")
#: locked by a server's processes as long as one lives
HELD = "held"
#: locked by whoever reads all files, or makes one of two
MERGING = "merging"
#: the number of no process, for what those counted that have ended
ENDED = 0

_begun: Path | None = None


def begin() -> Path:
    """Make the folder of this server and name it to Prometheus's client; remove abandoned ones.

    To be called before anything imports that client; called again, as when gunicorn reads its
    configuration anew, it goes on with the folder that there is.
    """
    global _begun  # noqa: PLW0603
    if _begun is not None:
        return _begun
    parent = IN_MEMORY if os.access(IN_MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    for folder in parent.glob(f"{NAME}*"):
        with suppress(OSError):
            _remove_abandoned(folder)
    folder = Path(tempfile.mkdtemp(prefix=NAME, dir=parent))  # mode 0700
    # open until the last process that has it from this one ends
    fcntl.flock(os.open(folder / HELD, os.O_CREAT | os.O_RDWR), fcntl.LOCK_SH)
    os.environ[FOLDER] = str(folder)
    _begun = folder
    return folder


def forget(folder: Path) -> None:
    """Remove what has been counted so far, as before the first worker starts."""
    for file in folder.glob("*.db"):
        file.unlink(missing_ok=True)


def merge_ended(folder: Path, pid: int) -> list[str]:
    """Add what a process that has ended counted to the rest of its kind, and remove its files.

    Otherwise the folder would grow with every worker that is replaced.

    Returns:
        The names of files that could not be read, as of a process that was killed while it made
        them. They are removed as well, since whoever reads all files would stop at them.
    """
    torn = []
    # not before the folder is named
    from prometheus_client.mmap_dict import MmapedDict  # noqa: PLC0415

    with _locked(folder, fcntl.LOCK_EX):
        for kind in ("counter", "histogram"):
            file = folder / f"{kind}_{pid}.db"
            if not file.exists():
                continue
            try:
                counted = list(MmapedDict.read_all_values_from_file(str(file)))  # type: ignore[no-untyped-call]
            except (struct.error, RuntimeError, ValueError):
                torn.append(file.name)
                counted = []
            total = MmapedDict(str(folder / f"{kind}_{ENDED}.db"))  # type: ignore[no-untyped-call]
            for key, value, *_ in counted:
                total.write_value(key, total.read_value(key)[0] + value, 0)  # type: ignore[no-untyped-call]
            total.close()  # type: ignore[no-untyped-call]
            file.unlink()
        for file in folder.glob(f"gauge_*_{pid}.db"):
            file.unlink()
    return torn


@contextmanager
def while_nothing_is_merged(folder: Path) -> Iterator[None]:
    """Keep files from being merged in the block, which would count them twice or not at all."""
    with _locked(folder, fcntl.LOCK_SH):
        yield


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    lock = os.open(folder / MERGING, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


def _remove_abandoned(folder: Path) -> None:
    """Remove the folder of a server of ours whose processes have all ended.

    Raises:
        OSError: it is somebody else's, or in use, or has just been made.
    """
    lock = os.open(folder / HELD, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_uid == os.geteuid():
            shutil.rmtree(folder)
    finally:
        os.close(lock)
