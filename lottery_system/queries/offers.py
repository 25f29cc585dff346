"""Queries of offers: a lottery's name and prize when a day closed, or now if it is open."""

from sqlalchemy import ColumnElement, FromClause, func

from lottery_system.models import Lottery, LotteryChange, Offer
from lottery_system.models.base import table_of

_lottery, _offer, _change = (table_of(model).c for model in (Lottery, Offer, LotteryChange))

LOTTERY_NAME = func.coalesce(_change.name, _lottery.name).label("lottery_name")
PRIZE = func.coalesce(_change.prize, _lottery.prize).label("prize")


def with_offers(
    rows: FromClause, day: ColumnElement[object], lottery_id: ColumnElement[int]
) -> FromClause:
    """Join rows that are of a day and a lottery with what `LOTTERY_NAME` and `PRIZE` are made of.

    Each row stays one, found by keys alone.
    """
    return (
        rows.outerjoin(table_of(Lottery), _lottery.id == lottery_id)
        .outerjoin(table_of(Offer), (_offer.day == day) & (_offer.lottery_id == lottery_id))
        .outerjoin(table_of(LotteryChange), _change.id == _offer.change_id)
    )
