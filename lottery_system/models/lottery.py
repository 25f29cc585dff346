"""What ballots are submitted to, until its due date has passed."""

import unicodedata
from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.clock import ONE_DAY, day_of
from lottery_system.errors import LotteryError
from lottery_system.models.base import Base
from lottery_system.text_input import (
    RAW_TIMES,
    BadText,
    demand_few_marks,
    demand_visible,
    is_printable,
)

if TYPE_CHECKING:  # draws know of offers, and offers of lotteries
    from lottery_system.models.draw import Turn

NAME_LENGTH = 80
PRIZE_LENGTH = 5000


class ClosesInThePast(LotteryError):
    """A lottery was to be closed on a day that is over."""


def enforce_name(text: str) -> str:
    """Return a lottery's name in the one form in which it is stored: NFC, single spaces.

    Raises:
        BadText: with a sentence for whoever chose it.
    """
    is_short = len(text) <= RAW_TIMES * NAME_LENGTH
    name = unicodedata.normalize("NFC", " ".join(text.split())) if is_short else text
    if len(name) > NAME_LENGTH:
        raise BadText("The name can be at most %(most)s characters long.", most=NAME_LENGTH)
    if not name:
        raise BadText("Enter a name.")
    demand_visible(name, with_emoji=True)
    demand_few_marks(name)
    return name


def enforce_prize(text: str) -> str:
    """Return what is said of a prize in the one form in which it is stored.

    Raises:
        BadText: with a sentence for whoever wrote it.
    """
    prize = text.strip().replace("\r\n", "\n")
    if len(prize) > PRIZE_LENGTH:
        raise BadText("The prize can be at most %(most)s characters long.", most=PRIZE_LENGTH)
    if not is_printable(prize.replace("\n", " ").replace("\t", " ")):
        raise BadText("Remove the invisible characters and use plain text.")
    return prize


class Lottery(Base):
    """A name, what can be won, and the last UTC day on which it takes ballots.

    Whoever changes it says when and who; the database keeps each change, see `lottery_change`.
    """

    __tablename__ = "lotteries"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    prize: Mapped[str] = mapped_column(Text, default="")
    closes_on: Mapped[date] = mapped_column(index=True)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    #: the organiser's number; None for the operator's commands
    changed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    @classmethod
    def create(
        cls, name: str, prize: str, closes_on: date, now: datetime, by: int | None = None
    ) -> "Lottery":
        """Make a lottery that is open.

        Raises:
            BadText: the name or the prize cannot be taken as it is.
            ClosesInThePast: `closes_on` is over.
        """
        lottery = cls(created_at=now)
        lottery.change(name, prize, closes_on, now, by)
        return lottery

    def change(
        self, name: str, prize: str, closes_on: date, now: datetime, by: int | None = None
    ) -> None:
        """Change what is said of the lottery; a later due date opens a finished one again.

        The due date may also move nearer, but not into the past: days that are over stay as they
        were.

        Raises:
            BadText: the name or the prize cannot be taken as it is.
            ClosesInThePast: the due date is changed to a day that is over.
        """
        if closes_on < day_of(now) and closes_on != self.closes_on:
            raise ClosesInThePast("This day is over. Choose today or a later day.")
        self.name, self.prize = enforce_name(name), enforce_prize(prize)
        self.closes_on = closes_on
        self.changed_at, self.changed_by = now, by

    def withdraw(self, turn: "Turn", by: int | None = None) -> None:
        """Take no more ballots from now on, not even today; those that are in stay in their draw.

        As a finished lottery it can be opened again by a later due date.

        Args:
            turn: the lock that ballots are admitted under, see `withdrawal`.
        """
        self.closes_on = min(self.closes_on, day_of(turn.now) - ONE_DAY)
        self.changed_at, self.changed_by = turn.now, by

    def is_open(self, day: date) -> bool:
        """Tell whether ballots of a day may be submitted here.

        Nothing is stored about being finished: a later `closes_on` opens the lottery again.
        """
        return day <= self.closes_on
