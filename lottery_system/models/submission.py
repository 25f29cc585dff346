"""One participant's ballots of one click: what a receipt is given for."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.models.base import Base


class Submission(Base):
    """A run of ballots that were submitted together, under a token of one use."""

    __tablename__ = "submissions"
    __table_args__ = (
        CheckConstraint("ballot_count >= 1", "ballot_count"),
        CheckConstraint("first_number >= 1", "first_number"),
        UniqueConstraint("day", "first_number"),
        Index("ix_submissions_user_id_day_first_number", "user_id", "day", "first_number"),
    )

    #: made by the form; what makes a reload, a double click or a retry harmless
    token: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    lottery_id: Mapped[int] = mapped_column(ForeignKey("lotteries.id"))
    day: Mapped[date] = mapped_column(ForeignKey("draws.day"))
    first_number: Mapped[int]
    ballot_count: Mapped[int]
    submitted_at: Mapped[datetime]

    @property
    def last_number(self) -> int:
        """Return the number of the last ballot of the run."""
        return self.first_number + self.ballot_count - 1
