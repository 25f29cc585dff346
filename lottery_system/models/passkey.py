"""Passkey: a public key of one user, whose private half is on the user's device.

W3C Web Authentication Level 3. The signature is checked by `passkeys`, here is what is stored.
"""

import hmac
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.errors import LotteryError
from lottery_system.models.base import Base
from lottery_system.models.user import LOCK, User
from lottery_system.passkeys import LONGEST_ID, CreatedPasskey
from lottery_system.text_input import BadText, enforce_line

#: passkeys that an account has at most
MOST = 10
NAME_LENGTH = 40
HANDLE_BYTES = 16


class TooManyPasskeys(LotteryError):
    """The account has as many passkeys as it may have."""

    def __init__(self) -> None:
        super().__init__(
            "You have %(most)s passkeys, the most there can be. Remove one first.", most=MOST
        )


class KnownPasskey(LotteryError):
    """The passkey is stored already."""

    def __init__(self) -> None:
        super().__init__("This passkey has been added already. Nothing was changed.")


class CopiedPasskey(LotteryError):
    """The counter of a passkey went back: two devices have the same key. It works no longer."""

    #: for the log
    reason = "copied"

    def __init__(self) -> None:
        super().__init__(
            "This passkey was refused, because another device seems to have a copy of it. It "
            "can’t be used any more. Log in with your password, then remove it."
        )


class Passkey(Base):
    """One passkey. It is of no use to whoever reads it here: the private key is elsewhere."""

    __tablename__ = "passkeys"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    #: by which the device names it
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(LONGEST_ID), unique=True)
    #: in COSE's form (RFC 9052)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    #: how the device names the account, the same for all its passkeys; see `handle_of`
    user_handle: Mapped[bytes] = mapped_column(LargeBinary(HANDLE_BYTES))
    #: how often the device has used it; 0 if it does not count
    sign_count: Mapped[int] = mapped_column(BigInteger)
    #: as its holder called it
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    #: when its counter went back; it has been refused since
    copied_at: Mapped[datetime | None]

    @classmethod
    def handle_of(cls, session: Session, user_id: int, secret_key: str) -> bytes:
        """Return how devices name an account: as its passkeys do, or made of the lottery's key.

        It tells nothing about whose it is (Web Authentication Level 3 section 14.6.1).
        """
        known = session.scalar(select(cls.user_handle).where(cls.user_id == user_id).limit(1))
        text = f"user handle {user_id}".encode()
        made = hmac.digest(secret_key.encode(), text, "sha256")[:HANDLE_BYTES]
        return bytes(known) if known else made

    @classmethod
    def add(
        cls, session: Session, user_id: int, name: str, created: CreatedPasskey, now: datetime
    ) -> "Passkey":
        """Store a passkey that a device has just made.

        Args:
            name: what `enforce_passkey_name` returned.

        Raises:
            TooManyPasskeys: the account has enough.
            KnownPasskey: it is stored, for whomever.
        """
        session.get_one(User, user_id, with_for_update=LOCK)  # so that two at once are counted
        if cls.count(session, user_id) >= MOST:
            raise TooManyPasskeys
        known = select(cls.id).where(cls.credential_id == created.credential_id)
        if session.scalar(known) is not None:
            raise KnownPasskey
        passkey = cls(
            user_id=user_id,
            credential_id=created.credential_id,
            public_key=created.public_key,
            user_handle=created.user_handle,
            sign_count=created.sign_count,
            name=name,
            created_at=now,
        )
        session.add(passkey)
        session.flush()
        return passkey

    @classmethod
    def by_credential(cls, session: Session, credential_id: bytes) -> "Passkey | None":
        """Find a passkey by the name that its device has for it; lock its user, then itself.

        In this order, as whoever adds or removes one does, so that none waits for the other.
        """
        its = cls.credential_id == credential_id
        user_id = session.scalar(select(cls.user_id).where(its))
        if user_id is None:
            return None
        session.get_one(User, user_id, with_for_update=LOCK)
        return session.scalar(select(cls).where(its).with_for_update())

    @classmethod
    def of_user(cls, session: Session, user_id: int) -> list["Passkey"]:
        """List a user's passkeys, the oldest first."""
        query = select(cls).where(cls.user_id == user_id).order_by(cls.id)
        return list(session.scalars(query))

    @classmethod
    def count(cls, session: Session, user_id: int) -> int:
        """Return how many passkeys a user has, those that are refused among them."""
        return session.scalar(select(func.count()).where(cls.user_id == user_id)) or 0

    @classmethod
    def remove(cls, session: Session, user_id: int, passkey_id: int) -> str | None:
        """Remove one passkey of a user, and return its name; None if there is no such one."""
        return session.scalar(
            delete(cls).where(cls.user_id == user_id, cls.id == passkey_id).returning(cls.name)
        )

    @classmethod
    def remove_all(cls, session: Session, user_id: int) -> None:
        """Remove all passkeys of a user."""
        session.execute(delete(cls).where(cls.user_id == user_id))

    def use(self, sign_count: int, now: datetime) -> bool:
        """Record that the device has signed with it, and return whether it is still to be trusted.

        A device that counts never counts back: if the counter is not above the last one, there is a
        copy, and nobody knows which of the two asks (Web Authentication Level 3 section 6.1.1).

        Args:
            sign_count: what the device, whose signature was checked, says.
        """
        counts = sign_count > 0 or self.sign_count > 0
        if counts and sign_count <= self.sign_count:
            self.copied_at = self.copied_at or now
        if self.copied_at:
            return False
        self.sign_count = sign_count
        self.used_at = now
        return True


def enforce_passkey_name(text: str) -> str:
    """Validate what a holder calls a passkey, and return it normalised.

    Raises:
        BadText: with a sentence for the person who typed it.
    """
    too_long = BadText(
        "A passkey’s name can have up to %(most)s characters. Shorten it.", most=NAME_LENGTH
    )
    name = enforce_line(text, NAME_LENGTH, too_long)
    if not name:
        raise BadText("Enter a name, such as “My phone”.")
    return name
