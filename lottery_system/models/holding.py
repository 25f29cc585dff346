"""How many ballots a participant holds in a lottery on a day, counted as they come in."""

from collections.abc import Mapping
from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base, insert_into


class Holding(Base):
    """A count kept in the transaction that admits the ballots, so that no page has to count."""

    __tablename__ = "holdings"
    __table_args__ = (
        CheckConstraint("ballot_count >= 1", "ballot_count"),
        {"sqlite_with_rowid": False},
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    day: Mapped[date] = mapped_column(ForeignKey("draws.day"), primary_key=True)
    lottery_id: Mapped[int] = mapped_column(ForeignKey("lotteries.id"), primary_key=True)
    ballot_count: Mapped[int]

    @classmethod
    def add(cls, session: Session, day: date, counts: Mapping[tuple[int, int], int]) -> None:
        """Add to the holdings of a day; `counts` is by user and lottery."""
        addition = insert_into(session, cls)
        session.execute(
            addition.on_conflict_do_update(
                index_elements=["user_id", "day", "lottery_id"],
                set_={"ballot_count": cls.ballot_count + addition.excluded.ballot_count},
            ),
            # in the order of the key, as every worker does, so that two never wait for each other
            [
                {"user_id": user, "day": day, "lottery_id": lottery, "ballot_count": count}
                for (user, lottery), count in sorted(counts.items())
            ],
        )
