"""Pages for signing up, logging in and logging out."""

from flask import Blueprint, make_response, redirect, url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from lottery_system.access import everybody, users, viewer
from lottery_system.clock import utcnow
from lottery_system.errors import TooManyAttempts
from lottery_system.extensions import db, transaction
from lottery_system.models import User
from lottery_system.parts import parts
from lottery_system.passwords import check_password
from lottery_system.security_log import note
from lottery_system.usernames import BadUsername
from lottery_system.web import login, second_step
from lottery_system.web.errors import retry_after, wait_for
from lottery_system.web.forms import AccountForm, SignUpForm
from lottery_system.web.log_in_throttle import Attempt
from lottery_system.web.log_ins import enter, open_log_in, why_blocked
from lottery_system.web.resuming import log_in_page, resumes_at
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
    """Log in, and go where one was going; or ask for the second step."""
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
    is_right = check_password(user.password_hash if user else None, form.password.data or "")
    answer = _proceed(form, attempt, user) if is_right and user else None
    if answer is None:
        note("log_in_failed", user)
        unfit = gettext("The username or password is incorrect. Try again.")
        return log_in_page(form, unfit), 422
    return answer


@blueprint.post("/logout")
@users
def destroy_session() -> Response:
    """End this session, here and on the server."""
    somebody = viewer()
    login.log_out()
    note("log_out", somebody)
    return redirect(url_for("accounts.log_in"), code=303)


def _proceed(form: AccountForm, attempt: Attempt, user: User) -> Response | None:
    """Log in whoever typed the right password; None if it was changed this very moment."""
    with transaction() as session:
        attempt.give_back(session)
        locked = User.still_with(session, user.id, user.password_hash)
        if locked is None:
            return None
        if locked.blocked_at is not None:  # told to those alone who know the password
            note("log_in_blocked", user)
            return make_response(log_in_page(form, why_blocked(locked)), 403)
        opened = None
        if not second_step.is_demanded(session, locked):
            opened = open_log_in(session, locked, "password", has_second_factor=False)
    return enter(opened) if opened else second_step.begin(user)


def _find(username: str) -> User | None:
    try:
        return User.by_username(db.session(), username)
    except BadUsername:  # nobody can be called so
        return None
    finally:
        db.session.close()  # hold no connection while the password is hashed


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
