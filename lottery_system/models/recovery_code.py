"""Recovery code: lets a user log in, once, whose phone or key is lost."""

import secrets
from hashlib import sha256

from sqlalchemy import ForeignKey, LargeBinary, delete, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base, table_of

#: codes that are made at once
COUNT = 10
#: characters of a code, five bits each: 120 bits are enough for a plain hash
#: (OWASP ASVS 5.0, 6.5.2)
LENGTH = 24
GROUP = 4
#: Crockford's base 32, which has no letters that are taken for others
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
MISTAKEN = str.maketrans("ilo", "110", "- \u00a0")
#: characters that are looked at
LONGEST = 60


class RecoveryCode(Base):
    """One code that was not used yet; only its hash is stored."""

    __tablename__ = "recovery_codes"

    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)

    @classmethod
    def make(cls, session: Session, user_id: int) -> list[str]:
        """Make new codes, which end the ones before, and return them as people read them.

        The caller holds the lock of the user's row, so that of two sets only the later one counts.
        """
        cls.remove_all(session, user_id)
        codes = ["".join(secrets.choice(ALPHABET) for _ in range(LENGTH)) for _ in range(COUNT)]
        rows = [{"code_hash": _digest(code), "user_id": user_id} for code in codes]
        session.execute(insert(table_of(cls)), rows)
        return ["-".join(code[at : at + GROUP] for at in range(0, LENGTH, GROUP)) for code in codes]

    @classmethod
    def use(cls, session: Session, user_id: int, text: str) -> bool:
        """Use a code up, and return whether it is one of the user's; of two at once for one."""
        code = normalise_code(text)
        if code is None:
            return False
        its = (cls.user_id == user_id, cls.code_hash == _digest(code))
        return session.scalar(delete(cls).where(*its).returning(cls.user_id)) is not None

    @classmethod
    def count(cls, session: Session, user_id: int) -> int:
        """Return how many codes are left to a user."""
        return session.scalar(select(func.count()).where(cls.user_id == user_id)) or 0

    @classmethod
    def remove_all(cls, session: Session, user_id: int) -> None:
        """Remove all codes of a user."""
        session.execute(delete(cls).where(cls.user_id == user_id))


def normalise_code(text: str) -> str | None:
    """Return a code as it is hashed; None if the text cannot be one."""
    if len(text) > LONGEST:
        return None
    code = text.strip().lower().translate(MISTAKEN)
    return code if len(code) == LENGTH and set(code) <= set(ALPHABET) else None


def _digest(code: str) -> bytes:
    return sha256(code.encode()).digest()
