"""Today's draw and the lotteries, as one participant sees them."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, or_, select

from lottery_system.models import DRAWN, Draw, Holding, Lottery
from lottery_system.models.base import table_of
from lottery_system.queries import AnyRow
from lottery_system.queries.day import LATEST_DRAWN

#: finished lotteries that are still shown
RECENTLY_FINISHED = 10


class FrontPage(NamedTuple):
    """What the front page shows of a day."""

    #: ballots in the day's draw so far, and how many of them are one's own
    ballot_count: int
    mine_count: int
    latest_drawn: date | None
    #: those that close first at the top; `mine` of each counts one's own ballots of the day
    open_ones: Sequence[AnyRow]
    #: the latest few
    finished: Sequence[AnyRow]


def load_front_page(connection: Connection, user_id: int, day: date) -> FrontPage:
    """Ask for all that the front page shows, in two statements, however much there is."""
    draws = connection.execute(_DRAWS, {"day": day}).all()
    lotteries = connection.execute(_LOTTERIES, {"day": day, "user_id": user_id}).all()
    open_ones = [each for each in lotteries if each.closes_on >= day]
    finished = lotteries[len(open_ones) :]
    return FrontPage(
        ballot_count=next((each.ballot_count for each in draws if each.day == day), 0),
        mine_count=sum(each.mine for each in open_ones),
        latest_drawn=next((each.day for each in draws if each.status == DRAWN), None),
        open_ones=open_ones,
        finished=sorted(finished, key=lambda each: each.closes_on, reverse=True),
    )


_draw, _lottery, _holding = (table_of(model).c for model in (Draw, Lottery, Holding))

_DRAWS = select(_draw.day, _draw.status, _draw.ballot_count).where(
    _draw.day.in_((bindparam("day"), LATEST_DRAWN.scalar_subquery()))
)

_is_open = _lottery.closes_on >= bindparam("day")
_recently_finished = (
    select(_lottery.id)
    .where(_lottery.closes_on < bindparam("day"))
    .order_by(_lottery.closes_on.desc(), _lottery.name)
    .limit(RECENTLY_FINISHED)
)
_my_holding = and_(
    _holding.user_id == bindparam("user_id"),
    _holding.day == bindparam("day"),
    _holding.lottery_id == _lottery.id,
)
_LOTTERIES = (
    select(
        _lottery.id,
        _lottery.name,
        _lottery.prize,
        _lottery.closes_on,
        func.coalesce(_holding.ballot_count, 0).label("mine"),
    )
    .select_from(table_of(Lottery).outerjoin(table_of(Holding), _my_holding))
    .where(or_(_is_open, _lottery.id.in_(_recently_finished)))
    .order_by(_is_open.desc(), _lottery.closes_on, _lottery.name)
)
