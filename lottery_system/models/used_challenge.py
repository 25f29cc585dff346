"""Used challenge of a passkey: so that what a device has signed is worth something only once."""

from datetime import datetime
from hashlib import sha256

from sqlalchemy import LargeBinary, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base, insert_into


class UsedChallenge(Base):
    """A challenge that was answered rightly, until its time would be over anyway."""

    __tablename__ = "used_challenges"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)

    @classmethod
    def use(cls, session: Session, challenge: bytes, expires_at: datetime) -> bool:
        """Use a challenge up, and return whether this was the first time."""
        row = {"digest": sha256(challenge).digest(), "expires_at": expires_at}
        insert = insert_into(session.connection().dialect, cls).on_conflict_do_nothing()
        used = session.execute(insert.returning(cls.digest), row).first()
        return used is not None

    @classmethod
    def sweep(cls, session: Session, now: datetime) -> None:
        """Forget the challenges that are too old to be answered."""
        session.execute(delete(cls).where(cls.expires_at <= now))
