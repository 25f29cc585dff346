"""How often something was tried of late; what throttles count, for all workers at once."""

from datetime import datetime

from sqlalchemy import String, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base


class Throttle(Base):
    """A counter that starts anew when its window is over."""

    __tablename__ = "throttles"

    #: what is counted, for whom
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    attempt_count: Mapped[int]
    #: when the window ends
    expires_at: Mapped[datetime] = mapped_column(index=True)

    @classmethod
    def sweep(cls, session: Session, now: datetime) -> None:
        """Forget the counters whose window is over."""
        session.execute(delete(cls).where(cls.expires_at <= now))
