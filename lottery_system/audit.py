"""The database held against its own logs: every day, every number.

Reads all of it, in bounded memory, and writes nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from hashlib import sha256

from sqlalchemy import Connection, func, select

from lottery_system.certificates import NotDrawn, Unsound, certificate_of
from lottery_system.clock import closes_at
from lottery_system.fairness import merkle, tiles
from lottery_system.fairness.commitment import (
    HOLDER_BYTES,
    SALT_BYTES,
    anchor_of,
    check_secret,
    holder_hash,
)
from lottery_system.fairness.merkle import Row
from lottery_system.fairness.note import NoteError, open_checkpoint
from lottery_system.fairness.records import Freeze, Genesis, parse_freeze, parse_genesis
from lottery_system.fairness.tiles import TILE_WIDTH, pieces
from lottery_system.models import CLOSED, DRAWN, OPEN, Ballot, Draw, Holding, Operator, Winner
from lottery_system.models.base import table_of
from lottery_system.queries import AnyRow
from lottery_system.queries.logs import (
    ballot_records,
    ballot_tiles,
    freeze_of,
    journal_records,
    journal_tiles,
    last_record,
    runs,
)
from lottery_system.queries.usernames import usernames_of

#: ballots that are looked at together: a whole number of tiles
STEP = 64 * TILE_WIDTH

#: told which day is being read, how many of its ballots are done, and how many there are
Progress = Callable[[date, int, int], None]

#: a sentence that says what is wrong
Fault = str


def audit(
    connection: Connection,
    operator: Operator,
    progress: Progress = lambda day, done, size: None,
) -> Iterator[Fault]:
    """Yield all that is wrong; nothing where all holds.

    Days that were drawn before there was a journal have no log, and are passed over.
    """
    record = next(iter(journal_records(connection, 0, 1)), None)
    if record is None:
        yield "the journal has not begun"
        return
    genesis = parse_genesis(record)
    yield from _journal(connection, genesis, operator)
    rows = connection.execute(
        select(table_of(Draw)).where(Draw.day >= genesis.first).order_by(Draw.day)
    ).all()
    for number, draw in enumerate(rows):
        day = genesis.first + timedelta(days=number)
        if draw.day != day:
            yield f"{day} has no draw"
            return
        yield from _day(connection, draw, operator, progress)
    yield from _order([row.status for row in rows])


def _journal(connection: Connection, genesis: Genesis, operator: Operator) -> Iterator[Fault]:
    """Check the journal's records against each other, its tiles and its last checkpoint."""
    if anchor_of(operator.tip) != genesis.anchor:
        yield "the secret chain at hand is not the one that the genesis promised"
    last = last_record(connection)
    assert last is not None
    size = last.number + 1
    frontier, previous = merkle.Frontier(), b""
    for first in range(0, size, STEP):
        records = journal_records(connection, first, STEP)
        for number, record in enumerate(records, first):
            if number:
                yield from _freeze(genesis, parse_freeze(record), number, previous)
            previous = sha256(record).digest()
        frontier, _ = frontier.extend([merkle.leaf_hash(record) for record in records])
    try:
        checkpoint = open_checkpoint(last.checkpoint, operator.key.verifier)
    except NoteError as error:
        yield f"the journal's checkpoint: {error}"
        return
    if checkpoint.origin != genesis.name:
        yield "the journal's checkpoint bears another name than the genesis"
    if not frontier.size == size == checkpoint.size:
        yield f"the journal has {frontier.size} records, not {checkpoint.size}"
    elif not frontier.root == checkpoint.root == tiles.root(journal_tiles(connection), size):
        yield "the journal's records, its tiles and its checkpoint do not fit each other"


def _freeze(genesis: Genesis, freeze: Freeze, number: int, previous: bytes) -> Iterator[Fault]:
    day = genesis.first + timedelta(days=number - 1)
    if (freeze.draw, freeze.day, freeze.closes) != (number - 1, day, closes_at(day)):
        yield f"record {number} of the journal is not the freeze of {day}"
    if freeze.previous != previous:
        yield f"the freeze of {day} does not follow the record before"
    if not check_secret(freeze.secret, freeze.draw, genesis.anchor):
        yield f"the freeze of {day} reveals another secret than was promised"


