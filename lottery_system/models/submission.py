"""Submission: one participant's ballots of one click, as requested, granted and stored."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.fairness.commitment import SALT_BYTES, holder_hashes
from lottery_system.models.base import Base


@dataclass(frozen=True, slots=True)
class AskedBallots:
    """What a click asks for, tied to its holder before the day's row is locked."""

    #: idempotency token made by the form: a reload, double click or retry adds nothing
    token: UUID = field(repr=False)
    user_id: int
    lottery_id: int
    ballot_count: int
    #: as `Submission` has them
    salts: bytes = field(repr=False)
    holders: bytes = field(repr=False)

    @classmethod
    def of(
        cls,
        *,
        token: UUID,
        user_id: int,
        username: str,
        lottery_id: int,
        ballot_count: int,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> "AskedBallots":
        """Tie ballots to their holder, before anybody waits for the day's row.

        Raises:
            ValueError: `entropy` gave another number of bytes than it was asked for.
        """
        salts = entropy(SALT_BYTES * ballot_count)
        if len(salts) != SALT_BYTES * ballot_count:
            raise ValueError(f"{ballot_count} ballots take {SALT_BYTES} bytes of salt each")
        return cls(
            token=token,
            user_id=user_id,
            lottery_id=lottery_id,
            ballot_count=ballot_count,
            salts=salts,
            holders=holder_hashes(salts, username),
        )


class GrantedBallots(NamedTuple):
    """What a click is answered with: its run of numbers in a day."""

    token: UUID
    user_id: int
    lottery_id: int
    day: date
    first_number: int
    ballot_count: int
    submitted_at: datetime

    def __repr__(self) -> str:
        """Name the run, and not its token."""
        return f"GrantedBallots({self.day}, {self.first_number}, {self.ballot_count})"

    @property
    def last_number(self) -> int:
        """Return the number of the last ballot of the run."""
        return self.first_number + self.ballot_count - 1


class Submission(Base):
    """A run of ballots that were submitted together, under a token of one use; a row."""

    __tablename__ = "submissions"
    __table_args__ = (
        CheckConstraint("ballot_count >= 1", "ballot_count"),
        CheckConstraint("first_number >= 1", "first_number"),
        UniqueConstraint("day", "first_number"),
        Index("ix_submissions_user_id_day_first_number", "user_id", "day", "first_number"),
    )

    token: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    lottery_id: Mapped[int] = mapped_column(ForeignKey("lotteries.id"))
    day: Mapped[date] = mapped_column(ForeignKey("draws.day"))
    first_number: Mapped[int]
    ballot_count: Mapped[int]
    submitted_at: Mapped[datetime]
    #: one for each ballot, 16 random bytes: its holder's secret, until the ballot wins
    salts: Mapped[bytes] = mapped_column(LargeBinary)
    #: one for each ballot, 32 bytes: what the log says of who holds it
    holders: Mapped[bytes] = mapped_column(LargeBinary)
    #: one for each ballot, 32 bytes: the leaf hashes by which they stand in the day's log
    leaves: Mapped[bytes] = mapped_column(LargeBinary)
