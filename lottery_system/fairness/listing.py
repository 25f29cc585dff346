"""The list of a day's ballots, checked against its freeze."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from lottery_system.fairness import merkle
from lottery_system.fairness.checks import CHECKS, Failed, NotMade, demand
from lottery_system.fairness.records import NAMESPACE, Freeze

#: ballots that are hashed in one go
BATCH = 4096

#: told how many ballots of how many have been read
Progress = Callable[[int, int], None]


class Listing:
    """The roots of prefixes of a list, as far as they were requested and read."""

    def __init__(self, asked: int | None = None) -> None:
        #: whether it was read, and has the root that was frozen: what another list says of
        #: earlier sizes shows nothing
        self.is_the_frozen = False
        self.roots: dict[int, bytes] = {}
        #: the record at the index that is asked for, where the list has it
        self.record: bytes | None = None
        self._asked = asked

    def look(self, batch: Sequence[bytes], first: int) -> None:
        """Keep the record that is asked for, if it is in a batch that begins at an index."""
        at = -1 if self._asked is None else self._asked - first
        if 0 <= at < len(batch):
            self.record = batch[at]


def read_list(
    listing: Listing,
    ballots: Iterable[bytes] | None,
    freeze: Freeze,
    earlier_size: int,
    progress: Progress,
) -> str:
    """Hash a day's ballots, which are read once and in batches, and say what holds of them.

    Args:
        listing: takes the roots at `earlier_size` and at the end.
        ballots: the records in order.
        earlier_size: at which the root is wanted, too.
        progress: told after each batch.

    Raises:
        NotMade: there is no list.
        Failed: the list is not whole, not in order, or not the one that was frozen.
    """
    if ballots is None:
        raise NotMade("no list of ballots was given")
    check = _form_of(freeze)
    frontier, fault = merkle.Frontier(), ""
    records = iter(ballots)
    try:
        for size in sorted({min(earlier_size, freeze.size), freeze.size}):
            for batch in _batches(records, size - frontier.size):
                # one that is malformed does not end it: a receipt may depend on the roots
                listing.look(batch, frontier.size)
                fault = fault or check(batch, frontier.size + 1)
                frontier, _ = frontier.extend([merkle.leaf_hash(record) for record in batch])
                progress(frontier.size, freeze.size)
            listing.roots[frontier.size] = frontier.root
        has_more = next(records, None) is not None
    except (OSError, ValueError) as error:
        raise Failed(f"the list cannot be read: {error}") from None
    is_whole = frontier.size == freeze.size
    listing.is_the_frozen = is_whole and frontier.root == freeze.root
    demand(not fault, fault)
    demand(
        is_whole,
        f"the list ends after {frontier.size} of {freeze.size} ballots",
    )
    demand(not has_more, f"the list has more than {freeze.size} ballots")
    demand(frontier.root == freeze.root, "the list of ballots is not the one that was frozen")
    return f"{CHECKS['list']}: {freeze.size} ballots"


def _batches(records: Iterator[bytes], count: int) -> Iterator[list[bytes]]:
    """Take `count` records, or as many as there are, in batches."""
    while count > 0:
        batch = [record for _, record in zip(range(min(count, BATCH)), records, strict=False)]
        if not batch:
            return
        count -= len(batch)
        yield batch


def _form_of(freeze: Freeze) -> Callable[[list[bytes], int], str]:
    """Return what finds the first fault of form or order in a batch, or nothing.

    The same as parsing each record, but made for one day: a pattern instead of ten microseconds.
    """
    day = freeze.day.isoformat().encode()
    time = rb"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    pattern = re.compile(
        NAMESPACE + rb"ballot\nday " + day + rb"\nnumber ([1-9][0-9]{0,17})\n"
        rb"lottery [1-9][0-9]{0,17}\nholder [0-9a-f]{64}\ntime " + day + b"T" + time + rb"Z\n"
    )

    def check(batch: list[bytes], first: int) -> str:
        for number, record in enumerate(batch, first):
            match = pattern.fullmatch(record)
            if not match:
                return f"record {number} of the list is not that of a ballot of {freeze.day}"
            if int(match[1]) != number:
                return f"record {number} of the list has the number {int(match[1])}"
        return ""

    return check
