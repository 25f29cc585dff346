"""Log-in session in the database, so that logging out ends it on the server."""

import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    ForeignKey,
    LargeBinary,
    Select,
    String,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.clock import day_of
from lottery_system.errors import AccountBlocked, AccountClosed, LotteryError
from lottery_system.models.account_event import BROWSER_LENGTH
from lottery_system.models.base import Base, table_of
from lottery_system.models.claim_event import OFFERED, ClaimEvent
from lottery_system.models.user import User

LIFETIME = timedelta(days=30)
#: log-ins that an account has at most; a further one ends the oldest
MOST = 20
TOKEN_BYTES = 32
#: hex digits of a token's hash by which its holder's pages name a log-in
NAME_LENGTH = 16
#: log-ins whose last use is stored by one statement
SEEN_AT_ONCE = 500


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _name(digest: bytes) -> str:
    return bytes(digest).hex()[:NAME_LENGTH]


def _pieces(digests: Iterator[bytes]) -> Iterator[list[bytes]]:
    while piece := list(islice(digests, SEEN_AT_ONCE)):
        yield piece


@dataclass(frozen=True)
class Viewer:
    """The user of a request, as Flask-Login expects it."""

    id: int
    username: str
    is_organiser: bool
    #: the language that its account asks for; None for the browser's
    language: str | None
    #: the latest day whose result was seen; None for none
    seen_until: date | None
    #: what the browser holds
    token: str = field(repr=False)
    #: the first day whose prize this user can claim; None for none
    prize_to_claim: date | None = None
    #: when the log-in was last used, by what is stored
    seen_at: datetime | None = None
    #: whether it was begun, or has gone on, with a passkey or a second step
    has_second_factor: bool = False
    #: by its IANA name; None for that of each device
    time_zone: str | None = None

    is_authenticated: ClassVar[bool] = True
    is_active: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False

    def get_id(self) -> str:
        """Return what Flask-Login lets the browser keep: the token, not the user's number."""
        return self.token


