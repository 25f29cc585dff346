"""Log-in that succeeds: by password, by passkey, or after a second step."""

from dataclasses import dataclass

from flask import redirect, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from lottery_system.addresses import own_path
from lottery_system.clock import utcnow
from lottery_system.models import AccountEvent, AccountEventKind, LoginSession, Mail, MailKind, User
from lottery_system.models.login_session import Viewer
from lottery_system.security_log import note
from lottery_system.web import login
from lottery_system.web.account_events import browser_of_request, record
from lottery_system.web.log_in_throttle import Attempt
from lottery_system.web.resuming import resumed


@dataclass(frozen=True)
class OpenedLogIn:
    """A log-in that is in the database, and not yet in the browser."""

    user: User
    #: how it was proven, for the log
    by: str
    viewer: Viewer
    has_news: bool
    attempt: Attempt


def open_log_in(session: Session, user: User, by: str, *, has_second_factor: bool) -> OpenedLogIn:
    """Log a user in whose row is locked, in the caller's transaction.

    Args:
        by: how it was proven, in snake case.
        has_second_factor: whether that was more than a password.

    Raises:
        AccountBlocked: an organiser keeps the user out.
    """
    now = utcnow()
    token = LoginSession.open(
        session,
        user,
        now,
        login.token_held(),
        browser_of_request(),
        has_second_factor=has_second_factor,
    )
    has_news = bool(AccountEvent.untold(session.connection(), user, 1))
    record(session, user.id, AccountEventKind.LOGGED_IN)
    attempt = Attempt(user.username)
    if not attempt.is_of_known_browser:
        browser = browser_of_request()
        Mail.add(session.connection(), MailKind.NEW_BROWSER, user.id, now, detail=browser)
    viewer = login.viewer_of(user, token, has_second_factor=has_second_factor)
    return OpenedLogIn(user, by, viewer, has_news, attempt)


def enter(opened: OpenedLogIn) -> Response:
    """Let the browser hold the log-in, once it is stored, and go where one was going."""
    login.log_in(opened.viewer, has_news=opened.has_news)
    note("log_in", opened.user, reason=opened.by if opened.by != "password" else "")
    response = resumed() or redirect(
        own_path(request.args.get("next")) or url_for("lotteries.index"), code=303
    )
    opened.attempt.remember_browser(response)
    return response


def why_blocked(user: User) -> str:
    """Say why somebody who has proven who it is cannot log in."""
    return str(
        gettext(
            "An organiser has blocked this account, so you can’t log in. Reason: “%(reason)s”. "
            "Your ballots stay in their draws. If you think this is a mistake, ask the organisers.",
            reason=user.block_reason,
        )
    )
