"""Link of one use: whoever holds its token may do one thing to one account, once, for a time.

The token is returned once, when the link is made; only its hash is stored. A newer link of the same
purpose ends the older one. Looking at a link never uses it up, since mail scanners fetch links.
"""

import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, delete, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base
from lottery_system.models.user import User

TOKEN_BYTES = 32
#: for how long after its time a link still says why it does not work
REMEMBERED = timedelta(days=30)
_WORKS = text("used_at IS NULL AND ended_at IS NULL")


class LinkPurpose(StrEnum):
    """What a link is for; the database accepts any text, so that purposes can be added."""

    PASSWORD = "password"  # noqa: S105
    #: to verify the mail address that is its subject
    MAIL_ADDRESS = "mail_address"


class LinkState(StrEnum):
    """Whether a link works, and if not, why."""

    WORKS = "works"
    USED = "used"
    #: there is a newer one, or the account was changed in a way that ends links
    ENDED = "ended"
    EXPIRED = "expired"


class AccountLink(Base):
    """One link. Triggers refuse a second use, and any change but its use or end."""

    __tablename__ = "account_links"
    __table_args__ = (
        Index(
            "ix_account_links_one_works",
            "user_id",
            "purpose",
            unique=True,
            sqlite_where=_WORKS,
            postgresql_where=_WORKS,
        ),
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    #: what it is about, such as the mail address to verify
    subject: Mapped[str | None] = mapped_column(Text)
    #: the organiser who made it; None for its holder, a command or the lottery itself
    made_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    #: when it stopped working without being used
    ended_at: Mapped[datetime | None]

    @classmethod
    def make(
        cls,
        session: Session,
        purpose: LinkPurpose,
        user_id: int,
        now: datetime,
        lifetime: timedelta,
        *,
        subject: str | None = None,
        made_by: int | None = None,
    ) -> str:
        """Make a link, end the older one of the same purpose, and return the token.

        Locks the row of the user, so that of two that are made at once the later one works.
        """
        session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
        cls.end_all(session, user_id, now, purpose)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        session.add(
            cls(
                token_hash=_digest(token),
                purpose=LinkPurpose(purpose).value,
                user_id=user_id,
                subject=subject,
                made_by=made_by,
                made_at=now,
                expires_at=now + lifetime,
            )
        )
        session.flush()
        return token

    @classmethod
    def look(cls, session: Session, purpose: LinkPurpose, token: str) -> "AccountLink | None":
        """Find a link by its token, whether it works or not; reads only."""
        return session.scalar(
            select(cls).where(cls.token_hash == _digest(token), cls.purpose == purpose)
        )

    @classmethod
    def use(
        cls, session: Session, purpose: LinkPurpose, token: str, now: datetime
    ) -> "AccountLink | None":
        """Use a link up, and return it; None if it does not work, and of two at once for one.

        The caller's transaction does what the link is for; if that fails, the link is not used up.
        """
        return session.scalar(
            update(cls)
            .where(
                cls.token_hash == _digest(token),
                cls.purpose == purpose,
                cls.used_at.is_(None),
                cls.ended_at.is_(None),
                cls.expires_at > now,
            )
            .values(used_at=now)
            .returning(cls)
        )

    @classmethod
    def end_all(
        cls, session: Session, user_id: int, now: datetime, purpose: LinkPurpose | None = None
    ) -> None:
        """End an account's links that were not used; those of one purpose, if one is given."""
        query = update(cls).where(
            cls.user_id == user_id, cls.used_at.is_(None), cls.ended_at.is_(None)
        )
        if purpose is not None:
            query = query.where(cls.purpose == purpose)
        session.execute(query.values(ended_at=now))

    @classmethod
    def sweep(cls, session: Session, now: datetime) -> None:
        """Forget links whose time has long been over."""
        session.execute(delete(cls).where(cls.expires_at <= now - REMEMBERED))

    def state(self, now: datetime) -> LinkState:
        """Return whether it works, and if not, why."""
        if self.used_at is not None:
            return LinkState.USED
        if self.expires_at <= now:
            return LinkState.EXPIRED
        return LinkState.WORKS if self.ended_at is None else LinkState.ENDED


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="replace")).digest()
