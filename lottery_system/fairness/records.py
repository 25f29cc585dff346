"""Records of the logs: ballot, genesis and freeze (daily-draw/v1, section 4: records).

A record is ASCII text: a first line with the kind, then lines `key value` in a fixed order, each
ended by a line feed. Nothing else parses: `parse(format(x)) == x` and `format(parse(t)) == t`.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Literal, NamedTuple, cast

NAMESPACE = b"daily-draw/v1 "

Mode = Literal["operator", "beacon"]
OPERATOR: Mode = "operator"
BEACON: Mode = "beacon"

#: what a lottery may be called: visible ASCII without the plus sign, which ends the name in a key
NAME = r"[!-*,-~]{1,200}"
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
INSTANT = DAY + r"T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
POSITIVE = r"[1-9][0-9]{0,17}"
NUMBER = rf"(?:0|{POSITIVE})"
HEX = r"[0-9a-f]{64}"


def record_pattern(kind: str, *, rest: str = "", **lines: str) -> re.Pattern[str]:
    """Return the pattern of a record: its lines in order, and what may follow them."""
    body = "".join(rf"{key} (?P<{key}>{value})\n" for key, value in lines.items())
    return re.compile(rf"{NAMESPACE.decode()}{kind}\n{body}{rest}", re.ASCII)


_BALLOT = record_pattern(
    "ballot", day=DAY, number=POSITIVE, lottery=POSITIVE, holder=HEX, time=INSTANT
)
_GENESIS = record_pattern(
    "genesis", name=NAME, first=DAY, anchor=HEX, mode="operator|beacon", chain=rf"{HEX}|none",
    gap=NUMBER,
)  # fmt: skip
_FREEZE = record_pattern(
    "freeze", draw=NUMBER, day=DAY, closes=INSTANT, size=NUMBER, frozen=INSTANT, root=HEX,
    places=POSITIVE, secret=HEX, round=rf"{POSITIVE}|none", previous=HEX,
)  # fmt: skip


class RecordError(ValueError):
    """A text is not a record of the kind asked for."""


class Ballot(NamedTuple):
    """One entry of one participant into one lottery on one day."""

    day: date
    #: from 1, dense within the day; the leaf's index plus one
    number: int
    #: the lottery's id
    lottery: int
    #: 32 bytes that only the holder can open, see `commitment.holder_hash`
    holder: bytes
    #: the second of its admission, UTC
    time: datetime


class Genesis(NamedTuple):
    """The journal's first record: what is fixed for the life of a lottery."""

    name: str
    #: the day of draw 0
    first: date
    #: the end of the secret chain, 32 bytes
    anchor: bytes
    mode: Mode
    #: the beacon's chain hash, 32 bytes; None in mode operator
    chain: bytes | None
    #: seconds between the closing of a day and the time of its beacon round
    gap: int


class Freeze(NamedTuple):
    """What is fixed by the transaction that closes a day."""

    #: days since the genesis' first
    draw: int
    day: date
    #: the midnight that ends the day
    closes: datetime
    #: ballots of the day
    size: int
    #: the second of closing, never before `closes`
    frozen: datetime
    #: the root of the day's log, 32 bytes
    root: bytes
    #: how many different winning ballots are drawn
    places: int
    #: the draw's link of the secret chain, 32 bytes
    secret: bytes
    #: the beacon's round; None in mode operator
    round: int | None
    #: H of the journal's record before, 32 bytes
    previous: bytes


@lru_cache(maxsize=1024)
def format_instant(at: datetime) -> str:
    """Write an instant in whole seconds, like 2026-11-22T14:46:08Z.

    Remembered: all submissions of a batch have the same one.
    """
    # not strftime, which writes the year 999 with three digits
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def format_ballot(ballot: Ballot) -> bytes:
    """Write the record of a ballot.

    daily-draw/v1 ballot
    day 2026-11-22
    number 9
    lottery 3
    holder <64 hex>
    time 2026-11-22T14:46:08Z
    """
    return write_record(
        "ballot",
        day=ballot.day.isoformat(),
        number=ballot.number,
        lottery=ballot.lottery,
        holder=ballot.holder.hex(),
        time=format_instant(ballot.time),
    )


