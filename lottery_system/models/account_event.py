"""Account history: what happened to an account, by whom and in which browser; kept 90 days."""

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, ForeignKey, Index, String, delete, insert, or_, select
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from lottery_system.models.base import Base, table_of
from lottery_system.models.user import User

KEPT = timedelta(days=90)
BROWSER_LENGTH = 60
DETAIL_LENGTH = 200
#: events that are deleted at once, so that no lock is held for long
SWEPT_AT_ONCE = 1000
#: events by others that are told at once
UNTOLD_AT_ONCE = 20


class AccountEventKind(StrEnum):
    """What can happen to an account; the database accepts any text, so that kinds can be added."""

    SIGNED_UP = "signed_up"
    JOINED_BY_INVITATION = "joined_by_invitation"
    LOGGED_IN = "logged_in"
    LOGGED_OUT = "logged_out"
    #: one log-in, from another browser
    LOG_IN_ENDED = "log_in_ended"
    OTHER_LOG_INS_ENDED = "other_log_ins_ended"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    #: who made a link to set a new password, and that it was used
    RESET_LINK_MADE = "reset_link_made"
    RESET_LINK_USED = "reset_link_used"
    MAIL_ADDRESS_VERIFIED = "mail_address_verified"
    MAIL_ADDRESS_CHANGED = "mail_address_changed"
    MAIL_ADDRESS_REMOVED = "mail_address_removed"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    #: its counter went back
    PASSKEY_COPIED = "passkey_copied"
    AUTHENTICATOR_ADDED = "authenticator_added"
    AUTHENTICATOR_REMOVED = "authenticator_removed"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    RECOVERY_CODE_USED = "recovery_code_used"
    #: the right password, and then a wrong code
    WRONG_CODE = "wrong_code"
    #: by an organiser or a command, for a holder who has lost them
    SECOND_FACTORS_REMOVED = "second_factors_removed"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    PROMOTED = "promoted"
    DEMOTED = "demoted"
    ACCOUNT_CLOSED = "account_closed"


class EventRow(NamedTuple):
    """An event for lists; its order is that of the statement's columns."""

    id: int
    user_id: int
    username: str
    kind: str
    happened_at: datetime
    #: who did it; None for the holder, the operator or the lottery itself
    actor: str | None
    by_command: bool
    browser: str | None
    detail: str | None


class AccountEvent(Base):
    """One event of an account. Triggers refuse changes, and deletion while it is young."""

    __tablename__ = "account_events"
    __table_args__ = (
        Index("ix_account_events_user_id_id", "user_id", "id"),
        Index("ix_account_events_kind_id", "kind", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: whose account
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(40))
    happened_at: Mapped[datetime] = mapped_column(index=True)
    #: another user who did it, such as an organiser; None for its holder, a command or the tick
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    by_command: Mapped[bool]
    #: in short, such as "Firefox on Android"; see `browsers`
    browser: Mapped[str | None] = mapped_column(String(BROWSER_LENGTH))
    #: such as why it was blocked, or which browser; never a secret
    detail: Mapped[str | None] = mapped_column(String(DETAIL_LENGTH))

    @classmethod
    def record(
        cls,
        session: Session,
        user_id: int,
        kind: AccountEventKind,
        now: datetime,
        *,
        actor_id: int | None = None,
        by_command: bool = False,
        browser: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Record what happens to an account, in the transaction in which it happens.

        Args:
            actor_id: who does it, if it is not the holder.
            browser: what `browsers.describe_browser` returns, cut to `BROWSER_LENGTH`.
            detail: cut to `DETAIL_LENGTH` characters.
        """
        row = {
            "user_id": user_id,
            "kind": AccountEventKind(kind).value,
            "happened_at": now,
            "actor_id": actor_id,
            "by_command": by_command,
            "browser": browser and browser[:BROWSER_LENGTH],
            "detail": detail and detail[:DETAIL_LENGTH],
        }
        session.execute(insert(table_of(cls)), row)

    @classmethod
    def latest_of(
        cls, connection: Connection, user_id: int, limit: int, before: int | None = None
    ) -> list[EventRow]:
        """List what happened to an account, the newest first.

        Args:
            before: the `id` of the last event of the page before; None for the first page.
        """
        query = _ROWS.where(cls.user_id == user_id).order_by(cls.id.desc()).limit(limit)
        if before is not None:
            query = query.where(cls.id < before)
        return [EventRow(*row) for row in connection.execute(query)]

    @classmethod
    def untold(
        cls, connection: Connection, user: User, limit: int = UNTOLD_AT_ONCE
    ) -> list[EventRow]:
        """List what others did to an account and its holder has not seen, the newest first.

        Among them, that a passkey seems to have been copied.
        """
        query = (
            _ROWS.where(
                cls.user_id == user.id,
                cls.id > (user.told_event or 0),
                cls.kind != AccountEventKind.SIGNED_UP,
                or_(_BY_ANOTHER, cls.kind == AccountEventKind.PASSKEY_COPIED),
            )
            .order_by(cls.id.desc())
            .limit(limit)
        )
        return [EventRow(*row) for row in connection.execute(query)]

    @classmethod
    def latest_by_others(
        cls, connection: Connection, limit: int, kinds: Collection[AccountEventKind]
    ) -> list[EventRow]:
        """List what organisers and commands did to accounts, the newest first; for organisers."""
        query = _ROWS.where(cls.kind.in_(kinds), _BY_ANOTHER)
        rows = connection.execute(query.order_by(cls.id.desc()).limit(limit))
        return [EventRow(*row) for row in rows]

    @classmethod
    def sweep(cls, session: Session, now: datetime) -> int:
        """Delete the oldest events whose time is over, and return how many; more may be left."""
        old = (
            select(cls.id)
            .where(cls.happened_at <= now - KEPT)
            .order_by(cls.happened_at)
            .limit(SWEPT_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        ids = session.scalars(old).all()
        if ids:
            session.execute(
                delete(cls).where(cls.id.in_(ids)),
                execution_options={"synchronize_session": False},
            )
        return len(ids)


_BY_ANOTHER = or_(AccountEvent.actor_id.is_not(None), AccountEvent.by_command)
_actor = aliased(User)
_ROWS = (
    select(
        AccountEvent.id,
        AccountEvent.user_id,
        User.username,
        AccountEvent.kind,
        AccountEvent.happened_at,
        _actor.username,
        AccountEvent.by_command,
        AccountEvent.browser,
        AccountEvent.detail,
    )
    .join_from(AccountEvent, User, User.id == AccountEvent.user_id)
    .outerjoin(_actor, _actor.id == AccountEvent.actor_id)
)
