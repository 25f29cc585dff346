"""Kept checkpoints: signed heads of logs that somebody saved, compared with the stored logs."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

from lottery_system.clock import parse_day
from lottery_system.errors import LotteryError
from lottery_system.fairness.merkle import EMPTY_ROOT, Frontier
from lottery_system.fairness.note import Checkpoint, NoteError, VerifierKey, open_checkpoint

#: a sentence that says what is wrong
Fault = str

#: bytes of a file that may be a checkpoint; ours have some two hundred
LARGEST = 64 * 1024


class UnfitHead(LotteryError):
    """A file is not a checkpoint of a log of this lottery."""


def read_head(file: Path, keys: Sequence[VerifierKey]) -> tuple[int, Checkpoint]:
    """Read a checkpoint as `/log/checkpoint` and `/log/<day>/checkpoint` serve it, or once did.

    Args:
        file: untrusted input.
        keys: the lottery's, by timeline, of which one must have signed it.

    Returns:
        The timeline of the journal whose key that is, and the checkpoint.

    Raises:
        UnfitHead: with a sentence that names the file.
    """
    try:
        with file.open("rb") as opened:
            note = opened.read(LARGEST + 1)
        if len(note) > LARGEST:
            raise UnfitHead(f"{file} is not a checkpoint: it is longer than {LARGEST:,} bytes.")
        timeline, head = _open(note.decode(), keys)
    except OSError as error:
        raise UnfitHead(f"{file} cannot be read ({error.strerror}).") from None
    except (NoteError, UnicodeDecodeError) as error:
        raise UnfitHead(f"{file} is not a checkpoint signed by this lottery: {error}.") from None
    name = keys[timeline].name
    if head.origin != name and day_of_head(head, name) is None:
        raise UnfitHead(
            f"{file} is the checkpoint of {head.origin}; it must be of {name} or of one of its "
            f"days, like {name}/2026-12-31."
        )
    return timeline, head


def _open(note: str, keys: Sequence[VerifierKey]) -> tuple[int, Checkpoint]:
    for timeline in reversed(range(1, len(keys))):
        with suppress(NoteError):
            return timeline, open_checkpoint(note, keys[timeline])
    return 0, open_checkpoint(note, keys[0])


def day_of_head(head: Checkpoint, name: str) -> date | None:
    """Return the day whose log a head is of; None for any other log."""
    prefix = f"{name}/"
    return parse_day(head.origin.removeprefix(prefix)) if head.origin.startswith(prefix) else None


def check_heads(
    heads: Sequence[Checkpoint], before: Frontier, leaves: Sequence[bytes]
) -> Iterator[Fault]:
    """Compare the heads whose sizes a log comes to as it grows from `before` by `leaves`."""
    for head in heads:
        added = head.size - before.size
        if 0 < added <= len(leaves) and before.extend(leaves[:added])[0].root != head.root:
            yield f"{_name(head)} does not match: the stored log has another root at that size"


def check_ends(heads: Sequence[Checkpoint], size: int) -> Iterator[Fault]:
    """Compare the heads that a log of a size does not come to by growing."""
    for head in heads:
        if head.size > size:
            yield f"{_name(head)} does not match: only {size} of its records are stored"
        elif head.size == 0 and head.root != EMPTY_ROOT:
            yield f"{_name(head)} does not match: an empty log has another root"


def _name(head: Checkpoint) -> str:
    return f"the head of {head.origin} at size {head.size}, root {head.root.hex()},"
