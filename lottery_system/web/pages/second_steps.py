"""Page of the second step of a log-in: a code of an app, a recovery code, or a passkey."""

from flask import Blueprint, make_response, redirect, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from lottery_system.access import everybody
from lottery_system.addresses import client_network
from lottery_system.clock import ONE_DAY, utcnow
from lottery_system.errors import TooManyAttempts
from lottery_system.extensions import db, transaction
from lottery_system.models import AccountEventKind, AuthenticatorApp, Passkey, RecoveryCode, User
from lottery_system.models.passkey import CopiedPasskey
from lottery_system.models.recovery_code import normalise_code
from lottery_system.parts import parts
from lottery_system.passkeys import BadPasskey, to_use
from lottery_system.security_log import note
from lottery_system.throttles import Limit, count, give_back, look
from lottery_system.web import second_step
from lottery_system.web.account_events import record
from lottery_system.web.errors import retry_after, wait_for
from lottery_system.web.forms import AccountForm, CodeForm, PasskeyForm
from lottery_system.web.log_in_throttle import TEN_MINUTES, Attempt
from lottery_system.web.log_ins import OpenedLogIn, enter, open_log_in
from lottery_system.web.passkeys import (
    UnknownPasskey,
    answer_with,
    demand_uncopied,
    no_options,
    second_step_challenges,
    site_of_request,
    use_passkey,
)
from lottery_system.web.resuming import log_in_page, next_page
from lottery_system.web.words import translated

blueprint = Blueprint("second_steps", __name__, url_prefix="/login/second-step")

#: wrong codes of an account. Of a million codes three are right at a time, so in a day a thief of
#: the password guesses one of 17,000 accounts.
MOST, MOST_A_DAY = 5, 20
#: recovery codes and passkeys cannot be guessed; their limit is for the work that each costs
MOST_OTHERS = 30


@blueprint.get("")
@everybody
def show() -> Response:
    """Show the form again."""
    user = second_step.user_at_it()
    if user is None:
        return redirect(url_for("accounts.log_in", next=next_page()), code=303)
    return second_step.page(user, CodeForm(formdata=None))


@blueprint.post("")
@everybody
def check_code() -> Response:
    """Log in, if the code is right."""
    user = second_step.user_at_it()
    if user is None:
        return _to_log_in()
    form = CodeForm()
    if not form.validate():
        return second_step.page(user, form)
    code = form.code.data or ""
    is_recovery = normalise_code(code) is not None
    limits = _limits_of_others() if is_recovery else _limits_of_codes(user)
    try:
        look(limits, utcnow())
        count(limits, utcnow())
    except TooManyAttempts as error:
        refusal = gettext("Too many wrong codes.") + " " + wait_for(error)
        if not is_recovery:
            refusal += " " + gettext("A recovery code works at once.")
        answer = second_step.page(user, form, refusal)
        answer.status_code = 429
        answer.headers.extend(retry_after(error))
        return answer
    opened = None
    with transaction() as session:
        locked = _still_there(session, user)
        use = _use_recovery_code if is_recovery else _use_code
        if locked is not None and use(session, locked, code):
            give_back(session, limits, utcnow())
            by = "recovery_code" if is_recovery else "code"
            opened = open_log_in(session, locked, by, has_second_factor=True)
        elif locked is not None:
            record(session, locked.id, AccountEventKind.WRONG_CODE)
    if locked is None:
        return _to_log_in()
    if opened is not None:
        return _enter(opened)
    note("second_step_failed", user)
    form.code.errors = [gettext("This code is wrong, or was used already. Enter the next one.")]
    return second_step.page(user, form)


@blueprint.get("/passkey")
@everybody
def to_show() -> Response:
    """Lead back to the page, from the address of its form."""
    return redirect(url_for("second_steps.show", next=next_page()), code=303)


@blueprint.get("/passkey/options")
@everybody
def ask_passkey() -> Response:
    """Return what to ask the browser for: one of the account's passkeys."""
    user, site = second_step.user_at_it(), site_of_request()
    if user is None or site is None:
        return no_options()
    known = [
        bytes(each.credential_id)
        for each in Passkey.of_user(db.session(), user.id)
        if each.copied_at is None
    ]
    challenge = second_step_challenges(user.id).new(utcnow())
    return answer_with(to_use(site, challenge, known))


@blueprint.post("/passkey")
@everybody
def check_passkey() -> Response:
    """Log in, if a passkey of the account has signed."""
    user, site = second_step.user_at_it(), site_of_request()
    if user is None or site is None:
        return _to_log_in()
    limits = _limits_of_others()
    look(limits, utcnow())
    answer = PasskeyForm().credential.data or ""
    opened = None
    try:
        with transaction() as session:
            locked = _still_there(session, user)
            if locked is None:
                return _to_log_in()
            challenges = second_step_challenges(user.id)
            passkey = use_passkey(session, answer, site, challenges, user.id)
            if passkey.copied_at is None:
                opened = open_log_in(session, locked, "password_passkey", has_second_factor=True)
        demand_uncopied(passkey)
    except (BadPasskey, UnknownPasskey, CopiedPasskey) as error:
        count(limits, utcnow())
        note("second_step_failed", user, reason=f"passkey_{error.reason}")
        return second_step.page(user, CodeForm(formdata=None), translated(error))
    assert opened is not None
    return _enter(opened)


def _enter(opened: OpenedLogIn) -> Response:
    return second_step.forget(enter(opened))


def _still_there(session: Session, user: User) -> User | None:
    """Lock the user, if the account is as it was: open, not blocked, with the same password."""
    locked = User.still_with(session, user.id, user.password_hash)
    return locked if locked is not None and locked.blocked_at is None else None


def _use_code(session: Session, user: User, code: str) -> bool:
    key = parts().settings.secret_key
    return AuthenticatorApp.use_code(session, user.id, code, key, utcnow())


def _use_recovery_code(session: Session, user: User, code: str) -> bool:
    if not RecoveryCode.use(session, user.id, code):
        return False
    record(session, user.id, AccountEventKind.RECOVERY_CODE_USED)
    return True


def _limits_of_codes(user: User) -> list[Limit]:
    """Return what bounds the codes of an account; a known browser of it has bounds of its own.

    So whoever has stolen the password keeps no code of the holder out.
    """
    whose = f"{user.id}/{Attempt(user.username).known_browser or '-'}"
    return [
        Limit(f"codes/{whose}", MOST, TEN_MINUTES),
        Limit(f"codes in a day/{whose}", MOST_A_DAY, ONE_DAY),
    ]


def _limits_of_others() -> list[Limit]:
    return [Limit(f"second steps/{client_network()}", MOST_OTHERS, TEN_MINUTES)]


def _to_log_in() -> Response:
    """Answer with the page of the log-in: the first step was too long ago, or is worth nothing."""
    sentence = gettext("Your log-in took too long, or your password was changed. Log in again.")
    return make_response(log_in_page(AccountForm(formdata=None), sentence), 403)
