"""Invitation: a link by which a number of people may sign up, for a time; kept for ever.

The token is returned once, when the invitation is made; only its hash is stored. A poster that was
lost is replaced by a new invitation: a token that could be shown again could be stolen from a
backup. Each use is a row of its own, so that it is known who came by which invitation; triggers
refuse a use beyond what the invitation allows. Looking at an invitation never uses it up.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKey,
    LargeBinary,
    Select,
    String,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.errors import LotteryError
from lottery_system.models.base import Base, table_of
from lottery_system.models.lottery_edit import demand_organiser
from lottery_system.models.user import User
from lottery_system.text_input import BadText, enforce_line

TOKEN_BYTES = 32
LABEL_LENGTH = 80
#: people who may come by one invitation, and days for which it may be open, at most
MOST_USES, MOST_DAYS = 10_000, 366


class InvitationState(StrEnum):
    """Whether an invitation lets somebody in, and if not, why."""

    OPEN = "open"
    USED_UP = "used_up"
    EXPIRED = "expired"
    #: by an organiser
    ENDED = "ended"


class UnknownInvitation(LotteryError):
    """No invitation has this token."""

    def __init__(self) -> None:
        super().__init__(
            "This invitation isn’t valid. Check that you opened all of the link, up to the last "
            "character."
        )


class InvitationOver(LotteryError):
    """The invitation lets nobody in any more; nothing was stored."""


class InvitationRow(NamedTuple):
    """An invitation for lists; its order is that of the statement's columns."""

    id: int
    label: str
    uses: int
    used: int
    #: the organiser
    made_by: str
    made_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    def state(self, now: datetime) -> InvitationState:
        """Return whether it lets somebody in."""
        if self.ended_at is not None:
            return InvitationState.ENDED
        if self.used >= self.uses:
            return InvitationState.USED_UP
        return InvitationState.EXPIRED if self.expires_at <= now else InvitationState.OPEN


class GuestRow(NamedTuple):
    """Somebody who came by an invitation; its order is that of the statement's columns."""

    number: int
    user_id: int
    username: str
    used_at: datetime


def enforce_label(text: str) -> str:
    """Validate what organisers call an invitation, which is required, and return it normalised.

    Raises:
        BadText: with a sentence for the organiser.
    """
    too_long = BadText("The name can be at most %(most)s characters long.", most=LABEL_LENGTH)
    label = enforce_line(text, LABEL_LENGTH, too_long)
    if not label:
        raise BadText("Enter a name, so that you can tell this invitation from others.")
    return label