def format_run(
    day: date, first_number: int, lottery: int, holders: Sequence[bytes], time: datetime
) -> list[bytes]:
    """Write the records of ballots that were admitted together, the same as one by one.

    Optimised, since it runs under the day's lock.
    """
    head = f"{NAMESPACE.decode()}ballot\nday {day.isoformat()}\nnumber "
    middle = f"\nlottery {lottery}\nholder "
    tail = f"\ntime {format_instant(time)}\n"
    return [
        f"{head}{number}{middle}{holder.hex()}{tail}".encode()
        for number, holder in enumerate(holders, first_number)
    ]


def format_genesis(genesis: Genesis) -> bytes:
    """Write the journal's first record.

    daily-draw/v1 genesis
    name lottery.example
    first 2026-11-19
    anchor <64 hex>
    mode operator | beacon
    chain <64 hex> | none
    gap 600
    """
    return write_record(
        "genesis",
        name=genesis.name,
        first=genesis.first.isoformat(),
        anchor=genesis.anchor.hex(),
        mode=genesis.mode,
        chain=genesis.chain.hex() if genesis.chain else "none",
        gap=genesis.gap,
    )


def format_freeze(freeze: Freeze) -> bytes:
    """Write the record of a day's end.

    daily-draw/v1 freeze
    draw 3
    day 2026-11-22
    closes 2026-11-23T00:00:00Z
    size 13
    frozen 2026-11-23T00:00:01Z
    root <64 hex>
    places 1
    secret <64 hex>
    round 34196412 | none
    previous <64 hex>
    """
    return write_record(
        "freeze",
        draw=freeze.draw,
        day=freeze.day.isoformat(),
        closes=format_instant(freeze.closes),
        size=freeze.size,
        frozen=format_instant(freeze.frozen),
        root=freeze.root.hex(),
        places=freeze.places,
        secret=freeze.secret.hex(),
        round="none" if freeze.round is None else freeze.round,
        previous=freeze.previous.hex(),
    )


def parse_ballot(record: str | bytes) -> Ballot:
    """Read the record of a ballot.

    Raises:
        RecordError: it is not exactly such a record.
    """
    match = match_record("ballot", _BALLOT, record)
    return Ballot(
        day=read_day(match["day"]),
        number=int(match["number"]),
        lottery=int(match["lottery"]),
        holder=bytes.fromhex(match["holder"]),
        time=read_instant(match["time"]),
    )


def parse_genesis(record: str | bytes) -> Genesis:
    """Read the journal's first record.

    Raises:
        RecordError: it is not exactly such a record.
    """
    match = match_record("genesis", _GENESIS, record)
    return Genesis(
        name=match["name"],
        first=read_day(match["first"]),
        anchor=bytes.fromhex(match["anchor"]),
        mode=cast(Mode, match["mode"]),
        chain=None if match["chain"] == "none" else bytes.fromhex(match["chain"]),
        gap=int(match["gap"]),
    )


def parse_freeze(record: str | bytes) -> Freeze:
    """Read the record of a day's end.

    Raises:
        RecordError: it is not exactly such a record.
    """
    match = match_record("freeze", _FREEZE, record)
    return Freeze(
        draw=int(match["draw"]),
        day=read_day(match["day"]),
        closes=read_instant(match["closes"]),
        size=int(match["size"]),
        frozen=read_instant(match["frozen"]),
        root=bytes.fromhex(match["root"]),
        places=int(match["places"]),
        secret=bytes.fromhex(match["secret"]),
        round=None if match["round"] == "none" else int(match["round"]),
        previous=bytes.fromhex(match["previous"]),
    )


def write_record(kind: str, **lines: object) -> bytes:
    """Write a record: a line `key value` each, in the order given."""
    body = "".join(f"{key} {value}\n" for key, value in lines.items())
    return NAMESPACE + f"{kind}\n{body}".encode("ascii")


def match_record(kind: str, pattern: re.Pattern[str], record: str | bytes) -> re.Match[str]:
    """Hold a text against the pattern of a kind of record.

    Raises:
        RecordError: it does not match exactly.
    """
    try:
        text = record if isinstance(record, str) else record.decode("ascii")
    except UnicodeDecodeError:
        raise RecordError(f"this is not the record of a {kind}: it is not ASCII") from None
    match = pattern.fullmatch(text)
    if not match:
        raise RecordError(f"this is not the record of a {kind}, to the letter")
    return match


def read_day(text: str) -> date:
    """Read a day that a pattern has let through.

    Raises:
        RecordError: the calendar has no such day.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RecordError(f"{text} is not a day") from None


def read_instant(text: str) -> datetime:
    """Read an instant that a pattern has let through.

    Raises:
        RecordError: the calendar has no such instant.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise RecordError(f"{text} is not an instant") from None
