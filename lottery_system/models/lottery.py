"""What ballots are submitted to, until its due date has passed."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import String, Text, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.clock import day_of
from lottery_system.errors import LotteryError
from lottery_system.models.base import Base

NAME_LENGTH = 80
PRIZE_LENGTH = 5000
#: finished lotteries that are still shown
RECENTLY_FINISHED = 10


class ClosesInThePast(LotteryError):
    """A lottery was to be closed on a day that is over."""


class Lottery(Base):
    """A name, what can be won, and the last UTC day on which it takes ballots."""

    __tablename__ = "lotteries"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    prize: Mapped[str] = mapped_column(Text, default="")
    closes_on: Mapped[date] = mapped_column(index=True)
    created_at: Mapped[datetime]

    @classmethod
    def create(cls, name: str, prize: str, closes_on: date, now: datetime) -> "Lottery":
        """Make a lottery that is open.

        Raises:
            ClosesInThePast: `closes_on` is over.
        """
        lottery = cls(created_at=now)
        lottery.change(name, prize, closes_on, day_of(now))
        return lottery

    def change(self, name: str, prize: str, closes_on: date, today: date) -> None:
        """Change what is said of the lottery; a later due date opens a finished one again.

        The due date may also move nearer, but not into the past: days that are over stay as they
        were.

        Raises:
            ClosesInThePast: the due date is changed to a day that is over.
        """
        if closes_on < today and closes_on != self.closes_on:
            raise ClosesInThePast("This day is over. Choose today or a later day.")
        self.name, self.prize, self.closes_on = name, prize, closes_on

    @classmethod
    def open_on(cls, session: Session, day: date) -> "Sequence[Lottery]":
        """List the lotteries that take ballots on a day, those that close first at the top."""
        return session.scalars(_OPEN_ON, {"day": day}).all()

    @classmethod
    def finished_on(cls, session: Session, day: date) -> "Sequence[Lottery]":
        """List the lotteries that had finished by a day, the latest few."""
        return session.scalars(_FINISHED_ON, {"day": day}).all()

    def is_open(self, day: date) -> bool:
        """Tell whether ballots of a day may be submitted here.

        Nothing is stored about being finished: a later `closes_on` opens the lottery again.
        """
        return day <= self.closes_on


# Statements that busy pages run are made once: building one costs as much as running it.
_OPEN_ON = (
    select(Lottery)
    .where(Lottery.closes_on >= bindparam("day"))
    .order_by(Lottery.closes_on, Lottery.name)
)
_FINISHED_ON = (
    select(Lottery)
    .where(Lottery.closes_on < bindparam("day"))
    .order_by(Lottery.closes_on.desc(), Lottery.name)
    .limit(RECENTLY_FINISHED)
)
