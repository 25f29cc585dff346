"""Recovery statements: what was lost with a database, signed (daily-draw/v1, section 16: recovery).

A statement ends one journal and begins the next. It is a signed note, with signatures by the
keys of both journals. One that states no loss replaces the keys.
"""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from lottery_system.fairness.note import (
    NoteError,
    SigningKey,
    note_text,
    open_note,
    parse_vkey,
    sign,
)
from lottery_system.fairness.records import (
    DAY,
    HEX,
    INSTANT,
    NAME,
    NUMBER,
    POSITIVE,
    RecordError,
    format_instant,
    match_record,
    read_day,
    read_instant,
    record_pattern,
    write_record,
)

_KEY = rf"{NAME}\+[0-9a-f]{{8}}\+[A-Za-z0-9+/]+={{0,2}}"
_LOST = re.compile(rf"day (?P<day>{DAY}) (?P<signed>{POSITIVE}) (?P<left>{NUMBER})\n", re.ASCII)
_RECOVERY = record_pattern(
    "recovery", name=NAME, key=_KEY, ended=HEX, signed=POSITIVE, root=HEX, kept=NUMBER, left=HEX,
    next=_KEY, begins=HEX, first=DAY, time=INSTANT, days=NUMBER,
    rest=rf"(?P<lost>(?:day {DAY} {POSITIVE} {NUMBER}\n)*)",
)  # fmt: skip


class LostBallots(NamedTuple):
    """A day's log of ballots: how far it was acknowledged, and how much of it is left."""

    day: date
    signed: int
    left: int


class Recovery(NamedTuple):
    """The end of a journal, and the beginning of the next."""

    name: str
    #: the key of the journal that ended, `name+keyid+base64`
    key: str
    #: H of the genesis of the journal that ended, 32 bytes
    ended: bytes
    #: the greatest size of that journal that was signed, and its root there
    signed: int
    root: bytes
    #: how many of its records are left, and their root
    kept: int
    left: bytes
    #: the key of the journal that follows, `name+keyid+base64`
    next: str
    #: H of the genesis of the journal that follows, 32 bytes
    begins: bytes
    #: the first day of the journal that follows; earlier ones are never drawn again
    first: date
    #: the second in which it was stated, UTC
    time: datetime
    #: of the days that lost ballots, in order
    ballots: tuple[LostBallots, ...] = ()

    @property
    def is_loss(self) -> bool:
        """Return whether anything is lost; if not, the keys were replaced and all else is left."""
        return bool(self.ballots) or (self.signed, self.root) != (self.kept, self.left)


def format_recovery(recovery: Recovery) -> bytes:
    """Write the record of a recovery.

    daily-draw/v1 recovery
    name lottery.example
    key lottery.example+f7a1ca9c+<base64>
    ended <64 hex>
    signed 3
    root <64 hex>
    kept 2
    left <64 hex>
    next lottery.example+7a1ca9c7+<base64>
    begins <64 hex>
    first 2026-11-22
    time 2026-11-22T14:46:08Z
    days 1
    day 2026-11-22 13 8
    """
    lines = write_record(
        "recovery",
        name=recovery.name,
        key=recovery.key,
        ended=recovery.ended.hex(),
        signed=recovery.signed,
        root=recovery.root.hex(),
        kept=recovery.kept,
        left=recovery.left.hex(),
        next=recovery.next,
        begins=recovery.begins.hex(),
        first=recovery.first.isoformat(),
        time=format_instant(recovery.time),
        days=len(recovery.ballots),
    )
    days = [f"day {each.day} {each.signed} {each.left}\n" for each in recovery.ballots]
    return lines + "".join(days).encode("ascii")


