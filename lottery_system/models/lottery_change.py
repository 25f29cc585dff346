"""Audit log of lottery edits, written by database triggers."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.models.base import Base
from lottery_system.models.lottery import NAME_LENGTH
from lottery_system.models.picture import DIGEST_LENGTH
from lottery_system.pictures import ALTERNATIVE_LENGTH


class LotteryChange(Base):
    """The fields of a lottery from an instant on; written by triggers, append-only.

    The first row of a lottery is its creation. A due date before the day of the change withdrew it.
    """

    __tablename__ = "lottery_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    lottery_id: Mapped[int] = mapped_column(ForeignKey("lotteries.id"), index=True)
    changed_at: Mapped[datetime]
    #: None: by a command of the operator
    changed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    prize: Mapped[str] = mapped_column(Text)
    closes_on: Mapped[date]
    #: all four are None for changes before migration 0009
    opens_on: Mapped[date | None]
    claim: Mapped[str | None] = mapped_column(Text)
    most_a_day: Mapped[int | None]
    winnable: Mapped[int | None]
    picture_digest: Mapped[str | None] = mapped_column(
        String(DIGEST_LENGTH), ForeignKey("pictures.digest")
    )
    picture_alt: Mapped[str | None] = mapped_column(String(ALTERNATIVE_LENGTH))
