"""Which ballot took which place in a draw."""

from collections.abc import Collection, Sequence
from datetime import date
from functools import cache

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Select,
    UniqueConstraint,
    bindparam,
    select,
)
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from lottery_system.models.ballot import Ballot
from lottery_system.models.base import Base


class Winner(Base):
    """One place of one day. Place 1 is the day's winner, the others are reserves in their order."""

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

    ballot: Mapped[Ballot] = relationship(viewonly=True)

    @classmethod
    def of_day(cls, session: Session, day: date) -> "Sequence[Winner]":
        """List a day's winners by place, each with its ballot, its user and its lottery."""
        return session.scalars(_of_day(), {"day": day}).all()

    @classmethod
    def numbers_of(
        cls, session: Session, user_id: int, days: Collection[date]
    ) -> dict[date, list[int]]:
        """Return somebody's winning numbers of some days, in the order of their places."""
        rows = session.execute(
            select(cls.day, cls.number)
            .join(cls.ballot)
            .where(cls.day.in_(days), Ballot.user_id == user_id)
            .order_by(cls.day, cls.place)
        )
        numbers: dict[date, list[int]] = {}
        for row in rows:
            numbers.setdefault(row.day, []).append(row.number)
        return numbers


@cache
def _of_day() -> Select[Winner]:
    """Build a busy page's statement, once, when all models are there."""
    return (
        select(Winner)
        .where(Winner.day == bindparam("day"))
        .order_by(Winner.place)
        .options(
            joinedload(Winner.ballot).joinedload(Ballot.user),
            joinedload(Winner.ballot).joinedload(Ballot.lottery),
        )
    )
