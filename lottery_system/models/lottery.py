"""What ballots are submitted to, until its due date has passed."""

from datetime import date, datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.clock import day_of
from lottery_system.errors import LotteryError
from lottery_system.models.base import Base

NAME_LENGTH = 80
PRIZE_LENGTH = 5000


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

    def is_open(self, day: date) -> bool:
        """Tell whether ballots of a day may be submitted here.

        Nothing is stored about being finished: a later `closes_on` opens the lottery again.
        """
        return day <= self.closes_on
