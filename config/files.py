"""Private files: permissions, and secrets that are generated once and kept."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

#: what nobody but the owner of a file may do with it: anything
OTHERS = stat.S_IRWXG | stat.S_IRWXO
#: for its owner alone
PRIVATE = stat.S_IRUSR | stat.S_IWUSR


def made_once(path: Path, make: Callable[[], str]) -> str:
    """Read a file, making it first, mode 0600, if there is none.

    Any number of processes may start at once: each writes a draft, the first to link it wins. What
    is returned is on the disk permanently.

    Raises:
        OSError: the folder cannot be written to, or the file not be read.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = _draft_of(path, make().encode())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        flush_folder(path.parent)
    return path.read_text(encoding="utf-8")


def keep_files_private() -> None:
    """Make all new files of this process readable by its user only (umask)."""
    os.umask(OTHERS)


class MadePrivate(NamedTuple):
    """What became of files that others could read."""

    tightened: list[Path]
    failed: list[Path]


def made_private(files: Iterable[Path]) -> MadePrivate:
    """Remove all permissions of others from files, and return those that had any."""
    done = MadePrivate([], [])
    for file in files:
        try:
            mode = file.stat().st_mode
            if mode & OTHERS:
                file.chmod(stat.S_IMODE(mode) & ~OTHERS)
                done.tightened.append(file)
        except FileNotFoundError:
            pass
        except OSError:  # somebody else's
            done.failed.append(file)
    return done


def write_whole(file: Path, data: bytes, mode: int = PRIVATE) -> None:
    """Write a file whole or not at all, also if the power fails; replace one that there is.

    Several processes may write the same one: each has a draft of its own, and the last one stays.

    Args:
        mode: its permissions, whatever the umask is.

    Raises:
        OSError: it cannot be written.
    """
    draft = _draft_of(file, data)
    try:
        draft.chmod(mode)
        draft.replace(file)
    except OSError:
        draft.unlink()
        raise
    flush_folder(file.parent)


def _draft_of(file: Path, data: bytes) -> Path:
    """Write a draft beside a file, mode 0600, and flush it to disk."""
    number, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    draft = Path(name)
    try:
        with os.fdopen(number, "wb") as writing:
            writing.write(data)
            writing.flush()
            os.fsync(writing.fileno())
    except OSError:  # a full disk
        draft.unlink()
        raise
    return draft


def flush_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, which are separate from the files' contents."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
