"""Queries of the front page: today's draw and the lotteries, for one participant."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, bindparam, func, literal, select, true, union_all

from lottery_system.models import Draw, Holding, Lottery, Picture
from lottery_system.models.base import table_of
from lottery_system.name_keys import search_key
from lottery_system.queries import at_most
from lottery_system.queries.day import LATEST_DRAWN
from lottery_system.queries.lottery_page import LOTTERY_COLUMNS, LotteryShown

#: open lotteries of a page
PAGE = 24
#: finished lotteries that are still shown
RECENTLY_FINISHED = 10
#: lotteries that open later and are shown already
COMING = 10


class FrontPage(NamedTuple):
    """What the front page shows of a day."""

    #: ballots in the day's draw so far, and how many of them are one's own
    ballot_count: int
    mine_count: int
    latest_drawn: date | None
    #: the latest day that is over, drawn or not
    latest_over: date | None
    #: the latest day before this one on which one played
    my_latest: date | None
    #: those that close first at the top
    open_ones: Sequence[LotteryShown]
    #: whether there is a page behind this one
    has_more: bool
    #: the next few that open later
    coming: Sequence[LotteryShown]
    #: the latest few
    finished: Sequence[LotteryShown]


def load_front_page(
    connection: Connection, user_id: int, day: date, *, page: int = 1, name: str = ""
) -> FrontPage:
    """Query everything on the front page, in one statement.

    Args:
        page: from 1 on, `PAGE` lotteries each.
        name: a part of the names of those that are shown, as `search_key` folds it; all if empty.
    """
    parameters = {
        "day": day,
        "user_id": user_id,
        "offset": (page - 1) * PAGE,
        "pattern": f"%{_escaped(search_key(name))}%",
    }
    rows = connection.execute(_NAMED if name else _ALL, parameters).all()
    lotteries = [
        LotteryShown._make(row[-len(LotteryShown._fields) :]) for row in rows if row.id is not None
    ]
    open_ones = [each for each in lotteries if each.opens_on <= day <= each.closes_on]
    coming = [each for each in lotteries if each.closes_on >= day and each.opens_on > day]
    finished = [each for each in lotteries if each.closes_on < day]
    return FrontPage(
        ballot_count=rows[0].ballot_count,
        mine_count=rows[0].mine_count,
        latest_drawn=rows[0].latest_drawn,
        latest_over=rows[0].latest_over,
        my_latest=rows[0].my_latest,
        open_ones=open_ones[:PAGE],
        has_more=len(open_ones) > PAGE,
        coming=sorted(coming, key=lambda each: each.opens_on),
        finished=sorted(finished, key=lambda each: each.closes_on, reverse=True),
    )


def _escaped(text: str) -> str:
    """Return a text that stands for itself in a pattern of LIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


_draw, _lottery, _holding, _picture = (
    table_of(model).c for model in (Draw, Lottery, Holding, Picture)
)

_ballot_count = select(_draw.ballot_count).where(_draw.day == bindparam("day")).scalar_subquery()
_mine_count = (
    select(func.sum(_holding.ballot_count))
    .where(_holding.user_id == bindparam("user_id"), _holding.day == bindparam("day"))
    .scalar_subquery()
)
_latest_drawn = LATEST_DRAWN.scalar_subquery()
_latest_over = select(func.max(_draw.day)).where(_draw.day < bindparam("day")).scalar_subquery()
_my_latest = (
    select(func.max(_holding.day))
    .where(_holding.user_id == bindparam("user_id"), _holding.day < bindparam("day"))
    .scalar_subquery()
)
_lotteries = select(*(_lottery[name] for name in LOTTERY_COLUMNS))
_recently_finished = (
    _lotteries.where(_lottery.closes_on < bindparam("day"))
    .order_by(_lottery.closes_on.desc(), _lottery.name)
    .limit(at_most(RECENTLY_FINISHED))
    .subquery()
)
_coming = (
    _lotteries.where(_lottery.closes_on >= bindparam("day"), _lottery.opens_on > bindparam("day"))
    .order_by(_lottery.opens_on, _lottery.name)
    .limit(at_most(COMING))
    .subquery()
)
#: one row at least, also where no lottery is
_always = select(literal(1)).subquery()


def _front_page(*wanted: Any) -> Select[Any]:
    page_of_open_ones = (
        _lotteries.where(
            _lottery.closes_on >= bindparam("day"), _lottery.opens_on <= bindparam("day"), *wanted
        )
        .order_by(_lottery.closes_on, _lottery.name)
        .limit(at_most(PAGE + 1))
        .offset(bindparam("offset"))
        .subquery()
    )
    # apart from each other, so that the index finds both, however many lotteries have finished
    shown = union_all(
        select(page_of_open_ones), select(_coming), select(_recently_finished)
    ).subquery()
    my_holding = and_(
        _holding.user_id == bindparam("user_id"),
        _holding.day == bindparam("day"),
        _holding.lottery_id == shown.c.id,
    )
    return (
        select(
            func.coalesce(_ballot_count, 0).label("ballot_count"),
            func.coalesce(_mine_count, 0).label("mine_count"),
            _latest_drawn.label("latest_drawn"),
            _latest_over.label("latest_over"),
            _my_latest.label("my_latest"),
            shown,
            func.coalesce(_holding.ballot_count, 0).label("mine"),
            _picture.width,
            _picture.height,
            _picture.small_width,
        )
        .select_from(
            _always.outerjoin(shown, true())
            .outerjoin(table_of(Holding), my_holding)
            .outerjoin(table_of(Picture), _picture.digest == shown.c.picture_digest)
        )
        .order_by(shown.c.closes_on, shown.c.name)
    )


_ALL = _front_page()
_NAMED = _front_page(_lottery.search_key.like(bindparam("pattern"), escape="\\"))
