"""Queries of the logs: tiles of hashes, and records."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Select,
    Table,
    bindparam,
    case,
    exists,
    func,
    select,
    tuple_,
)

from lottery_system.fairness.commitment import HOLDER_BYTES, SALT_BYTES
from lottery_system.fairness.merkle import HASH_BYTES, Frontier
from lottery_system.fairness.records import format_run
from lottery_system.fairness.tiles import TILE_WIDTH, ReadTiles, Tile, TilePath, format_entries
from lottery_system.mark import Head
from lottery_system.models import (
    CLOSED,
    DRAWN,
    BallotTile,
    Draw,
    JournalRecord,
    JournalTile,
    OfferNote,
    Submission,
    Timestamp,
)
from lottery_system.models.base import table_of
from lottery_system.queries import LIMIT, AnyRow

#: reads records of a log: so many, from a leaf on
ReadRecords = Callable[[int, int], list[bytes]]


class StoredRecord(NamedTuple):
    """A record of a journal as it is stored."""

    timeline: int
    number: int
    #: whose freeze it is; None for the genesis
    day: date | None
    #: verbatim, as it is hashed
    record: str
    #: of when it was the last one
    checkpoint: str
    frontier: bytes
    #: the signed note of the day's offers, only if the query loads it
    offers_note: str | None = None
    #: whether a calendar has stamped the checkpoint, only if the query asks
    is_stamped: bool = False


def journal_tiles(connection: Connection, timeline: int | None = None) -> ReadTiles:
    """Return what reads tiles of a journal; of the present one where none is named."""

    def read(tiles: Collection[Tile]) -> Mapping[Tile, bytes]:
        parameters = {"tiles": list(tiles), "timeline": timeline}
        return _joined(connection.execute(_JOURNAL_TILES, parameters))

    return read


def ballot_tiles(connection: Connection, day: date) -> ReadTiles:
    """Return what reads tiles of a day's log."""

    def read(tiles: Collection[Tile]) -> Mapping[Tile, bytes]:
        lowest = [tile for tile in tiles if tile.level == 0]
        hashes = {tile: _leaves(connection, day, tile) for tile in lowest}
        above = [tile for tile in tiles if tile.level > 0]
        if above:
            parameters = {"day": day, "tiles": above}
            hashes |= _joined(connection.execute(_BALLOT_TILES, parameters))
        return hashes

    return read


def journal_records(
    connection: Connection, first: int, count: int, timeline: int | None = None
) -> list[bytes]:
    """Return records of a journal, from the leaf `first` on."""
    parameters = {"first": first, "end": first + count, "timeline": timeline}
    return [row.record.encode() for row in connection.execute(_JOURNAL_RECORDS, parameters)]


def journal_rows(
    connection: Connection, first: int, count: int, timeline: int | None = None
) -> Sequence[AnyRow]:
    """Return the next rows of a journal, from the leaf `first` on, whatever their numbers are."""
    parameters = {"first": first, "limit": count, "timeline": timeline}
    return connection.execute(_JOURNAL_ROWS, parameters).all()


def journal_record(
    connection: Connection, number: int, timeline: int | None = None
) -> StoredRecord | None:
    """Return one record of a journal."""
    return _record(connection, _JOURNAL_RECORD, {"number": number, "timeline": timeline})


def journal_head(connection: Connection, size: int, timeline: int | None = None) -> Head | None:
    """Return the head of a journal as it was at a size; None if it never was of that size."""
    stored = journal_record(connection, size - 1, timeline)
    return Head(size, Frontier.from_bytes(size, stored.frontier).root) if stored else None


def freeze_of(connection: Connection, day: date) -> StoredRecord | None:
    """Return a day's freeze, with the note of its offers, if any, and whether it is stamped."""
    return _record(connection, _FREEZE, {"day": day})


def last_record(connection: Connection, timeline: int | None = None) -> StoredRecord | None:
    """Return a journal's newest record."""
    return _record(connection, _LAST_RECORD, {"timeline": timeline})


def log_size(connection: Connection, day: date) -> int:
    """Return how many ballots a day's log has; 0 where it has none."""
    return connection.scalar(_LOG_SIZE, {"day": day}) or 0


def ballot_records(connection: Connection, day: date, first: int, last: int) -> list[bytes]:
    """Return the records of a day's ballots with the numbers from `first` to `last`."""
    records: list[bytes] = []
    for run in runs(connection, day, first, last):
        holders = [
            run.holders[at : at + HOLDER_BYTES] for at in range(0, len(run.holders), HOLDER_BYTES)
        ]
        records += format_run(day, run.first, run.lottery_id, holders, run.submitted_at)
    return records


def runs(connection: Connection, day: date, first: int, last: int) -> Sequence[AnyRow]:
    """Return the part of each submission whose ballots have numbers from `first` to `last`.

    `first` and `last` of each are the numbers of that part; `salts`, `holders` and `leaves` are
    those of its ballots alone, however many the submission has.
    """
    parameters = {"day": day, "first_asked": first, "last_asked": last}
    return connection.execute(_RUNS, parameters).all()


def tile_data(path: TilePath, read: ReadTiles, read_records: ReadRecords) -> bytes:
    """Return what is served at an address below `tile/` (C2SP tlog-tiles).

    Args:
        path: no wider than the log is there; of a wider tile only its beginning is returned.
        read: reads the log's tiles.
        read_records: reads so many of its records, from the given leaf on.
    """
    if path.level is None:
        return format_entries(read_records(path.number * TILE_WIDTH, path.width))
    tile = Tile(path.level, path.number)
    return read([tile]).get(tile, b"")[: path.width * HASH_BYTES]


