"""Mail address of an account: verified by a link, and what its holder wants to be told by mail.

Several accounts may have the same address, such as those of a family. So nobody finds out by trying
addresses which of them have an account.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, Connection, ForeignKey, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.mail_server import LONGEST
from lottery_system.mail_addresses import mail_address_key
from lottery_system.models.base import Base
from lottery_system.models.user import User

#: accounts that an address can be verified for; only who reads its mails is told
MOST_ACCOUNTS = 5


class MailAddress(Base):
    """The mail address of an account, and the one that its holder wants and has not verified."""

    __tablename__ = "mail_addresses"
    __table_args__ = (
        CheckConstraint(
            "(address IS NULL) = (verified_at IS NULL)"
            " AND (address IS NULL) = (address_key IS NULL)"
            " AND (asked IS NULL) = (asked_at IS NULL)",
            "whole",
        ),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    #: to which mails go; None before the first was verified
    address: Mapped[str | None] = mapped_column(String(LONGEST))
    #: without regard to case
    address_key: Mapped[str | None] = mapped_column(String(LONGEST), index=True)
    verified_at: Mapped[datetime | None]
    #: to be verified; nothing else is sent to it
    asked: Mapped[str | None] = mapped_column(String(LONGEST))
    asked_at: Mapped[datetime | None]
    #: of the page on which it was given, by its ISO 639-1 code; for accounts without a language
    language: Mapped[str] = mapped_column(String(2))
    tells_wins: Mapped[bool] = mapped_column(default=True)
    tells_log_ins: Mapped[bool] = mapped_column(default=False)

    @classmethod
    def of(cls, session: Session, user_id: int) -> "MailAddress | None":
        """Return what is known of an account's mail address."""
        return session.get(cls, user_id)

    @classmethod
    def verified_of(cls, connection: Connection, user_id: int) -> str | None:
        """Return the address to which an account's mails go; None for none."""
        address: str | None = connection.scalar(select(cls.address).where(cls.user_id == user_id))
        return address

    @classmethod
    def verified_users(cls, session: Session, address: str) -> list[User]:
        """List the open accounts that an address is verified for, the oldest first."""
        return list(
            session.scalars(
                select(User)
                .join(cls, cls.user_id == User.id)
                .where(cls.address_key == mail_address_key(address), User.closed_at.is_(None))
                .order_by(User.id)
                .limit(MOST_ACCOUNTS)
            )
        )

    @classmethod
    def is_taken(cls, session: Session, address: str, user_id: int) -> bool:
        """Return whether an address is verified for as many other accounts as it can be."""
        others = session.scalar(
            select(func.count()).where(
                cls.address_key == mail_address_key(address), cls.user_id != user_id
            )
        )
        return (others or 0) >= MOST_ACCOUNTS
