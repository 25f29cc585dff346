"""Holding: how many ballots a participant has in a lottery on a day; a counter."""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date
from functools import cache

from sqlalchemy import (
    CheckConstraint,
    Connection,
    Dialect,
    ForeignKey,
    Index,
    Insert,
    bindparam,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.models.base import Base, insert_into, table_of


class Holding(Base):
    """A count kept in the transaction that admits the ballots, so that no page has to count."""

    __tablename__ = "holdings"
    __table_args__ = (
        CheckConstraint("ballot_count >= 1", "ballot_count"),
        Index("ix_holdings_day_lottery_id", "day", "lottery_id"),
        {"sqlite_with_rowid": False},
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    day: Mapped[date] = mapped_column(ForeignKey("draws.day"), primary_key=True)
    lottery_id: Mapped[int] = mapped_column(ForeignKey("lotteries.id"), primary_key=True)
    ballot_count: Mapped[int]

    @classmethod
    def add(cls, connection: Connection, day: date, counts: Mapping[tuple[int, int], int]) -> None:
        """Add to the holdings of a day; `counts` is by user and lottery."""
        rows = [
            {"user_id": user, "day": day, "lottery_id": lottery, "ballot_count": count}
            # in the order of the key, as every worker does, so that two never wait for each other
            for (user, lottery), count in sorted(counts.items())
        ]
        connection.execute(_adding(connection.dialect), rows)

    @classmethod
    def held(
        cls, connection: Connection, day: date, users: Collection[int], lotteries: Collection[int]
    ) -> Counter[tuple[int, int]]:
        """Return what some users hold in some lotteries on a day, by user and lottery."""
        parameters = {"day": day, "users": list(users), "lotteries": list(lotteries)}
        rows = connection.execute(_HELD, parameters)
        return Counter({(row.user_id, row.lottery_id): row.ballot_count for row in rows})


_holding = table_of(Holding).c
_HELD = select(_holding.user_id, _holding.lottery_id, _holding.ballot_count).where(
    _holding.day == bindparam("day"),
    _holding.user_id.in_(bindparam("users", expanding=True)),
    _holding.lottery_id.in_(bindparam("lotteries", expanding=True)),
)


@cache
def _adding(dialect: Dialect) -> Insert:
    """Build a busy statement, once: building it costs more than running it."""
    adding = insert_into(dialect, Holding)
    total = table_of(Holding).c.ballot_count + adding.excluded.ballot_count
    return adding.on_conflict_do_update(
        index_elements=["user_id", "day", "lottery_id"], set_={"ballot_count": total}
    )
