"""Query of the draw that is being made: the latest day that is over and not drawn yet."""

from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from lottery_system.models import CLOSED, OPEN, Draw, Holding
from lottery_system.models.base import table_of
from lottery_system.queries import at_most


class WaitingDraw(NamedTuple):
    """A day that is over and not drawn yet, for one participant."""

    day: date
    #: how many of its ballots are the asker's
    mine: int


def waiting_draw(connection: Connection, today: date, user_id: int | None) -> WaitingDraw | None:
    """Return the latest day before today that is not drawn yet, and is not lost."""
    row = connection.execute(_WAITING, {"today": today, "user_id": user_id}).one_or_none()
    return WaitingDraw._make(row) if row else None


_draw, _holding = table_of(Draw).c, table_of(Holding).c
_mine = (
    select(func.coalesce(func.sum(_holding.ballot_count), 0))
    .where(_holding.user_id == bindparam("user_id"), _holding.day == _draw.day)
    .scalar_subquery()
)
_WAITING = (
    select(_draw.day, _mine)
    .where(_draw.day < bindparam("today"), _draw.status.in_((OPEN, CLOSED)))
    .order_by(_draw.day.desc())
    .limit(at_most(1))
)
