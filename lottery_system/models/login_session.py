"""A log-in that lives in the database, so that logging out ends it everywhere."""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import ForeignKey, LargeBinary, bindparam, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base
from lottery_system.models.user import User

LIFETIME = timedelta(days=30)
TOKEN_BYTES = 32


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


class LoginSession(Base):
    """One browser's log-in. The browser holds a token; only its hash is stored."""

    __tablename__ = "login_sessions"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)

    @classmethod
    def open(cls, session: Session, user: User, now: datetime) -> str:
        """Log a user in and return the token for the browser."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        session.add(
            cls(
                token_hash=_digest(token),
                user_id=user.id,
                created_at=now,
                expires_at=now + LIFETIME,
            )
        )
        return token

    @classmethod
    def user_of(cls, session: Session, token: str, now: datetime) -> User | None:
        """Return whom a token logs in, in one query, or None once it has ended."""
        user = session.scalar(_USER_OF, {"token_hash": _digest(token), "now": now})
        if user is not None:
            user.session_token = token
        return user

    @classmethod
    def close(cls, session: Session, token: str) -> None:
        """End one log-in; the token is worth nothing from then on."""
        session.execute(delete(cls).where(cls.token_hash == _digest(token)))

    @classmethod
    def close_all(cls, session: Session, user: User) -> None:
        """End every log-in of a user."""
        session.execute(delete(cls).where(cls.user_id == user.id))

    @classmethod
    def sweep(cls, session: Session, now: datetime) -> None:
        """Forget the log-ins that have expired."""
        session.execute(delete(cls).where(cls.expires_at <= now))


#: made once, since nearly every request asks this
_USER_OF = (
    select(User)
    .join(LoginSession, LoginSession.user_id == User.id)
    .where(
        LoginSession.token_hash == bindparam("token_hash"),
        LoginSession.expires_at > bindparam("now"),
    )
)
