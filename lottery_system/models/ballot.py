"""One entry of one participant into one lottery on one day."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lottery_system.models.base import Base
from lottery_system.models.lottery import Lottery
from lottery_system.models.user import User


class Ballot(Base):
    """A ballot; day and number together name it for ever.

    The key begins with the day, so that a day's work touches that day alone. Whose ballots are
    whose is answered by `submissions` and `holdings`, so that this table, by far the largest,
    needs no second index.
    """

    __tablename__ = "ballots"
    __table_args__ = (
        CheckConstraint("number >= 1", "number"),
        {"sqlite_with_rowid": False},  # one tree to write to instead of two
    )

    day: Mapped[date] = mapped_column(ForeignKey("draws.day"), primary_key=True)
    #: 1, 2, 3, ... within the day, over all lotteries, without a gap
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lottery_id: Mapped[int] = mapped_column(ForeignKey("lotteries.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    submitted_at: Mapped[datetime]

    lottery: Mapped[Lottery] = relationship()
    user: Mapped[User] = relationship()
