"""Password reset: a link of one use by which the holder of an account sets a new password.

An organiser makes one for a participant, a command for anybody. Making and using it is recorded in
the history of the account. Both lock the user's row first, so that they do not wait for each other.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from lottery_system.errors import AccountClosed, LotteryError
from lottery_system.models.account_event import AccountEvent, AccountEventKind
from lottery_system.models.account_link import AccountLink, LinkPurpose, LinkState
from lottery_system.models.login_session import LoginSession
from lottery_system.models.mail import Mail
from lottery_system.models.user import LOCK, User

LIFETIME = timedelta(days=1)


class OnlyByCommand(LotteryError):
    """Organisers make no links for organisers."""

    def __init__(self) -> None:
        super().__init__(
            "You can only create links for participants. For an organiser, ask whoever runs the "
            "server."
        )


class UnknownLink(LotteryError):
    """No link has this token."""

    def __init__(self) -> None:
        super().__init__(
            "This link isn’t valid. Check that you opened all of it, up to the last character."
        )


class LinkOver(LotteryError):
    """The link was used, or ended, or its time is over."""


class LoggedInAsAnother(LotteryError):
    """The link is for another account than the one that is logged in here."""

    def __init__(self, username: str) -> None:
        super().__init__(
            "You’re logged in as %(username)s, but this link is for another account. Log out, then "
            "open the link again.",
            username=username,
        )


def make_reset_link(
    session: Session,
    user_id: int,
    now: datetime,
    *,
    made_by: int | None = None,
    by_command: bool = False,
    browser: str | None = None,
) -> str:
    """Make a link to set a new password, end the one before, and return its token.

    Args:
        made_by: the organiser; None for a command, or if the holder asked for it.
        browser: of the holder, if it was the holder.

    Raises:
        AccountClosed: there is nothing to log in to.
        OnlyByCommand: an organiser may not make one for this user.
    """
    user = session.get_one(User, user_id, with_for_update=LOCK, populate_existing=True)
    if user.closed_at is not None:
        raise AccountClosed
    if made_by is not None and user.is_organiser:
        raise OnlyByCommand
    token = AccountLink.make(session, LinkPurpose.PASSWORD, user_id, now, LIFETIME, made_by=made_by)
    AccountEvent.record(
        session,
        user_id,
        AccountEventKind.RESET_LINK_MADE,
        now,
        actor_id=made_by,
        by_command=by_command,
        browser=browser,
    )
    return token


def holder_of(session: Session, token: str, now: datetime) -> User:
    """Return whose password a link sets; uses nothing up.

    Raises:
        UnknownLink: there is no such link.
        LinkOver: it works no more, with a sentence that says why.
        AccountClosed: there is nothing to log in to.
    """
    link = AccountLink.look(session, LinkPurpose.PASSWORD, token)
    if link is None:
        raise UnknownLink
    user = session.get_one(User, link.user_id)
    if user.closed_at is not None:
        raise AccountClosed
    state = link.state(now)
    if state is not LinkState.WORKS:
        raise _over(state)
    return user


def reset_password(
    session: Session, token: str, password_hash: str, now: datetime, browser: str | None = None
) -> User:
    """Use a link up: set the password, and end all log-ins and all other links of the account.

    Raises:
        UnknownLink, LinkOver, AccountClosed: as `holder_of` does; nothing has changed.
    """
    user = holder_of(session, token, now)
    session.refresh(user, with_for_update=LOCK)
    if AccountLink.use(session, LinkPurpose.PASSWORD, token, now) is None:
        session.expire_all()
        holder_of(session, token, now)  # says why
        raise _over(LinkState.ENDED)
    if user.closed_at is not None:
        raise AccountClosed
    user.password_hash = password_hash
    AccountLink.end_all(session, user.id, now)
    LoginSession.close_all(session, user.id)
    AccountEvent.record(session, user.id, AccountEventKind.RESET_LINK_USED, now, browser=browser)
    Mail.add_password_changed(session, user.id, now)
    return user


def _over(state: LinkState) -> LinkOver:
    if state is LinkState.USED:
        return LinkOver("This link has been used already. Each link works once.")
    if state is LinkState.EXPIRED:
        return LinkOver("This link is too old. Each link works for one day.")
    return LinkOver(
        "This link no longer works. There’s a newer one, or the password has been changed since."
    )
