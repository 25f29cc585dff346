"""Offers: name and prize of each lottery when a day closed, shown in that day's results."""

from datetime import date
from functools import cache

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Dialect,
    ForeignKey,
    Insert,
    bindparam,
    func,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.clock import ONE_DAY, starts_at
from lottery_system.models.ballot import Ballot
from lottery_system.models.base import Base, UTCDateTime, insert_into, table_of
from lottery_system.models.lottery import Lottery
from lottery_system.models.lottery_change import LotteryChange
from lottery_system.models.winner import Winner


class Offer(Base):
    """Which change of a lottery held when a day closed; append-only, kept for ever.

    Results show offers and not the lottery's current name and prize, so later edits do not change
    them.
    """

    __tablename__ = "offers"
    __table_args__ = ({"sqlite_with_rowid": False},)

    day: Mapped[date] = mapped_column(ForeignKey("draws.day"), primary_key=True)
    lottery_id: Mapped[int] = mapped_column(ForeignKey("lotteries.id"), primary_key=True)
    change_id: Mapped[int] = mapped_column(ForeignKey("lottery_changes.id"))

    @classmethod
    def keep(cls, connection: Connection, day: date) -> None:
        """Store the current change of each lottery that may have ballots that day.

        To be called by the transaction that closes the day. The lotteries are those that are open
        on it, and those changed since shortly before it began, which may have been withdrawn on it.
        """
        # whoever changes a lottery looks at the clock before the change is stored, and the clock of
        # another host may be behind
        since = starts_at(day) - ONE_DAY
        connection.execute(_keeping(connection.dialect), {"day": day, "since": since})

    @classmethod
    def keep_won(cls, connection: Connection, day: date) -> None:
        """Keep what is said now of the lotteries of a day's winners, where the close has not.

        Whoever withdraws a lottery by hand may not say when: the close cannot know it then.
        """
        connection.execute(_keeping_won(connection.dialect), {"day": day})


_lottery, _change, _winner, _ballot = (
    table_of(model).c for model in (Lottery, LotteryChange, Winner, Ballot)
)


@cache
def _keeping(dialect: Dialect) -> Insert:
    return _inserting(
        dialect,
        (
            (_lottery.opens_on <= bindparam("day", type_=Date))
            & (_lottery.closes_on >= bindparam("day", type_=Date))
        )
        | (_lottery.changed_at >= bindparam("since", type_=UTCDateTime)),
    )


@cache
def _keeping_won(dialect: Dialect) -> Insert:
    won = (
        select(_ballot.lottery_id)
        .join_from(
            table_of(Winner),
            table_of(Ballot),
            (_ballot.day == _winner.day) & (_ballot.number == _winner.number),
        )
        .where(_winner.day == bindparam("day", type_=Date))
    )
    return _inserting(dialect, _lottery.id.in_(won))


def _inserting(dialect: Dialect, which: ColumnElement[bool]) -> Insert:
    newest = select(func.max(_change.id)).where(_change.lottery_id == _lottery.id).scalar_subquery()
    rows = select(bindparam("day", type_=Date), _lottery.id, newest).where(which)
    adding = insert_into(dialect, Offer).from_select(["day", "lottery_id", "change_id"], rows)
    return adding.on_conflict_do_nothing()
