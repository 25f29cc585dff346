"""Lottery: a name, a prize, a first and a last day, and limits. Ballots are submitted to it."""

from datetime import date, datetime
from typing import NamedTuple
from unicodedata import normalize

from sqlalchemy import CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, validates

from lottery_system.clock import ONE_DAY, day_of
from lottery_system.errors import LotteryError
from lottery_system.models.base import Base
from lottery_system.models.picture import DIGEST_LENGTH
from lottery_system.name_keys import name_key, search_key
from lottery_system.pictures import ALTERNATIVE_LENGTH, enforce_alternative
from lottery_system.text_input import BadText, enforce_line, enforce_paragraphs

NAME_LENGTH = 80
PRIZE_LENGTH = 5000
CLAIM_LENGTH = 2000
#: the highest that a limit can be
MOST = 999_999_999


class ClosesInThePast(LotteryError):
    """A lottery was to be closed on a day that is over."""


class BadOpening(LotteryError):
    """A lottery cannot open on the day that was chosen."""


class Limits(NamedTuple):
    """How many ballots and prizes there are at most; None for any number."""

    #: ballots that one participant may have in it on one day
    most_a_day: int | None = None
    #: how often its prize can be won in all
    winnable: int | None = None


NO_LIMITS = Limits()


def enforce_name(text: str) -> str:
    """Validate a lottery's name and return it normalised: NFC, single spaces.

    Raises:
        BadText: with a sentence for the person who chose it.
    """
    too_long = BadText("The name can be at most %(most)s characters long.", most=NAME_LENGTH)
    name = enforce_line(text, NAME_LENGTH, too_long)
    if not name:
        raise BadText("Enter a name.")
    return name


def enforce_prize(text: str) -> str:
    """Validate the text of a prize and return it normalised.

    Raises:
        BadText: with a sentence for the person who wrote it.
    """
    too_long = BadText("The prize can be at most %(most)s characters long.", most=PRIZE_LENGTH)
    return enforce_paragraphs(text, PRIZE_LENGTH, too_long)


def enforce_claim(text: str) -> str:
    """Validate the text on how to claim a prize and return it normalised.

    Raises:
        BadText: with a sentence for the person who wrote it.
    """
    too_long = BadText("This can be at most %(most)s characters long.", most=CLAIM_LENGTH)
    return enforce_paragraphs(text, CLAIM_LENGTH, too_long)


def enforce_limit(limit: int | None) -> int | None:
    """Return a limit, unless it cannot be one.

    Raises:
        BadText: with a sentence for the person who chose it.
    """
    if limit is not None and not 1 <= limit <= MOST:
        raise BadText("Enter a whole number from 1 on, or leave this empty.")
    return limit