class Invitation(Base):
    """One invitation. Triggers refuse any change but its end."""

    __tablename__ = "invitations"
    __table_args__ = (CheckConstraint("uses > 0", "uses"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    #: for organisers alone
    label: Mapped[str] = mapped_column(String(LABEL_LENGTH))
    #: how many people may come by it
    uses: Mapped[int]
    made_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    @classmethod
    def make(
        cls, session: Session, label: str, now: datetime, *, uses: int, days: int, by: int
    ) -> tuple[int, str]:
        """Make an invitation, and return its id and the token, which is not stored.

        Args:
            uses: from 1 to `MOST_USES`.
            days: for which it is open, from 1 to `MOST_DAYS`.
            by: the organiser.

        Raises:
            NotAnOrganiser: `by` is not an organiser.
            BadText: the label cannot be taken as it is.
        """
        demand_organiser(session, by)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        made = cls(
            token_hash=_digest(token),
            label=enforce_label(label),
            uses=min(uses, MOST_USES),
            made_by=by,
            made_at=now,
            expires_at=now + timedelta(days=min(days, MOST_DAYS)),
        )
        session.add(made)
        session.flush()
        return made.id, token

    @classmethod
    def demand_open(cls, connection: Connection, token: str, now: datetime) -> InvitationRow:
        """Return the invitation that a token is of; reads only.

        Raises:
            UnknownInvitation: there is none.
            InvitationOver: it lets nobody in.
        """
        row = connection.execute(_ROWS.where(_invitation.token_hash == _digest(token))).first()
        if row is None:
            raise UnknownInvitation
        found = InvitationRow._make(row)
        match found.state(now):
            case InvitationState.USED_UP:
                raise InvitationOver(
                    "This invitation has been used up: as many people have signed up with it as it "
                    "allows. Ask an organiser for another one."
                )
            case InvitationState.EXPIRED:
                raise InvitationOver(
                    "This invitation is too old. Ask an organiser for another one."
                )
            case InvitationState.ENDED:
                raise InvitationOver(
                    "An organiser has ended this invitation. Ask an organiser for another one."
                )
        return found

    @classmethod
    def use(cls, session: Session, token: str, user_id: int, now: datetime) -> InvitationRow:
        """Let a new user in by an invitation, in the transaction that stores the user.

        Locks the invitation: of two who come at once for the last use, the second finds none.

        Raises:
            UnknownInvitation: there is none; the caller's transaction is to be rolled back.
            InvitationOver: it lets nobody in; the same holds.
        """
        session.execute(select(cls.id).where(cls.token_hash == _digest(token)).with_for_update())
        found = cls.demand_open(session.connection(), token, now)
        session.execute(
            insert(table_of(InvitationUse)),
            {
                "invitation_id": found.id,
                "number": found.used + 1,
                "user_id": user_id,
                "used_at": now,
            },
        )
        return found

    @classmethod
    def end(cls, session: Session, invitation_id: int, now: datetime, by: int) -> bool:
        """End an invitation; return whether this call did it.

        Raises:
            NotAnOrganiser: `by` is not an organiser.
        """
        demand_organiser(session, by)
        ended = session.scalar(
            update(cls)
            .where(cls.id == invitation_id, cls.ended_at.is_(None))
            .values(ended_at=now, ended_by=by)
            .returning(cls.id)
        )
        return ended is not None

    @classmethod
    def latest(
        cls, connection: Connection, limit: int, before: int | None = None
    ) -> list[InvitationRow]:
        """List invitations, the newest first, from below an id."""
        query = _ROWS.order_by(_invitation.id.desc()).limit(limit)
        if before is not None:
            query = query.where(_invitation.id < before)
        return [InvitationRow._make(row) for row in connection.execute(query)]

    @classmethod
    def by_id(cls, connection: Connection, invitation_id: int) -> InvitationRow | None:
        """Return an invitation; None if there is none."""
        row = connection.execute(_ROWS.where(_invitation.id == invitation_id)).first()
        return InvitationRow._make(row) if row else None

    @classmethod
    def of_guest(cls, connection: Connection, user_id: int) -> InvitationRow | None:
        """Return the invitation by which a user came; None if by none."""
        invited = select(_use.invitation_id).where(_use.user_id == user_id)
        row = connection.execute(_ROWS.where(_invitation.id == invited.scalar_subquery())).first()
        return InvitationRow._make(row) if row else None

    @classmethod
    def joined_at(cls, connection: Connection, user_id: int) -> datetime | None:
        """Return when a user came by an invitation; None if by none."""
        return connection.scalar(select(_use.used_at).where(_use.user_id == user_id))

    @classmethod
    def guests(
        cls, connection: Connection, invitation_id: int, limit: int, before: int | None = None
    ) -> Sequence[GuestRow]:
        """List who came by an invitation, the newest first, from below a number."""
        query = (
            select(_use.number, _use.user_id, User.username, _use.used_at)
            .join_from(table_of(InvitationUse), User, User.id == _use.user_id)
            .where(_use.invitation_id == invitation_id)
            .order_by(_use.number.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(_use.number < before)
        return [GuestRow._make(row) for row in connection.execute(query)]


class InvitationUse(Base):
    """One who came by an invitation; append-only. Triggers keep the numbers without a gap."""

    __tablename__ = "invitation_uses"

    invitation_id: Mapped[int] = mapped_column(
        ForeignKey("invitations.id"), primary_key=True, autoincrement=False
    )
    #: 1, 2, 3, ... within the invitation
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), unique=True)
    used_at: Mapped[datetime]


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="replace")).digest()


_invitation, _use = table_of(Invitation).c, table_of(InvitationUse).c
_used = select(func.count()).where(_use.invitation_id == _invitation.id).scalar_subquery()
_ROWS: Select[tuple[object, ...]] = select(
    _invitation.id,
    _invitation.label,
    _invitation.uses,
    _used.label("used"),
    User.username,
    _invitation.made_at,
    _invitation.expires_at,
    _invitation.ended_at,
).join_from(table_of(Invitation), User, User.id == _invitation.made_by)
