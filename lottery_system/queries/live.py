"""Query of live updates: what open pages are sent."""

from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from lottery_system.models import ClaimEvent, Draw, LotteryChange
from lottery_system.models.base import table_of
from lottery_system.models.claim_event import OFFERED
from lottery_system.models.draw import OPEN
from lottery_system.queries.day import LATEST_DRAWN


class Moment(NamedTuple):
    """The state that all open pages share."""

    day: date
    #: ballots in the day's draw so far
    ballot_count: int
    latest_drawn: date | None
    #: the latest day that is closed, drawn or not
    latest_over: date | None
    #: the latest change of a lottery, by its number
    latest_change: int | None
    #: number of offers of prizes: one for each draw, one more for each reserve that moves up
    offer_count: int


def current_moment(connection: Connection, day: date) -> Moment:
    """Query the state in one statement, with one index lookup for each part.

    Offers of prizes, about one a day, are counted by an index alone.
    """
    return Moment(day, *connection.execute(_MOMENT, {"day": day}).one())


_draw = table_of(Draw).c

_ballot_count = select(_draw.ballot_count).where(_draw.day == bindparam("day"))
_latest_over = select(_draw.day).where(_draw.status != OPEN).order_by(_draw.day.desc()).limit(1)
_latest_change = select(func.max(table_of(LotteryChange).c.id))
_claim_event = table_of(ClaimEvent).c
_offer_count = select(func.count()).where(_claim_event.kind == OFFERED)
_MOMENT = select(
    func.coalesce(_ballot_count.scalar_subquery(), 0),
    LATEST_DRAWN.scalar_subquery(),
    _latest_over.scalar_subquery(),
    _latest_change.scalar_subquery(),
    _offer_count.scalar_subquery(),
)