class Lottery(Base):
    """A name, what can be won and how it is claimed, the days of its ballots, and its limits.

    Whoever changes it says when and who; the database keeps each change, see `lottery_change`.
    Changes that depend on ballots or wins are made by `lottery_edit`.
    """

    __tablename__ = "lotteries"
    __table_args__ = (
        CheckConstraint("most_a_day >= 1", "most_a_day"),
        CheckConstraint("winnable >= 1", "winnable"),
        CheckConstraint("(picture_digest IS NULL) = (picture_alt IS NULL)", "picture_has_words"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), unique=True)
    #: both follow from the name, see `name_keys`; None only in a row that was added by hand
    name_key: Mapped[str | None] = mapped_column(Text, unique=True, index=True)
    search_key: Mapped[str | None] = mapped_column(Text)
    prize: Mapped[str] = mapped_column(Text, default="")
    #: how to claim the prize; winners see the current text
    claim: Mapped[str] = mapped_column(Text, default="")
    #: the first and the last UTC day on which it accepts ballots
    opens_on: Mapped[date]
    closes_on: Mapped[date] = mapped_column(index=True)
    #: see `Limits`
    most_a_day: Mapped[int | None]
    winnable: Mapped[int | None]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    #: the organiser's id; None for the operator's commands, and if the last prize was won
    changed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    #: digest of a stored picture; None for none
    picture_digest: Mapped[str | None] = mapped_column(
        String(DIGEST_LENGTH), ForeignKey("pictures.digest"), index=True
    )
    #: alternative text of the picture, for people who cannot see it; None without a picture
    picture_alt: Mapped[str | None] = mapped_column(String(ALTERNATIVE_LENGTH))

    @classmethod
    def create(
        cls,
        name: str,
        prize: str,
        closes_on: date,
        now: datetime,
        by: int | None = None,
        *,
        opens_on: date | None = None,
        claim: str = "",
        limits: Limits = NO_LIMITS,
    ) -> "Lottery":
        """Make a lottery that opens today, or on a later day.

        Raises:
            BadText: one of the texts or limits cannot be taken as it is.
            ClosesInThePast: `closes_on` is over.
            BadOpening: `opens_on` is over, or after `closes_on`.
        """
        lottery = cls(created_at=now)
        lottery.change(
            name, prize, closes_on, now, by, opens_on=opens_on or day_of(now), claim=claim
        )
        lottery.most_a_day = enforce_limit(limits.most_a_day)
        lottery.winnable = enforce_limit(limits.winnable)
        return lottery

    def change(
        self,
        name: str,
        prize: str,
        closes_on: date,
        now: datetime,
        by: int | None = None,
        *,
        opens_on: date | None = None,
        claim: str | None = None,
    ) -> None:
        """Edit the lottery; a later last day reopens a finished one.

        The due date may also move nearer, but not into the past: days that are over stay as they
        were. The first day moves only while it has not come.

        Args:
            opens_on: None leaves it as it is.
            claim: None leaves it as it is.

        Raises:
            BadText: one of the texts cannot be taken as it is.
            ClosesInThePast: the due date is changed to a day that is over.
            BadOpening: the lottery cannot open on that day.
        """
        if closes_on < day_of(now) and closes_on != self.closes_on:
            raise ClosesInThePast("This day is over. Choose today or a later day.")
        opens_on = opens_on or self.opens_on
        self._demand_opening(opens_on, closes_on, day_of(now))
        enforced = enforce_name(name)
        if not self._is_called(enforced):
            self.name = enforced
        self.prize = enforce_prize(prize)
        if claim is not None:
            self.claim = enforce_claim(claim)
        self.opens_on, self.closes_on = opens_on, closes_on
        self.changed_at, self.changed_by = now, by

    def _is_called(self, name: str) -> bool:
        """Return whether this is the name already, which may be from before they were normalised.

        Then it stays as it is, with a key that it may have got because another has the same name.
        """
        return self.name is not None and normalize("NFC", self.name) == name

    @validates("name")
    def _make_keys(self, _: str, name: str) -> str:
        self.name_key, self.search_key = name_key(name), search_key(name)
        return name

    def _demand_opening(self, opens_on: date, closes_on: date, today: date) -> None:
        if opens_on != self.opens_on:
            if self.opens_on is not None and self.opens_on <= today:
                raise BadOpening("It has opened already. Leave the first day as it is.")
            if opens_on < today:
                raise BadOpening("This day is over. Choose today or a later day.")
        # one that was withdrawn before it opened may be saved as it is
        if opens_on > closes_on and (opens_on, closes_on) != (self.opens_on, self.closes_on):
            raise BadOpening("The first day can’t be after the last day. Choose an earlier one.")

    def show_picture(self, digest: str | None, alternative: str) -> None:
        """Set a stored picture, or none; call it as part of an edit, which records time and author.

        Raises:
            BadText: the description of the picture is missing or invalid.
        """
        words = enforce_alternative(alternative)
        if digest and not words:
            raise BadText("Describe the picture in a few words, for people who can’t see it.")
        self.picture_digest, self.picture_alt = digest, words if digest else None

    def withdraw(self, now: datetime, by: int | None = None) -> None:
        """Take no more ballots, not even today; those already in stay in their draw.

        As a finished lottery it can be opened again by a later due date.
        """
        self.closes_on = min(self.closes_on, day_of(now) - ONE_DAY)
        self.changed_at, self.changed_by = now, by

    @property
    def limits(self) -> Limits:
        """Return how many ballots and prizes there are at most."""
        return Limits(self.most_a_day, self.winnable)

    def is_open(self, day: date) -> bool:
        """Return whether ballots of a day may be submitted here.

        Nothing is stored about being finished: a later `closes_on` opens the lottery again.
        """
        return self.opens_on <= day <= self.closes_on

    def has_finished(self, day: date) -> bool:
        """Tell whether it takes no ballots on a day nor, as it stands, on any later one."""
        return day > self.closes_on
