"""Queries of a lottery's public page: the lottery, edits of name and prize, open prizes."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, func, select

from lottery_system.clock import starts_at
from lottery_system.models import Holding, Lottery, LotteryChange, Picture, Submission
from lottery_system.models.base import UTCDateTime, table_of
from lottery_system.queries import LIMIT


class LotteryShown(NamedTuple):
    """A lottery as it is now, the viewer's ballots of the day in it, and its picture."""

    id: int
    name: str
    prize: str
    opens_on: date
    closes_on: date
    most_a_day: int | None
    winnable: int | None
    created_at: datetime
    changed_at: datetime
    picture_digest: str | None
    picture_alt: str | None
    mine: int
    #: pixels of the picture; None without one
    width: int | None
    height: int | None
    small_width: int | None


#: columns of the lottery itself
LOTTERY_COLUMNS = LotteryShown._fields[: LotteryShown._fields.index("mine")]


class Offered(NamedTuple):
    """An open lottery and its prize."""

    id: int
    name: str
    prize: str


class TextChange(NamedTuple):
    """An edit of a lottery's name or prize."""

    id: int
    lottery_id: int
    changed_at: datetime
    name: str
    prize: str
    old_name: str
    old_prize: str


def load_lottery(
    connection: Connection, lottery_id: int, day: date, user_id: int | None
) -> tuple[LotteryShown, int] | None:
    """Return a lottery and the number of the day's ballots in it; None if there is no such one."""
    parameters = {"lottery_id": lottery_id, "day": day, "user_id": user_id}
    row = connection.execute(_LOTTERY, parameters).one_or_none()
    return (LotteryShown._make(row[:-1]), row[-1]) if row else None


def open_ones(connection: Connection, day: date, limit: int) -> Sequence[Offered]:
    """List open lotteries, those that close first at the top, with their prizes."""
    return [Offered._make(row) for row in connection.execute(_OPEN, {"day": day, "limit": limit})]


def text_changes(
    connection: Connection, lottery_id: int, *, before: int | None, limit: int
) -> Sequence[TextChange]:
    """List the edits of a lottery's name and prize with ids below `before`, newest first."""
    parameters = {"ids": [lottery_id], "before": before or 2**31 - 1, "limit": limit}
    return [TextChange._make(row) for row in connection.execute(_CHANGES, parameters)]


def changes_under(
    connection: Connection, user_id: int, day: date, lottery_ids: Collection[int]
) -> dict[int, TextChange]:
    """Return edits of name and prize made after a user's first ballot of the day in a lottery.

    By lottery id: the texts now and since when, and the texts when that ballot came in. Lotteries
    that have the same texts as then are left out.
    """
    parameters = {"ids": lottery_ids, "user_id": user_id, "day": day, "since": starts_at(day)}
    changes: dict[int, TextChange] = {}
    for row in connection.execute(_CHANGES_UNDER, parameters):
        change = TextChange._make(row)
        first = changes.get(change.lottery_id, change)
        changes[change.lottery_id] = change._replace(
            old_name=first.old_name, old_prize=first.old_prize
        )
    return {
        number: each
        for number, each in changes.items()
        if (each.name, each.prize) != (each.old_name, each.old_prize)
    }


_lottery, _holding, _change, _submission, _picture = (
    table_of(model).c for model in (Lottery, Holding, LotteryChange, Submission, Picture)
)

_mine = (
    select(_holding.ballot_count)
    .where(
        _holding.user_id == bindparam("user_id"),
        _holding.day == bindparam("day"),
        _holding.lottery_id == _lottery.id,
    )
    .scalar_subquery()
)
_in_it = (
    select(func.coalesce(func.sum(_holding.ballot_count), 0))
    .where(_holding.day == bindparam("day"), _holding.lottery_id == bindparam("lottery_id"))
    .scalar_subquery()
)
_LOTTERY = (
    select(
        *(_lottery[name] for name in LOTTERY_COLUMNS),
        func.coalesce(_mine, 0).label("mine"),
        _picture.width,
        _picture.height,
        _picture.small_width,
        _in_it.label("in_it"),
    )
    .select_from(
        table_of(Lottery).outerjoin(table_of(Picture), _picture.digest == _lottery.picture_digest)
    )
    .where(_lottery.id == bindparam("lottery_id"))
)
_OPEN = (
    select(_lottery.id, _lottery.name, _lottery.prize)
    .where(_lottery.opens_on <= bindparam("day"), _lottery.closes_on >= bindparam("day"))
    .order_by(_lottery.closes_on, _lottery.name)
    .limit(LIMIT)
)


def _with_old() -> Any:
    def old(name: str) -> Any:
        before = func.lag(_change[name]).over(partition_by=_change.lottery_id, order_by=_change.id)
        return before.label(f"old_{name}")

    return (
        select(
            _change.id,
            _change.lottery_id,
            _change.changed_at,
            _change.name,
            _change.prize,
            old("name"),
            old("prize"),
        )
        .where(_change.lottery_id.in_(bindparam("ids", expanding=True)))
        .subquery()
    )


def _changes(*conditions: Any) -> Select[Any]:
    # the first row of a lottery is its creation, without old texts
    is_other = (_row.c.name != _row.c.old_name) | (_row.c.prize != _row.c.old_prize)
    return select(_row).where(is_other, *conditions)


_row = _with_old()
_first_ballot = (
    select(func.min(_submission.submitted_at))
    .where(
        _submission.user_id == bindparam("user_id"),
        _submission.day == bindparam("day"),
        _submission.lottery_id == _row.c.lottery_id,
    )
    .scalar_subquery()
)
_CHANGES = _changes(_row.c.id < bindparam("before")).order_by(_row.c.id.desc()).limit(LIMIT)
_CHANGES_UNDER = _changes(
    _row.c.changed_at >= bindparam("since", type_=UTCDateTime),
    _row.c.changed_at > _first_ballot,
).order_by(_row.c.id)
