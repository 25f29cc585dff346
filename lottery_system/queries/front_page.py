"""Today's draw and the lotteries, as one participant sees them."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, literal, select, true, union_all

from lottery_system.models import Draw, Holding, Lottery
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
    """Ask for all that the front page shows, in one statement, however much there is."""
    rows = connection.execute(_FRONT_PAGE, {"day": day, "user_id": user_id}).all()
    lotteries = [row for row in rows if row.id is not None]
    open_ones = [each for each in lotteries if each.closes_on >= day]
    finished = [each for each in lotteries if each.closes_on < day]
    return FrontPage(
        ballot_count=rows[0].ballot_count,
        mine_count=sum(each.mine for each in open_ones),
        latest_drawn=rows[0].latest_drawn,
        open_ones=open_ones,
        finished=sorted(finished, key=lambda each: each.closes_on, reverse=True),
    )


_draw, _lottery, _holding = (table_of(model).c for model in (Draw, Lottery, Holding))

_ballot_count = select(_draw.ballot_count).where(_draw.day == bindparam("day"))
_lotteries = select(_lottery.id, _lottery.name, _lottery.prize, _lottery.closes_on)
_open = _lotteries.where(_lottery.closes_on >= bindparam("day"))
_recently_finished = (
    _lotteries.where(_lottery.closes_on < bindparam("day"))
    .order_by(_lottery.closes_on.desc(), _lottery.name)
    .limit(RECENTLY_FINISHED)
    .subquery()
)
# apart from each other, so that the index finds both, however many lotteries have finished
_shown = union_all(_open, select(_recently_finished)).subquery()
_my_holding = and_(
    _holding.user_id == bindparam("user_id"),
    _holding.day == bindparam("day"),
    _holding.lottery_id == _shown.c.id,
)
#: one row at least, also where no lottery is
_always = select(literal(1)).subquery()
_FRONT_PAGE = (
    select(
        func.coalesce(_ballot_count.scalar_subquery(), 0).label("ballot_count"),
        LATEST_DRAWN.scalar_subquery().label("latest_drawn"),
        _shown,
        func.coalesce(_holding.ballot_count, 0).label("mine"),
    )
    .select_from(_always.outerjoin(_shown, true()).outerjoin(table_of(Holding), _my_holding))
    .order_by(_shown.c.closes_on, _shown.c.name)
)
