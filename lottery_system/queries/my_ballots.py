"""Queries of a user's own ballots: days, submissions of a day, places with their prizes."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, func, select, true

from lottery_system.models import Ballot, Draw, DrawStatus, Holding, Submission, Winner
from lottery_system.models.base import table_of
from lottery_system.queries import LIMIT
from lottery_system.queries.claims import OUTCOME, OUTCOME_DETAILS, with_claims
from lottery_system.queries.offers import LOTTERY_NAME, PRIZE, with_offers


class DayPlayed(NamedTuple):
    """A day on which somebody played, and how many ballots they had."""

    day: date
    status: DrawStatus
    mine: int


class MySubmission(NamedTuple):
    """A submission as its participant sees it."""

    day: date
    first_number: int
    last_number: int
    ballot_count: int
    submitted_at: datetime
    lottery_id: int
    #: as it stood at the close
    lottery_name: str


class PlaceWon(NamedTuple):
    """A place that a ballot of the user took, with the state of its prize."""

    place: int
    number: int
    #: as they stood at the close
    lottery_name: str
    prize: str
    #: see `claims.OUTCOME`
    state: str | None
    claim_until: date | None
    handed_on: date | None
    reason: str | None

    @property
    def has_won(self) -> bool:
        """Tell whether the prize is, or was, this place's: the first, or a reserve moved up."""
        return self.place == 1 or self.state is not None


class MyDay(NamedTuple):
    """A day's status, and the user's ballots and places in it."""

    status: DrawStatus
    #: how many ballots they had
    mine: int
    #: places of these ballots, in order
    places: Sequence[PlaceWon]


def days_of(
    connection: Connection, user_id: int, *, before: date | None, limit: int
) -> Sequence[DayPlayed]:
    """List the days on which somebody played, the newest first."""
    query = _DAYS if before is None else _DAYS_BEFORE
    parameters = {"user_id": user_id, "before": before, "limit": limit}
    return [DayPlayed._make(row) for row in connection.execute(query, parameters)]


def submission_of(connection: Connection, user_id: int, token: UUID) -> MySubmission | None:
    """Find one's own submission by its token: what a receipt shows."""
    parameters = {"user_id": user_id, "token": token}
    row = connection.execute(_SUBMISSION, parameters).one_or_none()
    return MySubmission._make(row) if row else None


def submissions_of(
    connection: Connection, user_id: int, day: date, *, before: int | None, limit: int
) -> Sequence[MySubmission]:
    """List somebody's submissions of a day, the newest first, from below number `before`."""
    query = _SUBMISSIONS if before is None else _SUBMISSIONS_BEFORE
    parameters = {"day": day, "user_id": user_id, "before": before, "limit": limit}
    return [MySubmission._make(row) for row in connection.execute(query, parameters)]


def places_of(
    connection: Connection, user_id: int, days: Collection[date]
) -> dict[date, dict[int, PlaceWon]]:
    """Return the places that a user's ballots took on some days, with the states of prizes.

    Place 1 won; the others are reserves.
    """
    places: dict[date, dict[int, PlaceWon]] = {}
    for row in connection.execute(_PLACES, {"user_id": user_id, "days": days}):
        place = PlaceWon(*(getattr(row, name) for name in PlaceWon._fields))
        places.setdefault(row.day, {})[row.place] = place
    return places


def my_day(connection: Connection, user_id: int, day: date) -> MyDay | None:
    """Return a day's status and the user's ballots in it; None if it has no draw yet."""
    rows = connection.execute(_MY_DAY, {"user_id": user_id, "day": day}).all()
    if not rows:
        return None
    places = [
        PlaceWon(*(getattr(row, name) for name in PlaceWon._fields))
        for row in rows
        if row.place is not None
    ]
    return MyDay(rows[0].status, rows[0].mine, places)


_holding, _draw, _submission, _winner, _ballot = (
    table_of(model).c for model in (Holding, Draw, Submission, Winner, Ballot)
)

_my_days = (
    select(_holding.day, func.sum(_holding.ballot_count).label("mine"))
    .where(_holding.user_id == bindparam("user_id"))
    .group_by(_holding.day)
    .order_by(_holding.day.desc())
    .limit(LIMIT)
)


def _days(my_days: Select[Any]) -> Select[Any]:
    page = my_days.subquery()
    return (
        select(page.c.day, _draw.status, page.c.mine)
        .join_from(page, table_of(Draw), _draw.day == page.c.day)
        .order_by(page.c.day.desc())
    )


_DAYS = _days(_my_days)
_DAYS_BEFORE = _days(_my_days.where(_holding.day < bindparam("before")))

#: somebody's submissions, as pages and exports show them
RUNS = (
    select(
        _submission.day,
        _submission.first_number,
        (_submission.first_number + _submission.ballot_count - 1).label("last_number"),
        _submission.ballot_count,
        _submission.submitted_at,
        _submission.lottery_id,
        LOTTERY_NAME,
    )
    .select_from(with_offers(table_of(Submission), _submission.day, _submission.lottery_id))
    .where(_submission.user_id == bindparam("user_id"))
)
_SUBMISSION = RUNS.where(_submission.token == bindparam("token"))
_SUBMISSIONS = (
    RUNS.where(_submission.day == bindparam("day"))
    .order_by(_submission.first_number.desc())
    .limit(LIMIT)
)
_SUBMISSIONS_BEFORE = _SUBMISSIONS.where(_submission.first_number < bindparam("before"))

_of_place = (LOTTERY_NAME, PRIZE, OUTCOME, *OUTCOME_DETAILS)
#: a subquery by primary key; with a join, a database may read all ballots instead
_holder = (
    select(_ballot.user_id)
    .where(_ballot.day == _winner.day, _ballot.number == _winner.number)
    .correlate(table_of(Winner))
    .scalar_subquery()
)
_places = with_claims(
    with_offers(
        table_of(Winner).outerjoin(
            table_of(Ballot), (_ballot.day == _winner.day) & (_ballot.number == _winner.number)
        ),
        _winner.day,
        _ballot.lottery_id,
    ),
    _winner.day,
    _winner.place,
)
_PLACES = (
    select(_winner.day, _winner.place, _winner.number, *_of_place)
    .select_from(_places)
    .where(_winner.day.in_(bindparam("days", expanding=True)), _holder == bindparam("user_id"))
    .order_by(_winner.day, _winner.place)
)
_my_places = (
    select(_winner.place, _winner.number, *_of_place)
    .select_from(_places)
    .where(_winner.day == bindparam("day"), _holder == bindparam("user_id"))
    .subquery()
)
_mine = (
    select(func.coalesce(func.sum(_holding.ballot_count), 0))
    .where(_holding.user_id == bindparam("user_id"), _holding.day == bindparam("day"))
    .scalar_subquery()
)
_MY_DAY = (
    select(_draw.status, _mine.label("mine"), _my_places)
    .select_from(table_of(Draw).outerjoin(_my_places, true()))
    .where(_draw.day == bindparam("day"))
    .order_by(_my_places.c.place)
)