def closed_days(connection: Connection) -> Sequence[date]:
    """Return the days that take no more ballots and whose results are not lost, in order."""
    return connection.scalars(_CLOSED_DAYS).all()


def _record(
    connection: Connection, query: Select[Any], asked: Mapping[str, object]
) -> StoredRecord | None:
    row = connection.execute(query, asked).one_or_none()
    return StoredRecord(*row) if row else None


def _leaves(connection: Connection, day: date, tile: Tile) -> bytes:
    """Return a tile of level 0, which stands with the submissions."""
    first = tile.number * TILE_WIDTH + 1
    return b"".join(run.leaves for run in runs(connection, day, first, first + TILE_WIDTH - 1))


def _joined(rows: Iterable[AnyRow]) -> dict[Tile, bytes]:
    tiles: dict[Tile, bytes] = {}
    for row in rows:
        tile = Tile(row.level, row.number)
        tiles[tile] = tiles.get(tile, b"") + row.hashes
    return tiles


def _tiles(table: Table) -> Select[Any]:
    column = table.c
    return (
        select(column.level, column.number, column.hashes)
        .where(tuple_(column.level, column.number).in_(bindparam("tiles", expanding=True)))
        .order_by(column.level, column.number, column.first)
    )


_CLOSED_DAYS = (
    select(table_of(Draw).c.day)
    .where(table_of(Draw).c.status.in_((CLOSED, DRAWN)))
    .order_by(table_of(Draw).c.day)
)
_journal = table_of(JournalRecord).c
#: the timeline asked for, else the present one
_timeline = func.coalesce(
    bindparam("timeline", type_=Integer), select(func.max(_journal.timeline)).scalar_subquery()
)
_JOURNAL_TILES = _tiles(table_of(JournalTile)).where(table_of(JournalTile).c.timeline == _timeline)
_BALLOT_TILES = _tiles(table_of(BallotTile)).where(table_of(BallotTile).c.day == bindparam("day"))
_JOURNAL_RECORDS = (
    select(_journal.record)
    .where(
        _journal.timeline == _timeline,
        _journal.number >= bindparam("first"),
        _journal.number < bindparam("end"),
    )
    .order_by(_journal.number)
)
_JOURNAL_ROWS = (
    select(_journal.number, _journal.record, _journal.checkpoint, _journal.frontier)
    .where(_journal.timeline == _timeline, _journal.number >= bindparam("first"))
    .order_by(_journal.number)
    .limit(LIMIT)
)
_some_record = select(
    _journal.timeline,
    _journal.number,
    _journal.day,
    _journal.record,
    _journal.checkpoint,
    _journal.frontier,
)
_JOURNAL_RECORD = _some_record.where(
    _journal.timeline == _timeline, _journal.number == bindparam("number")
)
_note, _timestamp = table_of(OfferNote).c, table_of(Timestamp).c
_FREEZE = (
    _some_record.add_columns(
        _note.note.label("offers_note"),
        exists()
        .where(_timestamp.timeline == _journal.timeline, _timestamp.number == _journal.number)
        .label("is_stamped"),
    )
    .outerjoin_from(table_of(JournalRecord), table_of(OfferNote), _note.day == _journal.day)
    .where(_journal.day == bindparam("day"))
)
_LAST_RECORD = (
    _some_record.where(_journal.timeline == _timeline).order_by(_journal.number.desc()).limit(1)
)

_draw = table_of(Draw).c
#: a day that was drawn before there was a journal has ballots and no log
_LOG_SIZE = select(case((_draw.frontier != b"", _draw.ballot_count), else_=0)).where(
    _draw.day == bindparam("day")
)

_submission = table_of(Submission).c
#: the submission that the first number asked for is of
_begin = (
    select(func.max(_submission.first_number))
    .where(
        _submission.day == bindparam("day"), _submission.first_number <= bindparam("first_asked")
    )
    .scalar_subquery()
)
_end_number = _submission.first_number + _submission.ballot_count - 1
_first = case(
    (_submission.first_number < bindparam("first_asked"), bindparam("first_asked", type_=Integer)),
    else_=_submission.first_number,
)
_last = case(
    (_end_number > bindparam("last_asked"), bindparam("last_asked", type_=Integer)),
    else_=_end_number,
)


def _part(column: ColumnElement[bytes], size: int) -> ColumnElement[bytes]:
    """Cut out of a submission's bytes, `size` for each ballot, what the part asked for has."""
    start = (_first - _submission.first_number) * size + 1
    return func.substr(column, start, (_last - _first + 1) * size, type_=LargeBinary)


_RUNS = (
    select(
        _first.label("first"),
        _last.label("last"),
        _submission.user_id,
        _submission.lottery_id,
        _submission.submitted_at,
        _part(_submission.salts, SALT_BYTES).label("salts"),
        _part(_submission.holders, HOLDER_BYTES).label("holders"),
        _part(_submission.leaves, HASH_BYTES).label("leaves"),
    )
    .where(
        _submission.day == bindparam("day"),
        _submission.first_number >= _begin,
        _submission.first_number <= bindparam("last_asked"),
        _end_number >= bindparam("first_asked"),
    )
    .order_by(_submission.first_number)
)
