"""Audit of one day: ballots against submissions, holders, log, freeze and winners."""

from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from lottery_system.audit.heads import Fault, check_ends, check_heads
from lottery_system.certificates import (
    NotDrawn,
    Unsound,
    certificate_of,
    open_offers_of,
)
from lottery_system.fairness.commitment import HOLDER_BYTES, SALT_BYTES, holder_hashes
from lottery_system.fairness.merkle import HASH_BYTES, Frontier, leaf_hashes
from lottery_system.fairness.note import Checkpoint
from lottery_system.fairness.records import format_run, parse_freeze
from lottery_system.fairness.tiles import TILE_WIDTH, Tile, pieces
from lottery_system.models import DRAWN, LOST, OPEN, Ballot, LogKeys, Winner
from lottery_system.queries import AnyRow
from lottery_system.queries.auditing import (
    compare_holdings,
    count_fitting,
    draw_of,
    extent_of,
    submissions_between,
    tiles_of,
)
from lottery_system.queries.logs import StoredRecord, freeze_of
from lottery_system.queries.offers import first_note, note_of

#: numbers whose submissions are read together; the last one may have more ballots
STEP = 16_384

#: what reading damaged rows ends with
_DAMAGE = (AssertionError, LookupError, TypeError, ValueError)


class Piece(NamedTuple):
    """Consecutive submissions, and their ballots."""

    #: how many
    submissions: int
    records: list[bytes]
    #: as they are stored, one after the other
    leaves: bytes
    #: numbers whose holder hash is not that of salt and username
    closed: list[int]
    #: the next submission does not follow, or is damaged
    breaks_off: bool


def check_day(
    connection: Connection,
    day: date,
    log_keys: LogKeys,
    *,
    holdings: int,
    heads: Sequence[Checkpoint] = (),
    count: Callable[[int], None] = lambda ballots: None,
) -> Iterator[Fault]:
    """Check a day that has a draw, ballot by ballot, in bounded memory.

    Args:
        connection: all its statements see the same state, unless the day is drawn.
        log_keys: with which certificates are checked.
        holdings: how many rows of holdings the day has.
        heads: of this day's log.
        count: told how many more ballots were read.
    """
    try:
        draw = draw_of(connection, day)
        root = yield from _ballots(connection, draw, holdings, heads, count)
        if root is not None:
            yield from _outcome(connection, draw, root, log_keys)
    except _DAMAGE as error:
        yield f"{day}: what is stored cannot be read ({error or type(error).__name__})"


def _ballots(
    connection: Connection,
    draw: AnyRow,
    holdings: int,
    heads: Sequence[Checkpoint],
    count: Callable[[int], None],
) -> Generator[Fault, None, bytes | None]:
    """Check a day's ballots and their log, and return its root; None if it breaks off."""
    day, size = draw.day, draw.ballot_count
    log = Frontier()
    above: dict[Tile, bytes] = {}
    submissions = 0
    while log.size < size:
        first = log.size + 1
        piece = _read(connection, day, first, size)
        last = log.size + len(piece.records)
        if piece.closed:
            others = len(piece.closed) - 1
            more = f", nor do {others} others up to {piece.closed[-1]}" if others else ""
            yield f"{day}: ballot {piece.closed[0]} does not open to its holder{more}"
        if count_fitting(connection, day, first, last + 1) != len(piece.records):
            yield f"{day}: ballots {first} to {last} are not those that were submitted"
        hashes = leaf_hashes(piece.records)
        yield from check_heads(heads, log, hashes)
        grown, rows = log.extend(hashes)
        for part in pieces(rows):
            if part.tile.level:
                above[part.tile] = above.get(part.tile, b"") + part.hashes
                continue
            start = (part.tile.number * TILE_WIDTH + part.offset - log.size) * HASH_BYTES
            if piece.leaves[start : start + len(part.hashes)] != part.hashes:
                yield _unfit(day, part.tile)
        log = grown
        submissions += piece.submissions
        count(len(piece.records))
        if piece.breaks_off:
            yield f"{day}: ballots are missing or duplicated from {last + 1} on"
            return None
    yield from check_ends(heads, size)
    stored = tiles_of(connection, day)
    yield from (
        _unfit(day, tile)
        for tile in sorted(above.keys() | stored.keys())
        if above.get(tile) != stored.get(tile)
    )
    yield from _sums(connection, draw, log, submissions, holdings)
    return log.root


