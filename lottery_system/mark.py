"""High-water mark: the log heads last acknowledged or signed, kept outside the database. Pure.

A database restored from a backup, or a standby that takes over, may lack what was published. The
mark records the heads of the published logs: the journal's, and that of each day that is not yet
in the journal. It is raised after a commit and before the answer, so after a crash it may be
behind the database, but never ahead.

A mark is written as:

    daily-draw/v1 mark
    sequence 12
    genesis <H of the journal's first record>
    journal <size> <root>
    day <YYYY-MM-DD> <size> <root> <token of its last submission, or none>    any number, in order
    digest <H of the lines above>
"""

import re
from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from lottery_system.clock import parse_day
from lottery_system.errors import LotteryError
from lottery_system.fairness.note import Checkpoint

SLOT_BYTES = 8192
#: days that a mark has room for; a lottery has two at midnight, and one else
MAX_DAYS = 48

_HASH = "[0-9a-f]{64}"
_TEXT = re.compile(
    rf"daily-draw/v1 mark\nsequence ([1-9][0-9]*)\ngenesis ({_HASH})\n"
    rf"journal ([1-9][0-9]*) ({_HASH})\n((?:day [^\n]*\n)*)digest ({_HASH})\n"
)
_DAY = re.compile(rf"day ([0-9-]{{10}}) ([1-9][0-9]*) ({_HASH}) ([0-9a-f]{{32}}|none)")


class MarkDamaged(LotteryError):
    """A mark is there and cannot be read."""


class Head(NamedTuple):
    """The published head of a log."""

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
    """Merge two marks of the same lottery.

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
    """Read the sequence number and the mark of a slot; None if it holds no whole one."""
    end = slot.find(b"digest ")
    try:
        match = _TEXT.match(slot.decode("ascii", "replace")) if end >= 0 else None
    except ValueError:
        return None
    if match is None or sha256(slot[:end]).hexdigest() != match[6]:
        return None
    days = {}
    for line in match[5].splitlines():
        parts = _DAY.fullmatch(line)
        day = parse_day(parts[1]) if parts else None
        if parts is None or day is None:
            return None
        token = None if parts[4] == "none" else UUID(parts[4])
        days[day] = Head(int(parts[2]), bytes.fromhex(parts[3]), token)
    journal = Head(int(match[3]), bytes.fromhex(match[4]))
    return int(match[1]), Mark(bytes.fromhex(match[2]), journal, days)