def _day(
    connection: Connection, draw: AnyRow, operator: Operator, progress: Progress
) -> Iterator[Fault]:
    """Check a day: its ballots, their log, what was frozen and what was drawn."""
    day, size = draw.day, draw.ballot_count
    frontier = merkle.Frontier()
    holdings: dict[tuple[int, int], int] = {}
    for first in range(1, size + 1, STEP):
        last = min(first + STEP - 1, size)
        records = ballot_records(connection, day, first, last)
        if len(records) != last - first + 1:
            yield f"{day}: ballots are missing between {first} and {last}"
            return
        frontier, grown = frontier.extend([merkle.leaf_hash(record) for record in records])
        yield from _tiles(connection, day, grown)
        yield from _rows(connection, day, first, last, holdings)
        progress(day, last, size)
    if frontier.to_bytes() != draw.frontier:
        yield f"{day}: the log's head is not that of its {size} ballots"
    more = connection.scalar(
        select(func.count()).select_from(Ballot).where(Ballot.day == day, Ballot.number > size)
    )
    if more or runs(connection, day, size + 1, size + 1):
        yield f"{day}: there are ballots beyond the {size} that were counted"
    held = connection.execute(
        select(Holding.user_id, Holding.lottery_id, Holding.ballot_count).where(Holding.day == day)
    )
    if {(row.user_id, row.lottery_id): row.ballot_count for row in held} != holdings:
        yield f"{day}: what people are said to hold is not what they submitted"
    yield from _outcome(connection, draw, frontier.root, operator)


def _tiles(connection: Connection, day: date, grown: Sequence[Row]) -> Iterator[Fault]:
    """Compare what a day's log grew by with its tiles, of all levels."""
    expected = list(pieces(grown))
    stored = ballot_tiles(connection, day)({piece.tile for piece in expected})
    for piece in expected:
        start = piece.offset * merkle.HASH_BYTES
        if stored.get(piece.tile, b"")[start : start + len(piece.hashes)] != piece.hashes:
            level, number = piece.tile
            yield f"{day}: the log's tile {number} of level {level} is not that of its ballots"


def _rows(
    connection: Connection,
    day: date,
    first: int,
    last: int,
    holdings: dict[tuple[int, int], int],
) -> Iterator[Fault]:
    """Compare submissions with single ballots, and open every holder hash; count who holds what."""
    ballots = connection.execute(
        select(Ballot.number, Ballot.user_id, Ballot.lottery_id, Ballot.submitted_at)
        .where(Ballot.day == day, Ballot.number >= first, Ballot.number <= last)
        .order_by(Ballot.number)
    ).all()
    found = runs(connection, day, first, last)
    names = usernames_of(connection, {run.user_id for run in found})
    submitted = []
    for run in found:
        for place, number in enumerate(range(run.first, run.last + 1)):
            submitted.append((number, run.user_id, run.lottery_id, run.submitted_at))
            salt = run.salts[place * SALT_BYTES : (place + 1) * SALT_BYTES]
            holder = run.holders[place * HOLDER_BYTES : (place + 1) * HOLDER_BYTES]
            if len(salt) != SALT_BYTES or holder_hash(salt, names[run.user_id]) != holder:
                yield f"{day}: ballot {number} does not open to its holder"
        key = (run.user_id, run.lottery_id)
        holdings[key] = holdings.get(key, 0) + run.last - run.first + 1
    if [tuple(row) for row in ballots] != submitted:
        yield f"{day}: ballots {first} to {last} are not those that were submitted"


def _outcome(
    connection: Connection, draw: AnyRow, root: bytes, operator: Operator
) -> Iterator[Fault]:
    """Compare what was frozen of a day with what is stored, and all that was drawn from it."""
    day = draw.day
    frozen = freeze_of(connection, day)
    if draw.status == OPEN:
        if frozen is not None:
            yield f"{day} is open, but the journal has its freeze"
        return
    if frozen is None:
        yield f"{day} is {draw.status}, but the journal has no freeze of it"
        return
    freeze = parse_freeze(frozen.record)
    stored = (draw.ballot_count, draw.places, root, draw.closed_at.replace(microsecond=0))
    if stored != (freeze.size, freeze.places, freeze.root, freeze.frozen):
        yield f"{day}: what was frozen is not what is stored"
    winners = connection.scalar(select(func.count()).select_from(Winner).where(Winner.day == day))
    if draw.status == CLOSED and winners:
        yield f"{day} is not drawn, but has winners"
    if draw.status == DRAWN:
        try:
            certificate_of(connection, day, operator)
        except (Unsound, NotDrawn) as error:
            yield str(error)


def _order(statuses: list[str]) -> Iterator[Fault]:
    if statuses != sorted(statuses, key=[DRAWN, CLOSED, OPEN].index):
        yield "days are not closed and drawn in their order"
