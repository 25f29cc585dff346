"""Queries of cosignatures: what witnesses signed below the checkpoints of the journal."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, bindparam, func, select

from lottery_system.fairness.cosignature import MAX_COSIGNATURES
from lottery_system.models import Cosignature
from lottery_system.models.base import table_of
from lottery_system.queries import AnyRow, at_most
from lottery_system.queries.logs import StoredRecord


def cosigned_checkpoint(connection: Connection, record: StoredRecord) -> str:
    """Return a record's checkpoint with the cosignatures that there are, the earliest first."""
    return record.checkpoint + _lines(connection, record, (True, False))


def certified_checkpoint(connection: Connection, record: StoredRecord) -> str:
    """Return a record's checkpoint with the cosignatures that came before its day was drawn."""
    return record.checkpoint + _lines(connection, record, (True,))


def cosigners(connection: Connection, timeline: int, number: int) -> set[bytes]:
    """Return the digests of the witnesses that signed a record's checkpoint."""
    return set(connection.scalars(_WITNESSES, {"timeline": timeline, "number": number}))


def newest_cosigned(connection: Connection, timeline: int) -> Mapping[bytes, int]:
    """Return the greatest size of a journal that each witness is known here to have signed."""
    rows = connection.execute(_NEWEST, {"timeline": timeline})
    return {row.witness: row.number + 1 for row in rows}


def all_cosignatures(connection: Connection, timeline: int) -> Iterator[AnyRow]:
    """Yield what is stored of a journal's cosignatures: `number`, `time` and `line`."""
    yield from connection.execute(_ALL, {"timeline": timeline})


def _lines(connection: Connection, record: StoredRecord, before_draw: tuple[bool, ...]) -> str:
    parameters = {
        "timeline": record.timeline,
        "number": record.number,
        "before_draw": list(before_draw),
    }
    return "".join(connection.scalars(_LINES, parameters))


_cosignature = table_of(Cosignature).c
_of_record = (
    _cosignature.timeline == bindparam("timeline"),
    _cosignature.number == bindparam("number"),
)
_LINES = (
    select(_cosignature.line)
    .where(*_of_record, _cosignature.before_draw.in_(bindparam("before_draw", expanding=True)))
    # those that a certificate has come first, so that later ones push none of them out
    .order_by(_cosignature.before_draw.desc(), _cosignature.time, _cosignature.witness)
    .limit(at_most(MAX_COSIGNATURES))
)
_WITNESSES = select(_cosignature.witness).where(*_of_record)
_ALL = (
    select(_cosignature.number, _cosignature.time, _cosignature.line)
    .where(_cosignature.timeline == bindparam("timeline"))
    .order_by(_cosignature.number, _cosignature.witness)
)
_NEWEST = (
    select(_cosignature.witness, func.max(_cosignature.number).label("number"))
    .where(_cosignature.timeline == bindparam("timeline"))
    .group_by(_cosignature.witness)
)