def _sums(
    connection: Connection, draw: AnyRow, log: Frontier, submissions: int, holdings: int
) -> Iterator[Fault]:
    """Compare a log that was read to its end with what is counted of the day."""
    day, size = draw.day, draw.ballot_count
    if log.to_bytes() != draw.frontier:
        yield f"{day}: the log's head is not that of its {size} ballots"
    extent = extent_of(connection, day)
    if extent.ballots > size:
        yield f"{day}: there are ballots beyond the {size} that were counted"
    if extent.submissions > submissions:
        others = extent.submissions - submissions
        yield f"{day}: {others} submissions are not among those of the {size} ballots"
    if compare_holdings(connection, day) != (holdings, holdings):
        yield f"{day}: the holdings do not match the submissions"


def _read(connection: Connection, day: date, first: int, size: int) -> Piece:
    """Read submissions from the one that begins with the number `first`."""
    submissions, number = 0, first
    records: list[bytes] = []
    leaves: list[bytes] = []
    closed: list[int] = []
    rows = submissions_between(connection, day, first, first + STEP)
    for begin, count, lottery, at, salts, holders, stored, username in rows:
        if begin != number or number + count > size + 1:
            break
        if not len(holders) == HOLDER_BYTES * count == len(stored):
            break
        if not _opens(salts, username, holders):
            closed += _closed(number, salts, username, holders)
        each = [holders[i : i + HOLDER_BYTES] for i in range(0, len(holders), HOLDER_BYTES)]
        records += format_run(day, number, lottery, each, at)
        leaves.append(stored)
        submissions += 1
        number += count
    return Piece(
        submissions, records, b"".join(leaves), closed, not rows or submissions < len(rows)
    )


def _opens(salts: bytes, username: str | None, holders: bytes) -> bool:
    """Return whether all holder hashes of a submission match salts and username."""
    return (
        username is not None
        and len(salts) % SALT_BYTES == 0
        and holder_hashes(salts, username) == holders
    )


def _closed(first: int, salts: bytes, username: str | None, holders: bytes) -> list[int]:
    """List the ballots of a submission, from the number `first` on, that do not open."""
    return [
        first + place
        for place in range(len(holders) // HOLDER_BYTES)
        if not _opens(
            salts[place * SALT_BYTES : (place + 1) * SALT_BYTES],
            username,
            holders[place * HOLDER_BYTES : (place + 1) * HOLDER_BYTES],
        )
    ]


def _unfit(day: date, tile: Tile) -> Fault:
    return f"{day}: the log's tile {tile.number} of level {tile.level} is not that of its ballots"


def _outcome(
    connection: Connection, draw: AnyRow, root: bytes, log_keys: LogKeys
) -> Iterator[Fault]:
    """Compare a day's freeze with the stored rows, and its draw with the freeze."""
    day = draw.day
    winners = connection.scalar(select(func.count()).select_from(Winner).where(Winner.day == day))
    if draw.status != DRAWN and winners:
        yield f"{day} is not drawn, but has winners"
    frozen = freeze_of(connection, day)
    if draw.status in {OPEN, LOST}:
        if frozen is not None:
            yield f"{day} is {draw.status}, but the journal has its freeze"
        if note_of(connection, day) is not None:
            yield f"{day} is {draw.status}, but its offers are signed"
        return
    if frozen is None:
        yield f"{day} is {draw.status}, but the journal has no freeze of it"
        return
    freeze = parse_freeze(frozen.record)
    stored = (draw.ballot_count, draw.places, root, draw.closed_at.replace(microsecond=0))
    if stored != (freeze.size, freeze.places, freeze.root, freeze.frozen):
        yield f"{day}: the freeze does not match the stored rows"
    yield from _offers(connection, frozen, log_keys)
    if draw.status == DRAWN:
        try:
            certificate_of(connection, day, log_keys)
        except (Unsound, NotDrawn) as error:
            yield str(error)


def _offers(connection: Connection, frozen: StoredRecord, log_keys: LogKeys) -> Iterator[Fault]:
    """Verify the note of a day's offers, and that they contain the lotteries of all winners."""
    day = frozen.day
    assert day is not None
    if frozen.offers_note is None:
        first = first_note(connection)
        if first is not None and first < day:
            yield f"{day}: its offers are not signed, and those of {first} are"
        return
    try:
        _, offers = open_offers_of(connection, frozen, log_keys)
    except ValueError as error:
        yield f"{day}: its offers are not what was signed ({error})"
        return
    offered = {each.lottery for each in offers.lotteries}
    won = connection.scalars(
        select(Ballot.lottery_id)
        .join(Winner, (Winner.day == Ballot.day) & (Winner.number == Ballot.number))
        .where(Winner.day == day)
    )
    if missing := sorted(set(won) - offered):
        yield f"{day}: lottery {missing[0]} won, and is not among what was offered"
