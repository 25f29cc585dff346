"""Pages for signing up, logging in and logging out."""

from datetime import datetime

from flask import Blueprint, make_response, redirect, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from lottery_system.access import everybody, users, viewer
from lottery_system.addresses import own_path
from lottery_system.clock import utcnow
from lottery_system.errors import TooManyAttempts
from lottery_system.extensions import db, transaction
from lottery_system.models import AccountEvent, AccountEventKind, LoginSession, Mail, MailKind, User
from lottery_system.parts import parts
from lottery_system.passwords import check_password
from lottery_system.security_log import note
from lottery_system.usernames import BadUsername
from lottery_system.web import login
from lottery_system.web.account_events import browser_of_request, record
from lottery_system.web.errors import retry_after, wait_for
from lottery_system.web.forms import AccountForm, SignUpForm
from lottery_system.web.log_in_throttle import Attempt
from lottery_system.web.resuming import log_in_page, resumed, resumes_at
from lottery_system.web.sign_up import SENTENCES, no_sign_up, sign_up, sign_up_page
from lottery_system.web.welcome import load_welcome

blueprint = Blueprint("accounts", __name__)


@blueprint.get("/signup")
@everybody
def new() -> str | Response:
    """Show the form to sign up, or say why there is none."""
    return _to_front_page() or _sign_up_page(SignUpForm())


@blueprint.post("/signup")
@everybody
@resumes_at(lambda: _sign_up_page(SignUpForm()))
def create() -> Response | tuple[str, int]:
    """Make a user, and log the new user in."""
    form = SignUpForm()
    return _refusal() or sign_up(form) or (sign_up_page(form), 422)


@blueprint.get("/login")
@everybody
def log_in() -> str | Response:
    """Show the form to log in."""
    return _to_front_page() or log_in_page(AccountForm(), welcome=load_welcome(utcnow()))


@blueprint.post("/login")
@everybody
@resumes_at(lambda: log_in_page(AccountForm()))
def create_session() -> Response | tuple[str, int]:
    """Log in, and go where one was going."""
    form = AccountForm()
    if not form.validate():
        return log_in_page(form), 422
    username = form.username.data or ""
    attempt = Attempt(username)
    try:
        attempt.take()
    except TooManyAttempts as error:
        refusal = gettext("Too many wrong passwords.") + " " + wait_for(error)
        return make_response(log_in_page(form, refusal), 429, retry_after(error))
    user = _find(username)
    unfit = gettext("The username or password is incorrect. Try again.")
    if not check_password(user.password_hash if user else None, form.password.data or ""):
        note("log_in_failed", user)
        return log_in_page(form, unfit), 422
    assert user is not None
    before = login.token_held()
    with transaction() as session:
        attempt.give_back(session)
        locked = User.still_with(session, user.id, user.password_hash)
        if locked is None:
            note("log_in_failed", user)
            return log_in_page(form, unfit), 422
        if locked.blocked_at is not None:  # told to those alone who know the password
            note("log_in_blocked", user)
            return log_in_page(form, _why_blocked(locked)), 403
        token = LoginSession.open(session, locked, utcnow(), before, browser_of_request())
        has_news = bool(AccountEvent.untold(session.connection(), locked, 1))
        record(session, user.id, AccountEventKind.LOGGED_IN)
        if not attempt.is_of_known_browser:
            _tell_new_browser(session, user.id, utcnow())
    login.log_in(user, token, has_news=has_news)
    note("log_in", user)
    response = resumed() or redirect(
        own_path(request.args.get("next")) or url_for("lotteries.index"), code=303
    )
    attempt.remember_browser(response)
    return response


@blueprint.post("/logout")
@users
def destroy_session() -> Response:
    """End this session, here and on the server."""
    somebody = viewer()
    login.log_out()
    note("log_out", somebody)
    return redirect(url_for("accounts.log_in"), code=303)


def _why_blocked(user: User) -> str:
    return str(
        gettext(
            "An organiser has blocked this account, so you can’t log in. Reason: “%(reason)s”. "
            "Your ballots stay in their draws. If you think this is a mistake, ask the organisers.",
            reason=user.block_reason,
        )
    )


def _find(username: str) -> User | None:
    try:
        return User.by_username(db.session(), username)
    except BadUsername:  # nobody can be called so
        return None
    finally:
        db.session.close()  # hold no connection while the password is hashed


def _tell_new_browser(session: Session, user_id: int, now: datetime) -> None:
    browser = browser_of_request()
    Mail.add(session.connection(), MailKind.NEW_BROWSER, user_id, now, detail=browser)


def _to_front_page() -> Response | None:
    if current_user.is_authenticated:
        return redirect(url_for("lotteries.index"), code=303)
    return None


def _sign_up_page(form: SignUpForm) -> str | Response:
    return _refusal() or sign_up_page(form)


def _refusal() -> Response | None:
    """Say that there is no sign-up without an invitation, or none at all; None if it is open."""
    sentence = SENTENCES.get(parts().settings.sign_up)
    return no_sign_up(str(sentence), 403) if sentence else None
