"""Outbox: mails that are to be sent, each at most once for an event and an account.

A mail is added in the transaction of its cause, so that there is none without the other. Whoever
sends takes a lease of some, by which no other worker sends them; a lease that ran out, since its
worker was killed, can be taken again. What a mail says is read when it is sent.
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Connection,
    CursorResult,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    and_,
    delete,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.mail_server import LONGEST
from lottery_system.models.base import Base, insert_into, table_of
from lottery_system.models.mail_address import MailAddress
from lottery_system.models.user import User

REASON_LENGTH = 200
#: longer than a worker takes for what it has leased
LEASE = timedelta(minutes=5)
#: mails with a link are of no use later, since whoever waited asks again
LINK_TRIED = timedelta(days=1)
#: how long other mails are tried
TRIED = timedelta(days=14)
#: how long mails are kept that were sent or set aside
KEPT = timedelta(days=30)
#: the wait after a mail was put off once; it doubles each time, up to the longest
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=6)
SWEPT_AT_ONCE = 1000


class MailKind(StrEnum):
    """What mails are about; the database accepts any text, so that kinds can be added."""

    VERIFY = "verify"
    RESET = "reset"
    WON = "won"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    ADDRESS_CHANGED = "address_changed"
    NEW_BROWSER = "new_browser"


#: mails that somebody waits for at a page go before all others
WITH_LINK = frozenset({MailKind.VERIFY, MailKind.RESET})
#: mails to whatever address the account has when they are sent
TO_NEWEST_ADDRESS = frozenset({MailKind.RESET, MailKind.WON})
_WAITS = text("sent_at IS NULL AND set_aside_at IS NULL")


class MailRow(NamedTuple):
    """A mail for lists, without its address; its order is that of the statement's columns."""

    id: int
    kind: str
    username: str
    made_at: datetime
    set_aside_at: datetime | None
    reason: str | None


class MailCounts(NamedTuple):
    """How many mails wait, and how many were set aside."""

    waiting: int
    set_aside: int


