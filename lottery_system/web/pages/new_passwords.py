"""Pages for a forgotten password: what to do, and the form that a link of one use leads to."""

from flask import Blueprint, abort, make_response, redirect, render_template, url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from lottery_system.access import everybody, viewer
from lottery_system.addresses import client_network
from lottery_system.clock import utcnow
from lottery_system.errors import AccountClosed, LotteryError
from lottery_system.extensions import db, reading, transaction
from lottery_system.models import ResetRequest, User
from lottery_system.models.password_reset import (
    LinkOver,
    LoggedInAsAnother,
    UnknownLink,
    holder_of,
    reset_password,
)
from lottery_system.parts import parts
from lottery_system.passwords import BadPassword, enforce_password, hash_password
from lottery_system.queries.site import load_text
from lottery_system.security_log import note
from lottery_system.throttles import Limit, count, look
from lottery_system.web import login
from lottery_system.web.account_events import browser_of_request
from lottery_system.web.confirmations import Done, confirm
from lottery_system.web.current_site import site
from lottery_system.web.errors import STATUSES
from lottery_system.web.followed_links import FollowedLink
from lottery_system.web.forms import ForgottenPasswordForm, ResetPasswordForm
from lottery_system.web.log_in_throttle import AN_HOUR, TEN_MINUTES, Attempt
from lottery_system.web.resuming import resumes_at
from lottery_system.web.words import paragraphs_of, translated

blueprint = Blueprint("new_passwords", __name__)

LINK = FollowedLink("link", "new_passwords.show")
#: links that do not work, from one address
MOST_WRONG = 30
#: mails that are asked for from one address in an hour, for whatever accounts
MOST_ASKED = 30


@blueprint.get("/forgotten-password")
@everybody
def forgotten() -> Response:
    """Say what to do about a forgotten password."""
    return _forgotten_page(ForgottenPasswordForm(formdata=None))


@blueprint.post("/forgotten-password")
@everybody
@resumes_at(forgotten)
def ask() -> Response:
    """Store a request for a mail with a link; whether there is such an account is not looked up.

    So answer and time are the same for all names and addresses.
    """
    if not parts().settings.mail_url:
        abort(404, gettext("This lottery doesn’t send emails."))
    limits = [Limit(f"forgotten/{client_network()}", MOST_ASKED, AN_HOUR)]
    look(limits, utcnow())
    form = ForgottenPasswordForm()
    if not form.validate():
        return _forgotten_page(form, 422)
    count(limits, utcnow())
    with transaction() as session:
        session.add(ResetRequest(typed=form.who.data or "", asked_at=utcnow()))
    note("password_forgotten", None)
    response = redirect(url_for("new_passwords.forgotten"), code=303)
    return confirm(response, Done.RESET_ASKED)


@blueprint.get("/new-password")
@everybody
def show() -> Response:
    """Show the form for a new password to whoever followed a link."""
    return LINK.follow() or _page(ResetPasswordForm(formdata=None))


@blueprint.post("/new-password")
@everybody
@resumes_at(show)
def create() -> Response:
    """Set the new password, and use the link up."""
    limits = [Limit(f"new password/{client_network()}", MOST_WRONG, TEN_MINUTES)]
    look(limits, utcnow())
    form, token = ResetPasswordForm(), LINK.token
    try:
        holder = _holder(token)
        if not form.validate():
            return _page(form, 422)
        names = (parts().settings.name, site().title)
        password_hash = hash_password(
            enforce_password(form.new.data or "", holder.username, *names)
        )
        with transaction() as session:
            reset_password(session, token, password_hash, utcnow(), browser_of_request())
    except BadPassword as error:
        form.new.errors = [translated(error)]
        return _page(form, 422)
    except (UnknownLink, LinkOver, AccountClosed, LoggedInAsAnother) as error:
        count(limits, utcnow())
        note("reset_link_refused", None)
        return _refused(error)
    login.forget()
    note("password_reset", holder)
    response = confirm(redirect(url_for("accounts.log_in"), code=303), Done.NEW_PASSWORD)
    LINK.forget(response)
    # who has just been guessing may log in at once
    Attempt(holder.username).remember_browser(response)
    return response


def _forgotten_page(form: ForgottenPasswordForm, status: int = 200) -> Response:
    with reading() as connection:
        contact = load_text(connection, "contact")
    html = render_template(
        "new_passwords/forgotten.html",
        form=form,
        can_mail=bool(parts().settings.mail_url),
        contact=paragraphs_of(contact) if contact else [],
    )
    return make_response(html, status)


def _page(form: ResetPasswordForm, status: int = 200) -> Response:
    try:
        holder = _holder(LINK.token)
    except LotteryError as error:
        return _refused(error)
    html = render_template("new_passwords/new.html", form=form, username=holder.username)
    return make_response(html, status)


def _refused(error: LotteryError) -> Response:
    html = render_template("new_passwords/refused.html", sentence=translated(error))
    return make_response(html, STATUSES[type(error)])


def _holder(token: str) -> User:
    """Return whose password the link sets.

    Raises:
        UnknownLink, LinkOver, AccountClosed: the link does not work.
        LoggedInAsAnother: somebody else is logged in here.
    """
    try:
        holder = holder_of(db.session(), token, utcnow())
    finally:
        db.session.close()  # hold no connection while the password is hashed
    if current_user.is_authenticated and viewer().id != holder.id:
        raise LoggedInAsAnother(viewer().username)
    return holder
