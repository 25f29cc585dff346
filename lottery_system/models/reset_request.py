"""Requests for a link to set a new password, by username or mail address.

A request is only stored by the page, and looked up later by the tick. So the page does the same
work, and takes the same time, whether or not there is such an account.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.mail_server import LONGEST
from lottery_system.mail_addresses import BadMailAddress, enforce_mail_address
from lottery_system.models.account_event import AccountEvent, AccountEventKind
from lottery_system.models.base import Base
from lottery_system.models.mail import Mail, MailKind
from lottery_system.models.mail_address import MailAddress
from lottery_system.models.user import User
from lottery_system.usernames import BadUsername

#: reset mails of an account in an hour; further requests change nothing, and nobody is told
MOST_AN_HOUR = 3
AN_HOUR = timedelta(hours=1)
#: requests that are looked up in one transaction
AT_ONCE = 20
#: requests that nobody looked up, since no mails are sent any more
KEPT = timedelta(days=1)


class ResetRequest(Base):
    """What somebody typed; deleted once it was looked up."""

    __tablename__ = "reset_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    #: a username, an address, or anything else
    typed: Mapped[str] = mapped_column(String(LONGEST))
    asked_at: Mapped[datetime]

    def __repr__(self) -> str:
        """Show no more than its number: people type passwords in the wrong field."""
        return f"ResetRequest({self.id})"

    @classmethod
    def waits(cls, connection: Connection) -> bool:
        """Return whether a request is to be looked up; reads only."""
        return connection.execute(select(cls.id).limit(1)).first() is not None

    @classmethod
    def look_up(cls, session: Session, now: datetime) -> int:
        """Look some requests up, add a mail for each account, and return how many requests."""
        requests = session.scalars(
            select(cls).order_by(cls.id).limit(AT_ONCE).with_for_update(skip_locked=True)
        ).all()
        for asked in requests:
            if asked.asked_at > now - KEPT:
                for user in _users(session, asked.typed):
                    _add_mail(session, user, now)
            session.delete(asked)
        return len(requests)

    @classmethod
    def sweep(cls, session: Session, now: datetime) -> None:
        """Forget requests that were not looked up in time."""
        session.execute(delete(cls).where(cls.asked_at <= now - KEPT))


def _users(session: Session, typed: str) -> list[User]:
    """Return whose accounts somebody may mean, by username or address."""
    if "@" in typed:
        return MailAddress.verified_users(session, _normalised(typed))
    try:
        user = User.by_username(session, typed)
    except BadUsername:
        return []
    return [user] if user is not None and user.closed_at is None else []


def _normalised(typed: str) -> str:
    try:
        return enforce_mail_address(typed)
    except BadMailAddress:
        return typed


def _add_mail(session: Session, user: User, now: datetime) -> None:
    its = MailAddress.of(session, user.id)
    if its is None or its.address is None:
        return
    lately = session.scalar(
        select(func.count()).where(
            Mail.user_id == user.id, Mail.kind == MailKind.RESET, Mail.made_at > now - AN_HOUR
        )
    )
    if (lately or 0) >= MOST_AN_HOUR:
        return
    Mail.add(session.connection(), MailKind.RESET, user.id, now)
    AccountEvent.record(session, user.id, AccountEventKind.RESET_LINK_MADE, now)
