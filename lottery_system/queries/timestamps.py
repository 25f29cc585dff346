"""Queries of timestamps: what calendars attest of the checkpoints that days were closed with."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from hashlib import sha256
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, select

from lottery_system.models import JournalRecord, Timestamp
from lottery_system.models.base import table_of
from lottery_system.queries import AnyRow, at_most
from lottery_system.timestamp_proof import ProofPath, parse_proof

#: days, counted back from the newest closed one, whose proofs are asked for
WINDOW = 32
#: proofs of one checkpoint that are read: promises and complete ones, of eight calendars, twice
MOST = 32


class StoredProof(NamedTuple):
    """A calendar's proof as it is stored; to read it takes half a millisecond."""

    is_complete: bool
    proof: bytes


class Stamped(NamedTuple):
    """A day's freeze, and the proofs that there are of its checkpoint."""

    timeline: int
    number: int
    day: date
    #: a signed note, without cosignatures
    checkpoint: str
    #: by calendar: the complete one where there is one, else the promise
    proofs: dict[str, StoredProof]

    @property
    def digest(self) -> bytes:
        """Return what is stamped: SHA-256 of the checkpoint."""
        return sha256(self.checkpoint.encode()).digest()

    def paths_by(self, calendar: str) -> list[ProofPath]:
        """Return the paths of a calendar's proof."""
        return parse_proof(self.proofs[calendar].proof, self.digest)


def newest_stamped(connection: Connection) -> list[Stamped]:
    """Return the newest freezes, the newest first, with or without proofs."""
    return list(_stamped(connection.execute(_NEWEST)))


def stamped_of(connection: Connection, day: date) -> Stamped | None:
    """Return a day's freeze with its proofs; None before the day is closed."""
    return next(_stamped(connection.execute(_OF_DAY, {"day": day})), None)


def all_stamped(connection: Connection) -> Iterator[Stamped]:
    """Yield the freezes that have proofs, in order."""
    yield from _stamped(connection.execute(_ALL))


def all_timestamps(connection: Connection, timeline: int) -> Sequence[AnyRow]:
    """Return the proofs of a journal as they are stored: `number`, `checkpoint`, ..., `proof`."""
    return connection.execute(_STORED, {"timeline": timeline}).all()


def _stamped(rows: Iterable[AnyRow]) -> Iterator[Stamped]:
    for (timeline, number), group in groupby(rows, key=lambda row: (row.timeline, row.number)):
        rows_of_it = list(group)
        # a complete one comes behind the promise
        proofs = {
            row.calendar: StoredProof(row.is_complete, row.proof)
            for row in rows_of_it
            if row.calendar is not None
        }
        yield Stamped(timeline, number, rows_of_it[0].day, rows_of_it[0].checkpoint, proofs)


_journal, _timestamp = table_of(JournalRecord).c, table_of(Timestamp).c
_is_of = and_(_timestamp.timeline == _journal.timeline, _timestamp.number == _journal.number)
_of_calendar = (_timestamp.calendar, _timestamp.is_complete)
_columns = (
    _journal.timeline,
    _journal.number,
    _journal.day,
    _journal.checkpoint,
    _timestamp.calendar,
    _timestamp.is_complete,
    _timestamp.proof,
)
_every = select(*_columns).outerjoin_from(table_of(JournalRecord), table_of(Timestamp), _is_of)
_newest = (
    select(_journal.day)
    .where(_journal.day.is_not(None))
    .order_by(_journal.day.desc())
    .limit(at_most(WINDOW))
)
_NEWEST = _every.where(_journal.day.in_(_newest)).order_by(_journal.day.desc(), *_of_calendar)
_OF_DAY = (
    _every.where(_journal.day == bindparam("day")).order_by(*_of_calendar).limit(at_most(MOST))
)
_present = select(*_columns).join_from(table_of(JournalRecord), table_of(Timestamp), _is_of)
_ALL = _present.where(_journal.day.is_not(None)).order_by(_journal.day, *_of_calendar)
_STORED = _present.where(_journal.timeline == bindparam("timeline")).order_by(
    _journal.number, *_of_calendar
)
