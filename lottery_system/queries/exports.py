"""Queries of exports, read in pieces, so that a slow reader holds no connection."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select, tuple_

from lottery_system.models import Draw, DrawStatus, Submission, User, Winner
from lottery_system.models.base import table_of
from lottery_system.queries import at_most
from lottery_system.queries.day import DRAWS_WITH_WINNERS
from lottery_system.queries.my_ballots import RUNS, MySubmission
from lottery_system.queries.offers import LOTTERY_NAME, PRIZE

#: rows of a piece, which takes a few milliseconds that others wait for
PIECE = 200


class ExportedPlace(NamedTuple):
    """A drawn day and one of its places; a day without ballots has none."""

    day: date
    ballot_count: int
    closed_at: datetime
    drawn_at: datetime
    place: int | None
    number: int | None
    username: str | None
    lottery_name: str | None
    prize: str | None


class ExportedSubmission(NamedTuple):
    """A submission, and what its day's draw stands at."""

    submission: MySubmission
    status: DrawStatus


class ExportedUser(NamedTuple):
    """A user as organisers may take them away."""

    id: int
    username: str
    created_at: datetime
    is_organiser: bool
    closed_at: datetime | None
    blocked_at: datetime | None


def winners_after(connection: Connection, day: date, place: int) -> Sequence[ExportedPlace]:
    """List drawn days and their places behind one of them; a day without ballots has one row."""
    rows = connection.execute(_WINNERS, {"day": day, "place": place})
    return [ExportedPlace._make(row) for row in rows]


def submissions_after(
    connection: Connection, user_id: int, day: date, first_number: int
) -> Sequence[ExportedSubmission]:
    """List somebody's submissions behind one of them, the oldest first."""
    parameters = {"user_id": user_id, "day": day, "first_number": first_number}
    rows = connection.execute(_SUBMISSIONS, parameters)
    return [ExportedSubmission(MySubmission._make(row[:-1]), row.status) for row in rows]


def users_after(connection: Connection, user_id: int) -> Sequence[ExportedUser]:
    """List users behind one of them, in the order in which they signed up."""
    rows = connection.execute(_USERS, {"user_id": user_id})
    return [ExportedUser._make(row) for row in rows]


_draw, _winner, _user, _submission = (
    table_of(model).c for model in (Draw, Winner, User, Submission)
)

_place = _winner.place
_WINNERS = (
    select(
        _draw.day,
        _draw.ballot_count,
        _draw.closed_at,
        _draw.drawn_at,
        _place,
        _winner.number,
        _user.username,
        LOTTERY_NAME,
        PRIZE,
    )
    .select_from(DRAWS_WITH_WINNERS)
    .where(
        _draw.drawn_at.is_not(None),
        _draw.day >= bindparam("day"),
        (_draw.day > bindparam("day")) | (_place > bindparam("place")),
    )
    .order_by(_draw.day, _place)
    .limit(at_most(PIECE))
)
_SUBMISSIONS = (
    RUNS.add_columns(_draw.status)
    .join(table_of(Draw), _draw.day == _submission.day)
    .where(
        tuple_(_submission.day, _submission.first_number)
        > tuple_(bindparam("day", type_=_submission.day.type), bindparam("first_number")),
    )
    .order_by(_submission.day, _submission.first_number)
    .limit(at_most(PIECE))
)
_USERS = (
    select(
        _user.id,
        _user.username,
        _user.created_at,
        _user.is_organiser,
        _user.closed_at,
        _user.blocked_at,
    )
    .where(_user.id > bindparam("user_id"))
    .order_by(_user.id)
    .limit(at_most(PIECE))
)
