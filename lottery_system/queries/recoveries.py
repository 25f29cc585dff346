"""Queries of recoveries: statements that ended journals, and their keys."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from lottery_system.fairness.note import note_text
from lottery_system.fairness.recovery import Recovery as Statement
from lottery_system.fairness.recovery import parse_recovery
from lottery_system.models import Recovery
from lottery_system.models.base import table_of


def recoveries(connection: Connection) -> Sequence[tuple[int, Statement]]:
    """Return what was stated of each journal that ended, with the timeline that followed."""
    rows = connection.execute(_ALL).all()
    return [(row.timeline, parse_recovery(note_text(row.statement))) for row in rows]


def statement_of(connection: Connection, timeline: int) -> str | None:
    """Return the statement, a signed note, with which a journal began; None for the first."""
    statement: str | None = connection.scalar(_STATEMENT, {"timeline": timeline})
    return statement


def ended_key(connection: Connection, timeline: int) -> str | None:
    """Return the key of a journal that ended, `name+id+key`; None for the present one."""
    key: str | None = connection.scalar(_ENDED_KEY, {"timeline": timeline + 1})
    return key


_recovery = table_of(Recovery).c
_ALL = select(_recovery.timeline, _recovery.statement).order_by(_recovery.timeline)
_STATEMENT = select(_recovery.statement).where(_recovery.timeline == bindparam("timeline"))
_ENDED_KEY = select(_recovery.ended_key).where(_recovery.timeline == bindparam("timeline"))
