"""Queries of organisers' pages: participants, and the audit log of edits."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from lottery_system.models import Holding, Lottery, LotteryChange, User
from lottery_system.models.base import table_of
from lottery_system.queries import LIMIT

#: fields of a lottery in its audit log
LOGGED_FIELDS = (
    "name", "prize", "claim", "opens_on", "closes_on", "most_a_day", "winnable", "picture_digest",
    "picture_alt",
)  # fmt: skip


class Figures(NamedTuple):
    """How much there is."""

    user_count: int
    open_count: int


class Participant(NamedTuple):
    """A user as organisers see them."""

    id: int
    username: str
    is_organiser: bool
    created_at: datetime
    closed_at: datetime | None
    blocked_at: datetime | None
    #: ballots of today
    today: int


class Change(NamedTuple):
    """An edit of a lottery: its fields after and before."""

    id: int
    lottery_id: int
    changed_at: datetime
    #: the author; None for a command
    username: str | None
    name: str
    prize: str
    #: None for edits before migration 0009, like `opens_on` and the limits
    claim: str | None
    opens_on: date | None
    closes_on: date
    most_a_day: int | None
    winnable: int | None
    picture_digest: str | None
    picture_alt: str | None
    #: fields before the edit; all None for a creation
    old_name: str | None
    old_prize: str | None
    old_claim: str | None
    old_opens_on: date | None
    old_closes_on: date | None
    old_most_a_day: int | None
    old_winnable: int | None
    old_picture_digest: str | None
    old_picture_alt: str | None


def figures(connection: Connection, day: date) -> Figures:
    """Count users whose account is not closed, and open lotteries."""
    return Figures(*connection.execute(_FIGURES, {"day": day}).one())


def participants(
    connection: Connection, day: date, *, before: int | None, limit: int
) -> Sequence[Participant]:
    """List users, the newest first, from below number `before`, each with today's ballots."""
    parameters = {"day": day, "before": before or 2**31 - 1, "limit": limit}
    return [Participant._make(row) for row in connection.execute(_PARTICIPANTS, parameters)]


def changes(connection: Connection, *, before: int | None, limit: int) -> Sequence[Change]:
    """List the edits of lotteries with ids below `before`, newest first.

    `old_name` and so on are None for a creation, `username` for a command. `old_opens_on` is also
    None for edits before migration 0009, which logged neither first day nor limits.
    """
    parameters = {"before": before or 2**31 - 1, "limit": limit}
    return [Change._make(row) for row in connection.execute(_CHANGES, parameters)]


_user, _holding, _lottery, _change = (
    table_of(model).c for model in (User, Holding, Lottery, LotteryChange)
)

_today = (
    select(func.coalesce(func.sum(_holding.ballot_count), 0))
    .where(_holding.user_id == _user.id, _holding.day == bindparam("day"))
    .scalar_subquery()
)
_FIGURES = select(
    select(func.count())
    .select_from(table_of(User))
    .where(_user.closed_at.is_(None))
    .scalar_subquery(),
    select(func.count())
    .select_from(table_of(Lottery))
    .where(_lottery.opens_on <= bindparam("day"), _lottery.closes_on >= bindparam("day"))
    .scalar_subquery(),
)
_PARTICIPANTS = (
    select(
        _user.id,
        _user.username,
        _user.is_organiser,
        _user.created_at,
        _user.closed_at,
        _user.blocked_at,
        _today.label("today"),
    )
    .where(_user.id < bindparam("before"))
    .order_by(_user.id.desc())
    .limit(LIMIT)
)
_old = table_of(LotteryChange).alias("old")
_older = table_of(LotteryChange).alias("older")
_previous = (
    select(func.max(_older.c.id))
    .where(_older.c.lottery_id == _change.lottery_id, _older.c.id < _change.id)
    .scalar_subquery()
)
_CHANGES = (
    select(
        _change.id,
        _change.lottery_id,
        _change.changed_at,
        _user.username,
        *(_change[name] for name in LOGGED_FIELDS),
        *(_old.c[name].label(f"old_{name}") for name in LOGGED_FIELDS),
    )
    .select_from(
        table_of(LotteryChange)
        .outerjoin(table_of(User), _user.id == _change.changed_by)
        .outerjoin(_old, _old.c.id == _previous)
    )
    .where(_change.id < bindparam("before"))
    .order_by(_change.id.desc())
    .limit(LIMIT)
)
