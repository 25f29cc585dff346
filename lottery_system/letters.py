"""Letters: what a mail of the outbox says, read when it is sent.

So a mail that was put off for days tells what is true by then. A link's token is made here, as only
its hash is stored: each try of a mail makes a new one, and the one before ends.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from hmac import new as keyed_hash

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from lottery_system.clock import day_of
from lottery_system.models import AccountLink, LinkPurpose, Mail, MailAddress, MailKind, User
from lottery_system.models.address_change import LIFETIME
from lottery_system.models.claim_event import OFFERED
from lottery_system.models.mail import TO_NEWEST_ADDRESS
from lottery_system.queries import AnyRow
from lottery_system.queries.claims import claim_of

#: what the links in mails that set a password are about; a link that an organiser made is about
#: nothing
BY_MAIL = "mail"
#: mails that can be turned off by a link in them, since no account depends on them
CAN_BE_STOPPED = frozenset({MailKind.WON})


@dataclass(frozen=True)
class Letter:
    """What a mail says, and to whom."""

    kind: MailKind
    #: tells mails apart, the same at each try
    mail_id: int
    made_at: datetime
    address: str
    username: str
    user_id: int
    #: by its ISO 639-1 code
    language: str
    detail: str | None
    #: of the link, if it has one
    token: str | None = field(default=None, repr=False)
    #: of a mail about one; see `queries.claims.claim_of`
    prize: AnyRow | None = None
    #: by its IANA name; None for UTC
    time_zone: str | None = None


def letter_of(session: Session, mail: Mail, now: datetime) -> Letter | None:
    """Read what a mail says, and make its link; None if there is nothing to tell any more.

    Args:
        mail: locked, and its user before it (`Mail.open`).
    """
    user = session.get_one(User, mail.user_id, populate_existing=True)
    its = session.get(MailAddress, user.id, populate_existing=True)
    kind = MailKind(mail.kind)
    address = its.address if its and kind in TO_NEWEST_ADDRESS else mail.address
    if address is None or (user.closed_at is not None and kind in {*TO_NEWEST_ADDRESS}):
        return None
    token, prize = None, None
    if kind is MailKind.VERIFY:
        if its is None or its.asked != address:
            return None
        token = AccountLink.make(
            session, LinkPurpose.MAIL_ADDRESS, user.id, now, LIFETIME, subject=address
        )
    elif kind is MailKind.RESET:
        if _has_other_link(session, user.id, mail.made_at):
            return None
        token = AccountLink.make(
            session, LinkPurpose.PASSWORD, user.id, now, LIFETIME, subject=BY_MAIL
        )
    elif kind is MailKind.WON:
        prize = _prize_of(session, mail, now)
        if prize is None:
            return None
    return Letter(
        kind,
        mail.id,
        mail.made_at,
        address,
        user.username,
        user.id,
        user.language or (its.language if its else "en"),
        mail.detail,
        token,
        prize,
        user.time_zone,
    )


def stopping_token(secret_key: str, user_id: int, address: str) -> str:
    """Return what proves that somebody got a mail: it turns off mails about prizes, no more.

    It is worth nothing once the account has another address.
    """
    text = f"stop mails\n{user_id}\n{address}"
    digest = keyed_hash(secret_key.encode(), text.encode(), sha256).hexdigest()
    return f"{user_id}-{digest}"


def _has_other_link(session: Session, user_id: int, since: datetime) -> bool:
    """Return whether an organiser or a command made a newer link, which a new one would end."""
    link = select(AccountLink.token_hash).where(
        AccountLink.user_id == user_id,
        AccountLink.purpose == LinkPurpose.PASSWORD,
        AccountLink.made_at > since,
        or_(AccountLink.subject.is_(None), AccountLink.subject != BY_MAIL),
    )
    return session.execute(link.limit(1)).first() is not None


def _prize_of(session: Session, mail: Mail, now: datetime) -> AnyRow | None:
    """Return the prize of a mail; None if it was claimed, lapsed, or can't be claimed any more."""
    day, _, place = (mail.detail or "").partition("/")
    prize = claim_of(session.connection(), date.fromisoformat(day), int(place))
    if prize is None or prize.state != OFFERED or prize.user_id != mail.user_id:
        return None
    is_over = prize.claim_until is not None and prize.claim_until < day_of(now)
    return None if is_over else prize