class LogInEnded(LotteryError):
    """The log-in of whoever asks has ended meanwhile; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("You’re no longer logged in. Nothing was changed. Log in to continue.")


class LogIn(NamedTuple):
    """A log-in as its holder sees it."""

    #: tells it apart from the others of its account; worth nothing without the token
    name: str
    browser: str | None
    begun_at: datetime
    #: to the hour; None if unknown
    seen_at: datetime | None
    #: the one that asks
    is_this: bool


class LoginSession(Base):
    """One browser's log-in. The browser holds a token; only its hash is stored."""

    __tablename__ = "login_sessions"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    #: in short, such as "Firefox on Android"; None if unknown
    browser: Mapped[str | None] = mapped_column(String(BROWSER_LENGTH))
    #: when it was last used, to the hour; None for log-ins from before migration 0012
    seen_at: Mapped[datetime | None]
    #: when its holder showed more than a password; None for never
    second_factor_at: Mapped[datetime | None]
    #: when its holder last showed who it is, by a password or a passkey; None if unknown
    proven_at: Mapped[datetime | None]

    @classmethod
    def open(
        cls,
        session: Session,
        user: User,
        now: datetime,
        instead_of: str | None = None,
        browser: str | None = None,
        *,
        has_second_factor: bool = False,
    ) -> str:
        """Log a user in and return the token for the browser; all but the newest log-ins end.

        The session `instead_of` ends too, whoever's it is: a browser that logs in again gets a new
        token, and the previous one becomes invalid (OWASP ASVS 5.0, 7.2.4).

        Whoever logs in to an account that exists holds the lock of its row (`User.still_with`), so
        that two log-ins at the same time do not both count the same others.

        Raises:
            AccountBlocked: an organiser keeps the user out; a trigger refuses it, too.
            AccountClosed: nobody can log in to it.
        """
        if user.blocked_at is not None:
            raise AccountBlocked
        if user.closed_at is not None:
            raise AccountClosed
        token = secrets.token_urlsafe(TOKEN_BYTES)
        if instead_of is not None:
            cls.close(session, instead_of)
        newest = (
            select(cls.token_hash)
            .where(cls.user_id == user.id)
            .order_by(cls.created_at.desc())
            .limit(MOST - 1)
        )
        session.execute(
            delete(cls).where(cls.user_id == user.id, cls.token_hash.not_in(newest)),
            execution_options={"synchronize_session": False},
        )
        session.add(
            cls(
                token_hash=_digest(token),
                user_id=user.id,
                created_at=now,
                expires_at=now + LIFETIME,
                browser=browser,
                seen_at=now,
                second_factor_at=now if has_second_factor else None,
                proven_at=now,
            )
        )
        return token

    @classmethod
    def proven(cls, session: Session, token: str) -> datetime | None:
        """Return when the holder of a log-in last showed who it is; None if unknown."""
        return session.scalar(select(cls.proven_at).where(cls.token_hash == _digest(token)))

    @classmethod
    def renew(
        cls,
        session: Session,
        user: User,
        token: str,
        now: datetime,
        *,
        has_second_factor: bool,
        is_proven: bool = False,
    ) -> str:
        """Give a log-in a new token, and what its holder has just shown; the old one is worthless.

        The caller holds the lock of the user's row, as whoever ends log-ins does.

        Args:
            has_second_factor: whether it goes on as one with a second factor.
            is_proven: whether the holder has just shown who it is.

        Raises:
            LogInEnded: it has ended meanwhile.
        """
        old = session.get(cls, _digest(token), with_for_update=True, populate_existing=True)
        if old is None or old.user_id != user.id:
            raise LogInEnded
        proven_at = now if is_proven else old.proven_at
        new = cls.open(session, user, now, token, old.browser, has_second_factor=has_second_factor)
        session.flush()
        session.get_one(cls, _digest(new)).proven_at = proven_at
        return new

    @classmethod
    def viewers(
        cls, connection: Connection, tokens: Collection[str], now: datetime
    ) -> dict[str, Viewer]:
        """Return whom tokens log in, in one query; a token that has ended is left out.

        Over a plain connection: nearly every request asks this, and an entity and a session around
        it would cost more than the query.
        """
        by_hash = {_digest(token): token for token in tokens}
        hashes = list(by_hash)
        parameters = {"token_hashes": hashes, "token_hash": hashes[0], "now": now}
        rows = connection.execute(
            _VIEWERS if len(hashes) > 1 else _VIEWER, {**parameters, "today": day_of(now)}
        )
        tokens_and_rows = ((by_hash[bytes(row.token_hash)], row) for row in rows)
        return {
            token: Viewer(
                row.id,
                row.username,
                row.is_organiser,
                row.language,
                row.seen_until,
                token,
                row.prize_to_claim,
                row.seen_at,
                row.second_factor_at is not None,
                row.time_zone,
            )
            for token, row in tokens_and_rows
        }

    @classmethod
    def of_user(cls, session: Session, user_id: int, token: str, now: datetime) -> list[LogIn]:
        """List a user's log-ins that still hold, the newest first.

        No more than `MOST`: an account may have more from before there was a bound, until its next
        log-in.

        Args:
            token: of the log-in that asks.
        """
        rows = session.execute(
            select(cls.token_hash, cls.browser, cls.created_at, cls.seen_at)
            .where(cls.user_id == user_id, cls.expires_at > now)
            .order_by(cls.created_at.desc())
            .limit(MOST)
        )
        this = _name(_digest(token))
        return [
            LogIn(name := _name(digest), browser, begun_at, seen_at, name == this)
            for digest, browser, begun_at, seen_at in rows
        ]

    @classmethod
    def close_named(cls, session: Session, user_id: int, name: str) -> "LoginSession | None":
        """End the log-in of a user that `of_user` calls so, and return what it was."""
        digests = session.scalars(select(cls.token_hash).where(cls.user_id == user_id)).all()
        chosen = [each for each in digests if _name(each) == name]
        return session.scalar(
            delete(cls).where(cls.user_id == user_id, cls.token_hash.in_(chosen)).returning(cls)
        )

    @classmethod
    def see(cls, session: Session, tokens: Collection[str], now: datetime) -> None:
        """Store that log-ins were used just now; those that are ending meanwhile are left out."""
        for digests in _pieces(map(_digest, tokens)):
            here = select(cls.token_hash).where(cls.token_hash.in_(digests))
            session.execute(
                update(cls)
                .where(cls.token_hash.in_(here.with_for_update(skip_locked=True)))
                .values(seen_at=now),
                execution_options={"synchronize_session": False},
            )

    @classmethod
    def close(cls, session: Session, token: str) -> None:
        """End one log-in; the token is worth nothing from then on."""
        session.execute(delete(cls).where(cls.token_hash == _digest(token)))

    @classmethod
    def close_others(cls, session: Session, user_id: int, token: str) -> None:
        """End all log-ins of a user but that of `token`."""
        session.execute(delete(cls).where(cls.user_id == user_id, cls.token_hash != _digest(token)))

    @classmethod
    def close_all(cls, session: Session, user_id: int) -> None:
        """End all log-ins of a user."""
        session.execute(delete(cls).where(cls.user_id == user_id))

    @classmethod
    def sweep(cls, session: Session, now: datetime) -> None:
        """Forget the log-ins that have expired."""
        session.execute(delete(cls).where(cls.expires_at <= now))


_login, _user = table_of(LoginSession), table_of(User)
_offer, _after = table_of(ClaimEvent).alias("offer"), table_of(ClaimEvent).alias("after")
#: a subquery of the login session's statement, so that no page needs another one; it uses the
#: index of holders, in which users who never won have no row
_prize_to_claim = (
    select(func.min(_offer.c.day))
    .where(
        _offer.c.holder_id == _user.c.id,
        _offer.c.kind == OFFERED,
        or_(_offer.c.claim_until.is_(None), _offer.c.claim_until >= bindparam("today")),
        ~select(_after.c.day)
        .where(
            _after.c.day == _offer.c.day,
            _after.c.place == _offer.c.place,
            _after.c.kind != OFFERED,
        )
        .correlate(_offer)
        .exists(),
    )
    .correlate(_user)
    .scalar_subquery()
)


def _viewers(condition: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            _login.c.token_hash,
            _user.c.id,
            _user.c.username,
            _user.c.is_organiser,
            _user.c.language,
            _user.c.seen_until,
            _user.c.time_zone,
            _login.c.seen_at,
            _login.c.second_factor_at,
            _prize_to_claim.label("prize_to_claim"),
        )
        .join_from(_user, _login, _login.c.user_id == _user.c.id)
        .where(condition, _login.c.expires_at > bindparam("now"))
    )


#: a list in a statement is written out at each execution, which costs a fifth of it
_VIEWER = _viewers(_login.c.token_hash == bindparam("token_hash"))
_VIEWERS = _viewers(_login.c.token_hash.in_(bindparam("token_hashes", expanding=True)))
