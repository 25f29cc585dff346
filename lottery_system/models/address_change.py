"""Changes of an account's mail address: asked for, verified by a link of one use, removed.

Each locks the user's row first. The address before is told of a change, since it may be somebody
else who made it.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from lottery_system.errors import LotteryError
from lottery_system.mail_addresses import mail_address_key
from lottery_system.models.account_event import AccountEvent, AccountEventKind
from lottery_system.models.account_link import AccountLink, LinkPurpose, LinkState
from lottery_system.models.mail import Mail, MailKind
from lottery_system.models.mail_address import MailAddress
from lottery_system.models.user import User

LIFETIME = timedelta(days=1)


class UnknownAddressLink(LotteryError):
    """No link has this token."""

    def __init__(self) -> None:
        super().__init__(
            "This link isn’t valid. Check that you opened all of it, up to the last character."
        )


class AddressLinkOver(LotteryError):
    """The link was used, or ended, or its time is over."""


class AddressTaken(LotteryError):
    """The address is verified for as many accounts as it can be."""

    def __init__(self) -> None:
        super().__init__(
            "This email address is confirmed for several other accounts already, and can’t be used "
            "for more. Remove it from one of them, or use another address."
        )


def ask_address(session: Session, user_id: int, address: str, language: str, now: datetime) -> None:
    """Keep an address that is to be verified, and add the mail with the link.

    Args:
        address: as `enforce_mail_address` returns it.
        language: of the page.
    """
    its = _lock(session, user_id)
    if its is None:
        its = MailAddress(user_id=user_id, language=language)
        session.add(its)
    its.asked, its.asked_at, its.language = address, now, language
    AccountLink.end_all(session, user_id, now, LinkPurpose.MAIL_ADDRESS)
    Mail.withdraw(session, user_id, [MailKind.VERIFY])
    session.flush()
    Mail.add(session.connection(), MailKind.VERIFY, user_id, now, address=address)


def look_address(session: Session, token: str, now: datetime) -> tuple[User, str]:
    """Return whose address a link verifies, and which; uses nothing up.

    Raises:
        UnknownAddressLink: there is no such link.
        AddressLinkOver: it works no more, with a sentence that says why.
    """
    link = AccountLink.look(session, LinkPurpose.MAIL_ADDRESS, token)
    if link is None:
        raise UnknownAddressLink
    user = session.get_one(User, link.user_id)
    state = link.state(now) if user.closed_at is None else LinkState.ENDED
    if state is not LinkState.WORKS:
        raise _over(state)
    return user, link.subject or ""


def verify_address(session: Session, token: str, now: datetime, browser: str | None = None) -> User:
    """Use a link up: its address is from now on that of the account.

    Raises:
        UnknownAddressLink, AddressLinkOver: as `look_address` does; nothing has changed.
        AddressTaken: too many accounts have this address.
    """
    user, address = look_address(session, token, now)
    its = _lock(session, user.id)
    if AccountLink.use(session, LinkPurpose.MAIL_ADDRESS, token, now) is None:
        session.expire_all()
        look_address(session, token, now)  # says why
    if its is None or its.asked != address:
        raise _over(LinkState.ENDED)
    if MailAddress.is_taken(session, address, user.id):
        raise AddressTaken
    before = its.address
    its.address, its.address_key, its.verified_at = address, mail_address_key(address), now
    its.asked = its.asked_at = None
    session.flush()
    is_other = before is not None and its.address_key != mail_address_key(before)
    kind = (
        AccountEventKind.MAIL_ADDRESS_CHANGED
        if is_other
        else AccountEventKind.MAIL_ADDRESS_VERIFIED
    )
    AccountEvent.record(session, user.id, kind, now, browser=browser)
    if before is not None and is_other:
        _end_links_to(session, user.id, now)
        _tell(session, user.id, before, now)
    return user


def remove_address(
    session: Session, user_id: int, now: datetime, browser: str | None = None
) -> bool:
    """Remove an account's address, verified or not; return whether there was one."""
    its = _lock(session, user_id)
    if its is None:
        return False
    before = its.address
    forget_address(session, user_id, now)
    AccountEvent.record(
        session, user_id, AccountEventKind.MAIL_ADDRESS_REMOVED, now, browser=browser
    )
    if before is not None:
        _tell(session, user_id, before, now)
    return True


def forget_address(session: Session, user_id: int, now: datetime) -> None:
    """Delete an account's address, and what was to be sent there, except warnings."""
    Mail.withdraw(session, user_id, [MailKind.VERIFY, MailKind.RESET, MailKind.WON])
    AccountLink.end_all(session, user_id, now, LinkPurpose.MAIL_ADDRESS)
    _end_links_to(session, user_id, now)
    session.execute(delete(MailAddress).where(MailAddress.user_id == user_id))


def _lock(session: Session, user_id: int) -> MailAddress | None:
    session.get_one(User, user_id, with_for_update=True, populate_existing=True)
    return session.get(MailAddress, user_id, populate_existing=True)


def _end_links_to(session: Session, user_id: int, now: datetime) -> None:
    """End what was mailed to the address before: whoever reads its mails sets no password."""
    AccountLink.end_all(session, user_id, now, LinkPurpose.PASSWORD)
    Mail.withdraw(session, user_id, [MailKind.RESET])


def _tell(session: Session, user_id: int, before: str, now: datetime) -> None:
    Mail.add(session.connection(), MailKind.ADDRESS_CHANGED, user_id, now, address=before)


def _over(state: LinkState) -> AddressLinkOver:
    if state is LinkState.USED:
        return AddressLinkOver("This link has been used already. Each link works once.")
    if state is LinkState.EXPIRED:
        return AddressLinkOver("This link is too old. Each link works for one day.")
    return AddressLinkOver(
        "This link no longer works. There’s a newer one, or the address or password has been "
        "changed since."
    )