class Mail(Base):
    """A mail to the holder of an account. A trigger refuses changes once it is sent."""

    __tablename__ = "mails"
    __table_args__ = (
        UniqueConstraint("event", "user_id"),
        CheckConstraint("(lease IS NULL) = (leased_until IS NULL)", "lease"),
        CheckConstraint("sent_at IS NULL OR set_aside_at IS NULL", "sent_or_set_aside"),
        Index("ix_mails_waiting", "rank", "due_at", sqlite_where=_WAITS, postgresql_where=_WAITS),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: its cause, such as `won/2026-11-19/1`
    event: Mapped[str] = mapped_column(String(100))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    #: None for the one that the account has when it is sent
    address: Mapped[str | None] = mapped_column(String(LONGEST))
    #: what it is about, by its kind; never a secret
    detail: Mapped[str | None] = mapped_column(String(LONGEST))
    #: the lower ones are sent first
    rank: Mapped[int]
    made_at: Mapped[datetime] = mapped_column(index=True)
    #: not sent before
    due_at: Mapped[datetime]
    #: how often it was put off
    refused_count: Mapped[int] = mapped_column(default=0)
    #: which worker is about to send it
    lease: Mapped[str | None] = mapped_column(String(22))
    leased_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    #: when it was given up, until an operator tries it again
    set_aside_at: Mapped[datetime | None]
    #: why it was put off or set aside, for the operator
    reason: Mapped[str | None] = mapped_column(String(REASON_LENGTH))

    @classmethod
    def add(
        cls,
        connection: Connection,
        kind: MailKind,
        user_id: int,
        now: datetime,
        *,
        event: str | None = None,
        address: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Add a mail in the transaction of its cause, unless it has been added before.

        Args:
            event: its cause, as long as that is kept; None for one that is told once anyway.
            address: to which it goes. None for that of the account: without one, or if its holder
                does not want mails of this kind, nothing is added.
            detail: cut to `LONGEST` characters.
        """
        values = {
            "event": event or f"{kind}/{secrets.token_hex(8)}",
            "user_id": user_id,
            "kind": MailKind(kind).value,
            "detail": detail and detail[:LONGEST],
            "rank": 0 if kind in WITH_LINK else 1,
            "made_at": now,
            "due_at": now,
            "refused_count": 0,
        }
        adding = insert_into(connection.dialect, cls)
        if address is not None:
            connection.execute(
                adding.values(**values, address=address).on_conflict_do_nothing(
                    index_elements=["event", "user_id"]
                )
            )
            return
        its = MailAddress
        wanted = {
            MailKind.WON: its.tells_wins,
            MailKind.NEW_BROWSER: its.tells_log_ins,
        }.get(kind, literal(True))
        columns: dict[str, ColumnElement[Any]] = {
            name: literal(value, table_of(cls).c[name].type) for name, value in values.items()
        }
        if kind not in TO_NEWEST_ADDRESS:
            columns["address"] = table_of(its).c.address
        chosen = select(*columns.values()).where(
            its.user_id == user_id, its.address.is_not(None), wanted
        )
        connection.execute(
            adding.from_select(list(columns), chosen).on_conflict_do_nothing(
                index_elements=["event", "user_id"]
            )
        )

    @classmethod
    def add_password_changed(cls, session: Session, user_id: int, now: datetime) -> None:
        """Tell the holder that the password was changed; links that were asked for are not sent."""
        cls.withdraw(session, user_id, [MailKind.RESET])
        cls.add(session.connection(), MailKind.PASSWORD_CHANGED, user_id, now)

    @classmethod
    def is_due(cls, connection: Connection, now: datetime) -> bool:
        """Return whether a mail is to be sent; reads only."""
        due = select(cls.id).where(_is_due(now)).limit(1)
        return connection.execute(due).first() is not None

    @classmethod
    def take(cls, session: Session, now: datetime, most: int) -> tuple[str, Sequence[int]]:
        """Lease the mails that are due first; return the lease and their numbers."""
        lease = secrets.token_urlsafe(16)
        due = (
            select(cls.id)
            .where(_is_due(now))
            .order_by(cls.rank, cls.due_at, cls.id)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        ids = session.scalars(due).all()
        if ids:
            session.execute(
                update(cls).where(cls.id.in_(ids)).values(lease=lease, leased_until=now + LEASE),
                execution_options={"synchronize_session": False},
            )
        return lease, ids

    @classmethod
    def open(cls, session: Session, mail_id: int, lease: str) -> "Mail | None":
        """Lock a mail and its user; None if the lease is another's by now, or the mail is gone.

        The user first, in whose transactions mails are withdrawn.
        """
        user_id = session.scalar(select(cls.user_id).where(cls.id == mail_id))
        session.execute(select(User.id).where(User.id == user_id).with_for_update())
        return session.scalar(
            select(cls)
            .where(cls.id == mail_id, cls.lease == lease)
            .with_for_update()
            .execution_options(populate_existing=True)
        )

    @classmethod
    def finish(cls, session: Session, mail_id: int, lease: str, now: datetime) -> None:
        """Store that a leased mail was sent, and no longer to which address."""
        _change(session, mail_id, lease, sent_at=now, reason=None, address=None)

    @classmethod
    def put_off(
        cls, session: Session, mail_id: int, lease: str, now: datetime, reason: str
    ) -> None:
        """Send a leased mail later: after a wait that doubles each time."""
        mail = session.get(cls, mail_id, populate_existing=True)
        count = mail.refused_count if mail else 0
        wait = min(FIRST_WAIT * 2 ** min(count, 20), LONGEST_WAIT)
        _change(
            session, mail_id, lease, due_at=now + wait, refused_count=count + 1,
            reason=reason[:REASON_LENGTH],
        )  # fmt: skip

    @classmethod
    def set_aside(
        cls, session: Session, mail_id: int, lease: str, now: datetime, reason: str
    ) -> None:
        """Give a leased mail up, until an operator tries it again."""
        _change(session, mail_id, lease, set_aside_at=now, reason=reason[:REASON_LENGTH])

    @classmethod
    def release(cls, session: Session, lease: str) -> None:
        """End a lease; what is left of its mails can be taken at once."""
        session.execute(
            update(cls).where(cls.lease == lease).values(lease=None, leased_until=None),
            execution_options={"synchronize_session": False},
        )

    @classmethod
    def give_up(cls, session: Session, now: datetime) -> int:
        """Set aside the mails that could not be sent for too long, and return how many."""
        is_old = or_(
            and_(cls.kind.in_(WITH_LINK), cls.made_at <= now - LINK_TRIED),
            cls.made_at <= now - TRIED,
        )
        old = (
            select(cls.id)
            .where(_is_due(now), is_old)
            .limit(SWEPT_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        reason = func.coalesce(cls.reason, "It could not be sent in time.")
        given_up = session.execute(
            update(cls).where(cls.id.in_(old)).values(
                set_aside_at=now, reason=reason, lease=None, leased_until=None
            ),
            execution_options={"synchronize_session": False},
        )  # fmt: skip
        assert isinstance(given_up, CursorResult)
        return given_up.rowcount

    @classmethod
    def withdraw(cls, session: Session, user_id: int, kinds: Collection[MailKind]) -> None:
        """Delete an account's mails of some kinds that were not sent; its row is locked."""
        session.execute(
            delete(cls).where(
                cls.user_id == user_id, cls.kind.in_(kinds), cls.sent_at.is_(None)
            ),
            execution_options={"synchronize_session": False},
        )  # fmt: skip

    @classmethod
    def retry(cls, session: Session, now: datetime, ids: Collection[int] = ()) -> int:
        """Send mails that were set aside again, all or some, and return how many.

        They are as good as new: tried for as long as others, though their event stays theirs.
        """
        query = select(cls.id).where(cls.set_aside_at.is_not(None))
        if ids:
            query = query.where(cls.id.in_(ids))
        chosen = session.scalars(query.with_for_update()).all()
        session.execute(
            update(cls).where(cls.id.in_(chosen)).values(
                set_aside_at=None, reason=None, refused_count=0, due_at=now
            ),
            execution_options={"synchronize_session": False},
        )  # fmt: skip
        return len(chosen)

    @classmethod
    def listed(cls, connection: Connection, *, limit: int) -> list[MailRow]:
        """List the mails that were set aside, the oldest first, for the operator."""
        rows = connection.execute(
            select(cls.id, cls.kind, User.username, cls.made_at, cls.set_aside_at, cls.reason)
            .join(User, User.id == cls.user_id)
            .where(cls.set_aside_at.is_not(None))
            .order_by(cls.id)
            .limit(limit)
        )
        return [MailRow(*row) for row in rows]

    @classmethod
    def counts(cls, connection: Connection) -> MailCounts:
        """Return how many mails wait, and how many were set aside."""
        is_aside = cls.set_aside_at.is_not(None)
        rows = connection.execute(
            select(is_aside, func.count()).where(cls.sent_at.is_(None)).group_by(is_aside)
        )
        found = {bool(aside): count for aside, count in rows}
        return MailCounts(found.get(False, 0), found.get(True, 0))

    @classmethod
    def sweep(cls, session: Session, now: datetime) -> None:
        """Delete some of the oldest mails that were sent or set aside long ago."""
        old = (
            select(cls.id)
            .where(
                cls.made_at <= now - KEPT,
                or_(cls.sent_at <= now - KEPT, cls.set_aside_at <= now - KEPT),
            )
            .limit(SWEPT_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        session.execute(
            delete(cls).where(cls.id.in_(old)), execution_options={"synchronize_session": False}
        )


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(
        Mail.sent_at.is_(None),
        Mail.set_aside_at.is_(None),
        Mail.due_at <= now,
        or_(Mail.leased_until.is_(None), Mail.leased_until <= now),
    )


def _change(session: Session, mail_id: int, lease: str, **values: object) -> None:
    """Change a mail and end its lease; nothing changes if the lease is another's by now."""
    session.execute(
        update(Mail)
        .where(Mail.id == mail_id, Mail.lease == lease)
        .values(lease=None, leased_until=None, **values),
        execution_options={"synchronize_session": False},
    )
