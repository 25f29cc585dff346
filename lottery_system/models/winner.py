"""Winner: which ballot took which place in a draw."""

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.models.base import Base


class Winner(Base):
    """One place of one day. Place 1 is the day's winner, the others are reserves in order."""

    __tablename__ = "winners"
    __table_args__ = (
        ForeignKeyConstraint(["day", "number"], ["ballots.day", "ballots.number"]),
        ForeignKeyConstraint(["day"], ["draws.day"]),
        UniqueConstraint("day", "number"),
        CheckConstraint("place >= 1", "place"),
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
