"""One day: what its draw stands at, and who won."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection, bindparam, func, select

from lottery_system.models import DRAWN, Ballot, Draw, Holding, Lottery, User, Winner
from lottery_system.models.base import table_of
from lottery_system.queries import AnyRow


def draw_of(connection: Connection, day: date, user_id: int | None) -> AnyRow | None:
    """Return a day's draw, or None where it has none yet.

    With it come `first`, the day on which the days begin, and `mine`, how many of the day's ballots
    are the user's.
    """
    return connection.execute(_DRAW, {"day": day, "user_id": user_id}).one_or_none()


def first_day(connection: Connection) -> date | None:
    """Return the day on which this lottery's days begin."""
    day: date | None = connection.scalar(_FIRST_DAY)
    return day


def latest_drawn(connection: Connection) -> date | None:
    """Return the latest day whose draw has been made."""
    day: date | None = connection.scalar(LATEST_DRAWN)
    return day


def winners_of(connection: Connection, day: date) -> Sequence[AnyRow]:
    """List a day's winners by place, each with its ballot's number, user, lottery and instant."""
    return connection.execute(_WINNERS, {"day": day}).all()


_draw, _holding, _winner, _ballot, _user, _lottery = (
    table_of(model).c for model in (Draw, Holding, Winner, Ballot, User, Lottery)
)

_mine = (
    select(func.coalesce(func.sum(_holding.ballot_count), 0))
    .where(_holding.user_id == bindparam("user_id"), _holding.day == bindparam("day"))
    .scalar_subquery()
)
_FIRST_DAY = select(func.min(_draw.day))
LATEST_DRAWN = select(_draw.day).where(_draw.status == DRAWN).order_by(_draw.day.desc()).limit(1)
_DRAW = select(
    table_of(Draw), _FIRST_DAY.scalar_subquery().label("first"), _mine.label("mine")
).where(_draw.day == bindparam("day"))

_WINNERS = (
    select(
        _winner.place,
        _winner.number,
        _ballot.submitted_at,
        _user.id.label("user_id"),
        _user.username,
        _lottery.name.label("lottery_name"),
    )
    .join_from(
        table_of(Winner),
        table_of(Ballot),
        (_ballot.day == _winner.day) & (_ballot.number == _winner.number),
    )
    .join(table_of(User), _user.id == _ballot.user_id)
    .join(table_of(Lottery), _lottery.id == _ballot.lottery_id)
    .where(_winner.day == bindparam("day"))
    .order_by(_winner.place)
)
