"""Query of a range of days: status, ballot count, and whether there was a winner."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, false, func, select

from lottery_system.models import Ballot, Draw, DrawStatus, Holding, Winner
from lottery_system.models.base import table_of


class CalendarDay(NamedTuple):
    """A day that has a draw, among others."""

    day: date
    status: DrawStatus
    ballot_count: int
    #: of the winning ballot
    number: int | None
    #: how many of the ballots are the asker's
    mine: int
    #: whether one of them won
    is_mine: bool


def days_between(
    connection: Connection, first: date, last: date, user_id: int | None
) -> Sequence[CalendarDay]:
    """List the days from `first` to `last` that have a draw, in their order, in one statement."""
    parameters = {"first": first, "last": last, "user_id": user_id}
    return [CalendarDay._make(row) for row in connection.execute(_DAYS, parameters)]


_draw, _holding, _winner, _ballot = (table_of(model).c for model in (Draw, Holding, Winner, Ballot))
_mine = (
    select(func.coalesce(func.sum(_holding.ballot_count), 0))
    .where(_holding.user_id == bindparam("user_id"), _holding.day == _draw.day)
    .scalar_subquery()
)
#: parameters for by its key alone; joined, a database may read all ballots of the day instead
_holder = (
    select(_ballot.user_id)
    .where(_ballot.day == _winner.day, _ballot.number == _winner.number)
    .scalar_subquery()
)
_is_mine = func.coalesce(_holder == bindparam("user_id"), false())
_DAYS = (
    select(
        _draw.day,
        _draw.status,
        _draw.ballot_count,
        _winner.number,
        _mine.label("mine"),
        _is_mine.label("is_mine"),
    )
    .select_from(
        table_of(Draw).outerjoin(
            table_of(Winner), (_winner.day == _draw.day) & (_winner.place == 1)
        )
    )
    .where(_draw.day >= bindparam("first"), _draw.day <= bindparam("last"))
    .order_by(_draw.day)
)
