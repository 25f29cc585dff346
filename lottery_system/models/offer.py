"""Offers: name and prize of each lottery when a day closed, shown in that day's results."""

from datetime import date
from functools import cache

from sqlalchemy import Connection, Date, Dialect, ForeignKey, Insert, bindparam, func, select
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.fairness.offers import Offered, Offers
from lottery_system.models.base import Base, insert_into, table_of
from lottery_system.models.lottery import Lottery
from lottery_system.models.lottery_change import LotteryChange


class Offer(Base):
    """Which change of a lottery held when a day closed; append-only, kept for ever.

    Results show offers and not the lottery's current name and prize, so later edits do not change
    them. Once a day's offers are signed, see `offer_note`, the database refuses more.
    """

    __tablename__ = "offers"
    __table_args__ = ({"sqlite_with_rowid": False},)

    day: Mapped[date] = mapped_column(ForeignKey("draws.day"), primary_key=True)
    lottery_id: Mapped[int] = mapped_column(ForeignKey("lotteries.id"), primary_key=True)
    change_id: Mapped[int] = mapped_column(ForeignKey("lottery_changes.id"))

    @classmethod
    def keep(cls, connection: Connection, day: date) -> None:
        """Store the current change of each lottery that may have ballots that day.

        Call it in the transaction that closes the day. A lottery may have ballots if it has opened
        and any of its changes had a last day not before this one: it may have been withdrawn since.
        The audit log has all changes, so this reads neither ballots nor the clock. Lotteries that
        open later are left out, since they are not public yet.
        """
        connection.execute(_keeping(connection.dialect), {"day": day})

    @classmethod
    def of_day(cls, connection: Connection, day: date) -> Offers:
        """Return a day's stored offers, as they are signed and published."""
        rows = connection.execute(_OF_DAY, {"day": day})
        return Offers(day, [Offered(*row) for row in rows])


_offer, _change, _lottery = (table_of(model).c for model in (Offer, LotteryChange, Lottery))

_OF_DAY = (
    select(_offer.lottery_id, _change.name, _change.prize)
    .join_from(table_of(Offer), table_of(LotteryChange), _change.id == _offer.change_id)
    .where(_offer.day == bindparam("day"))
    .order_by(_offer.lottery_id)
)


@cache
def _keeping(dialect: Dialect) -> Insert:
    announced = select(_change.lottery_id).where(_change.closes_on >= bindparam("day", type_=Date))
    rows = (
        select(bindparam("day", type_=Date), _change.lottery_id, func.max(_change.id))
        .join(table_of(Lottery), _lottery.id == _change.lottery_id)
        .where(_change.lottery_id.in_(announced), _lottery.opens_on <= bindparam("day", type_=Date))
        .group_by(_change.lottery_id)
    )
    return insert_into(dialect, Offer).from_select(["day", "lottery_id", "change_id"], rows)
