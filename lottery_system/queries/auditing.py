"""Queries of the audit for one day: submissions in order, and counts of ballots."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from lottery_system.fairness.tiles import Tile
from lottery_system.models import (
    Ballot,
    BallotTile,
    Draw,
    Holding,
    JournalRecord,
    Submission,
    User,
)
from lottery_system.models.base import table_of
from lottery_system.queries import AnyRow


class Extent(NamedTuple):
    """How much of everything a day has, by counting its rows."""

    submissions: int
    ballots: int


def draws_from(connection: Connection, first: date) -> Sequence[AnyRow]:
    """List day, status and number of ballots of all draws from a day on."""
    return connection.execute(_DRAWS, {"day": first}).all()


def count_freezes(connection: Connection) -> int:
    """Count the days whose freezes the journals have, the present one and those that ended."""
    return connection.scalar(_FREEZES) or 0


def draw_of(connection: Connection, day: date) -> AnyRow:
    """Return the draw of a day that has one."""
    return connection.execute(_DRAW, {"day": day}).one()


def latest_ballot_day(connection: Connection) -> date | None:
    """Return the latest day that has a ballot."""
    day: date | None = connection.scalar(_LATEST_BALLOT_DAY)
    return day


def submissions_between(connection: Connection, day: date, first: int, end: int) -> Sequence[Any]:
    """Return the submissions whose first number is at least `first` and less than `end`.

    Each as first number, count, lottery, instant, salts, holders, leaves, username; the
    username is None if there is no such user.
    """
    parameters = {"day": day, "first": first, "end": end}
    return connection.execute(_SUBMISSIONS, parameters).all()


def count_fitting(connection: Connection, day: date, first: int, end: int) -> int:
    """Count the ballots that are as the submission says that has their number.

    Of the same submissions as `submissions_between`. The database compares, since fetching each
    ballot would take longer than all hashes of it.
    """
    parameters = {"day": day, "first": first, "end": end}
    return connection.scalar(_FITTING, parameters) or 0


def extent_of(connection: Connection, day: date) -> Extent:
    """Count a day's submissions and ballots."""
    parameters = {"day": day}
    return Extent(
        connection.scalar(_SUBMISSION_COUNT, parameters) or 0,
        connection.scalar(_BALLOT_COUNT, parameters) or 0,
    )


def holdings_per_day(connection: Connection) -> dict[date, int]:
    """Count the holdings of each day; all days at once, which reads each of them once."""
    return {row.day: row.holdings for row in connection.execute(_HOLDINGS_PER_DAY)}


def compare_holdings(connection: Connection, day: date) -> tuple[int, int]:
    """Count the holdings that a day's submissions make, and those of them that are stored."""
    expected, stored = connection.execute(_COMPARE_HOLDINGS, {"day": day}).one()
    return expected, stored


def tiles_of(connection: Connection, day: date) -> dict[Tile, bytes]:
    """Return all stored tiles of a day's log: those from level 1 on, 1/8 of a byte a ballot."""
    tiles: dict[Tile, bytes] = {}
    for level, number, hashes in connection.execute(_TILES, {"day": day}):
        tile = Tile(level, number)
        tiles[tile] = tiles.get(tile, b"") + hashes
    return tiles


_draw, _ballot, _submission, _user, _holding, _tile = (
    table_of(model).c for model in (Draw, Ballot, Submission, User, Holding, BallotTile)
)

_FREEZES = select(func.count(table_of(JournalRecord).c.day))
_DRAWS = (
    select(_draw.day, _draw.status, _draw.ballot_count)
    .where(_draw.day >= bindparam("day"))
    .order_by(_draw.day)
)
_DRAW = select(table_of(Draw)).where(_draw.day == bindparam("day"))
_LATEST_BALLOT_DAY = select(_ballot.day).order_by(_ballot.day.desc()).limit(1)

_some_submissions = (
    _submission.day == bindparam("day"),
    _submission.first_number >= bindparam("first"),
    _submission.first_number < bindparam("end"),
)
_SUBMISSIONS = (
    select(
        _submission.first_number,
        _submission.ballot_count,
        _submission.lottery_id,
        _submission.submitted_at,
        _submission.salts,
        _submission.holders,
        _submission.leaves,
        _user.username,
    )
    .select_from(table_of(Submission).outerjoin(table_of(User), _user.id == _submission.user_id))
    .where(*_some_submissions)
    .order_by(_submission.first_number)
)
#: a subquery of each submission, so that no database can think of joining the other way round,
#: from each ballot to all submissions of its user
_fitting_one = (
    select(func.count())
    .select_from(table_of(Ballot))
    .where(
        _ballot.day == _submission.day,
        _ballot.number >= _submission.first_number,
        _ballot.number < _submission.first_number + _submission.ballot_count,
        _ballot.user_id == _submission.user_id,
        _ballot.lottery_id == _submission.lottery_id,
        _ballot.submitted_at == _submission.submitted_at,
    )
    .correlate(table_of(Submission))
    .scalar_subquery()
)
_FITTING = select(func.sum(_fitting_one)).where(*_some_submissions)
_SUBMISSION_COUNT = (
    select(func.count())
    .select_from(table_of(Submission))
    .where(_submission.day == bindparam("day"))
)
_BALLOT_COUNT = (
    select(func.count()).select_from(table_of(Ballot)).where(_ballot.day == bindparam("day"))
)
_HOLDINGS_PER_DAY = select(_holding.day, func.count().label("holdings")).group_by(_holding.day)
_submitted = (
    select(
        _submission.day,
        _submission.user_id,
        _submission.lottery_id,
        func.sum(_submission.ballot_count).label("ballot_count"),
    )
    .where(_submission.day == bindparam("day"))
    .group_by(_submission.day, _submission.user_id, _submission.lottery_id)
    .subquery()
)
_COMPARE_HOLDINGS = select(func.count(), func.count(_holding.user_id)).select_from(
    _submitted.outerjoin(
        table_of(Holding),
        (_holding.user_id == _submitted.c.user_id)
        & (_holding.day == _submitted.c.day)
        & (_holding.lottery_id == _submitted.c.lottery_id)
        & (_holding.ballot_count == _submitted.c.ballot_count),
    )
)
_TILES = (
    select(_tile.level, _tile.number, _tile.hashes)
    .where(_tile.day == bindparam("day"))
    .order_by(_tile.level, _tile.number, _tile.first)
)
