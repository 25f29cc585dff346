"""User: a participant with username and password, perhaps an organiser."""

from datetime import date, datetime

from sqlalchemy import Index, String, Text, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base
from lottery_system.time_zones import NAME_LENGTH
from lottery_system.usernames import look_alike_key, normalise_username, username_key

#: a lock of a user's row that lets others refer to it meanwhile, as events do to who did something;
#: two who each do something to the other's account would wait for each other otherwise
LOCK = {"key_share": True}
BLOCK_REASON_LENGTH = 200
_IS_BLOCKED = text("blocked_at IS NOT NULL")


class User(Base):
    """A user. The two keys make a username unique, see `usernames`."""

    __tablename__ = "users"
    __table_args__ = (
        Index("ix_users_blocked", "id", sqlite_where=_IS_BLOCKED, postgresql_where=_IS_BLOCKED),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: as its holder wrote it, normalised
    username: Mapped[str] = mapped_column(String(64))
    #: without regard to case: what one logs in by
    username_key: Mapped[str] = mapped_column(Text, unique=True)
    #: without regard to letters that look the same
    look_alike_key: Mapped[str] = mapped_column(Text, unique=True)
    #: argon2id, in its encoded form
    password_hash: Mapped[str] = mapped_column(String(255))
    is_organiser: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    #: the language of the pages, by its ISO 639-1 code; None for the browser's
    language: Mapped[str | None] = mapped_column(String(2))
    #: in which times are written, by its IANA name; None for that of each device
    time_zone: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    #: the latest day whose result its holder has seen; None for none
    seen_until: Mapped[date | None]
    #: when its holder closed the account; the username stays, since winners keep their names
    closed_at: Mapped[datetime | None]
    #: the latest account event of others that its holder has seen; None for none
    told_event: Mapped[int | None]
    #: when an organiser blocked it, and why; None if it is not blocked. See `block`.
    blocked_at: Mapped[datetime | None]
    block_reason: Mapped[str | None] = mapped_column(String(BLOCK_REASON_LENGTH))
    #: the site change whose terms were accepted at the sign-up; None if there were none
    accepted_terms: Mapped[int | None]

    @classmethod
    def sign_up(
        cls, username: str, password_hash: str, now: datetime, *, is_organiser: bool = False
    ) -> "User":
        """Make a user of an enforced username; the unique keys refuse a second of its kind."""
        return cls(
            username=username,
            username_key=username_key(username),
            look_alike_key=look_alike_key(username),
            password_hash=password_hash,
            is_organiser=is_organiser,
            created_at=now,
        )

    @classmethod
    def by_username(cls, session: Session, username: str) -> "User | None":
        """Find a user by a username as it may be typed, in any case.

        Raises:
            BadUsername: nobody can be called so.
        """
        key = username_key(normalise_username(username))
        return session.scalar(select(cls).where(cls.username_key == key))

    @classmethod
    def still_with(cls, session: Session, user_id: int, password_hash: str) -> "User | None":
        """Lock a user whose password is still the one that was checked; None if it is not.

        Checking a password takes long, and holds no transaction: meanwhile it may be changed, or
        the account closed.
        """
        return session.scalar(
            select(cls)
            .where(cls.id == user_id, cls.password_hash == password_hash)
            .with_for_update()
        )

    @classmethod
    def see_results(cls, session: Session, user_id: int, until: date, today: date) -> None:
        """Record up to which day the user has seen the results; never back, nor beyond today."""
        session.execute(
            update(cls)
            .where(cls.id == user_id, (cls.seen_until < until) | cls.seen_until.is_(None))
            .values(seen_until=min(until, today))
        )

    def close(self, now: datetime) -> None:
        """Close the account. Its ballots stay, since draws and proofs contain them."""
        self.closed_at = now
        self.password_hash = ""
        self.is_organiser = False