def parse_recovery(text: str) -> Recovery:
    """Read the record of a recovery.

    Raises:
        RecordError: it is not exactly such a record.
    """
    match = match_record("recovery", _RECOVERY, text)
    ballots = tuple(
        LostBallots(read_day(each["day"]), int(each["signed"]), int(each["left"]))
        for each in _LOST.finditer(match["lost"])
    )
    if len(ballots) != int(match["days"]):
        raise RecordError(f"this recovery has {len(ballots)} days, and says {match['days']}")
    first = read_day(match["first"])
    days = [each.day for each in ballots]
    if days != sorted(set(days)):
        raise RecordError("the days of this recovery are not in order")
    if any(each.signed <= each.left for each in ballots):
        raise RecordError("a day of this recovery lost nothing")
    for line in ("key", "next"):
        try:
            key = parse_vkey(match[line])
        except NoteError as error:
            raise RecordError(f"the line {line} of this recovery: {error}") from None
        if key.name != match["name"]:
            raise RecordError(f"the line {line} of this recovery bears another name")
    if match["key"] == match["next"] or match["ended"] == match["begins"]:
        raise RecordError("this recovery leads from a key or journal to itself")
    return Recovery(
        name=match["name"],
        key=match["key"],
        ended=bytes.fromhex(match["ended"]),
        signed=int(match["signed"]),
        root=bytes.fromhex(match["root"]),
        kept=int(match["kept"]),
        left=bytes.fromhex(match["left"]),
        next=match["next"],
        begins=bytes.fromhex(match["begins"]),
        first=first,
        time=read_instant(match["time"]),
        ballots=ballots,
    )


def sign_recovery(recovery: Recovery, keys: Sequence[SigningKey]) -> str:
    """Return a recovery as a note that bears a signature by each key."""
    text = format_recovery(recovery).decode("ascii")
    return text + "\n" + "".join(sign(text, key).removeprefix(text + "\n") for key in keys)


def open_recovery(note: str) -> Recovery:
    """Return a recovery that is signed by the key that ends and by the one that follows.

    Whose keys these are must be known from elsewhere.

    Raises:
        NoteError: the note is malformed, or one of the signatures is missing or does not hold.
        RecordError: its text is not a recovery.
        CryptographyMissing: nothing can be checked here.
    """
    recovery = parse_recovery(note_text(note))
    for key in (recovery.key, recovery.next):
        open_note(note, parse_vkey(key))
    return recovery


class Succession(NamedTuple):
    """What statements say of one journal, the oldest first: each leads from its key to the next."""

    #: those that led to it
    led: tuple[Recovery, ...] = ()
    #: the one that ended it, and those that ended the journals that followed
    after: tuple[Recovery, ...] = ()

    def known_genesis(self, pinned: str, key: str) -> bytes | None:
        """Return H of the genesis of a pinned key's journal, if that key leads to the journal's.

        Either the pinned key has signed over to it, through all in between; or it has taken over
        from it, and names it as that of the journal that ended. None if it has done neither.

        Args:
            pinned: the key that is known, `name+id+key`.
            key: the journal's.
        """
        if self.led and self.led[-1].next == key:
            for each in self.led:
                if each.key == pinned:
                    return each.ended
        if self.after and self.after[0].key == key:
            for each in self.after:
                if each.next == pinned:
                    return each.begins
        return None


def succession_of(recoveries: Sequence[Recovery], genesis: bytes) -> Succession:
    """Find what statements say of the journal that begins with a genesis.

    Args:
        recoveries: in any order.
        genesis: H of the journal's genesis.

    Raises:
        RecordError: one of them is not of the line of journals that this one stands in, or
            contradicts another one.
    """
    by_begins = {each.begins: each for each in recoveries}
    by_ended = {each.ended: each for each in recoveries}
    led: list[Recovery] = []
    after: list[Recovery] = []
    at = genesis
    while (link := by_begins.pop(at, None)) and (not led or link.next == led[0].key):
        led.insert(0, link)
        at = link.ended
    at = genesis
    while (link := by_ended.pop(at, None)) and (not after or link.key == after[-1].next):
        after.append(link)
        at = link.begins
    # two that end, or begin, one journal in different ways show up here: one of them is left over
    if Counter([*led, *after]) != Counter(set(recoveries)):
        raise RecordError(
            "a statement is of another journal than the certificate, or contradicts another one"
        )
    return Succession(tuple(led), tuple(after))
