"""A log-in that lives in the database, so that logging out ends it everywhere."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import ClassVar

from sqlalchemy import (
    Connection,
    ForeignKey,
    LargeBinary,
    Select,
    bindparam,
    delete,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base, table_of
from lottery_system.models.user import User

LIFETIME = timedelta(days=30)
TOKEN_BYTES = 32


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


@dataclass(frozen=True)
class Viewer:
    """Who is there during a request: what a token tells of its user, as Flask-Login asks it."""

    id: int
    username: str
    is_organiser: bool
    #: what the browser holds
    token: str

    is_authenticated: ClassVar[bool] = True
    is_active: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False

    def get_id(self) -> str:
        """Return what Flask-Login lets the browser keep: the token, not the user's number."""
        return self.token


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
    def viewer(cls, connection: Connection, token: str, now: datetime) -> "Viewer | None":
        """Return whom a token logs in, in one query, or None once it has ended.

        Over a plain connection: nearly every request asks this, and an entity and a session around
        it would cost more than the query.
        """
        row = connection.execute(_VIEWER, {"token_hash": _digest(token), "now": now}).one_or_none()
        return None if row is None else Viewer(row.id, row.username, row.is_organiser, token)

    @classmethod
    def close(cls, session: Session, token: str) -> None:
        """End one log-in; the token is worth nothing from then on."""
        session.execute(delete(cls).where(cls.token_hash == _digest(token)))

    @classmethod
    def sweep(cls, session: Session, now: datetime) -> None:
        """Forget the log-ins that have expired."""
        session.execute(delete(cls).where(cls.expires_at <= now))


def _viewer() -> Select[int, str, bool]:
    logins, users = table_of(LoginSession), table_of(User)
    return (
        select(users.c.id, users.c.username, users.c.is_organiser)
        .join_from(users, logins, logins.c.user_id == users.c.id)
        .where(
            logins.c.token_hash == bindparam("token_hash"),
            logins.c.expires_at > bindparam("now"),
        )
    )


_VIEWER = _viewer()
