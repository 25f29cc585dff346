"""Recovery statements: why a journal ended and the next one began."""

from sqlalchemy import CheckConstraint, Text, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base


class Recovery(Base):
    """The statement that ended one journal and began the next; kept for ever."""

    __tablename__ = "recoveries"
    __table_args__ = (CheckConstraint("timeline >= 1", "timeline"),)

    #: of the journal that it began; the one that it ended has the timeline before
    timeline: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: a signed note, see `fairness.recovery`
    statement: Mapped[str] = mapped_column(Text)
    #: the key of the journal that it ended, `name+id+key`
    ended_key: Mapped[str] = mapped_column(Text)

    @classmethod
    def has_ended(cls, session: Session, key: str) -> bool:
        """Tell whether a key, `name+id+key`, is that of a journal that has ended."""
        return bool(session.scalar(select(exists().where(cls.ended_key == key))))
