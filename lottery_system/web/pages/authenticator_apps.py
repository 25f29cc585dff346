"""Authenticator app of one's account: set it up with a QR code, or remove it."""

from flask import Blueprint, make_response, redirect, render_template, url_for
from flask_babel import gettext
from markupsafe import Markup
from werkzeug.wrappers import Response

from lottery_system.access import users, viewer
from lottery_system.clock import utcnow
from lottery_system.extensions import db, transaction
from lottery_system.models import AccountEventKind, AuthenticatorApp, User
from lottery_system.models.user import LOCK
from lottery_system.one_time_codes import address_of
from lottery_system.parts import parts
from lottery_system.security_log import note
from lottery_system.throttles import Limit, count, look
from lottery_system.web import login
from lottery_system.web.account_events import record
from lottery_system.web.confirmations import Done, confirm
from lottery_system.web.current_site import site
from lottery_system.web.forms import CodeForm
from lottery_system.web.log_in_throttle import TEN_MINUTES
from lottery_system.web.qr_codes import qr_code
from lottery_system.web.recent_proof import needs_recent_proof
from lottery_system.web.resuming import resumes_at
from lottery_system.web.security_page import (
    resumed_security_page,
    security_page,
    strengthen,
    weaken,
)

blueprint = Blueprint("authenticator_apps", __name__, url_prefix="/account/security/app")

#: wrong codes while it is set up
MOST = 20
GROUP = 4


@blueprint.post("/begin")
@users
@resumes_at(resumed_security_page)
@needs_recent_proof
def begin() -> Response:
    """Make a secret for the app, and show it."""
    with transaction() as session:
        user = session.get_one(User, viewer().id, with_for_update=LOCK)
        AuthenticatorApp.begin(session, user.id, parts().settings.secret_key, utcnow())
    return redirect(url_for("authenticator_apps.show"), code=303)


@blueprint.get("")
@users
@needs_recent_proof
def show() -> Response:
    """Show the secret as a QR code until the first code was right."""
    return _page(CodeForm(formdata=None))


@blueprint.post("")
@users
@resumes_at(show)
@needs_recent_proof
def check() -> Response:
    """Set the app up, if its code is right."""
    limits = [Limit(f"app/{viewer().id}", MOST, TEN_MINUTES)]
    look(limits, utcnow())
    form, key = CodeForm(), parts().settings.secret_key
    if not form.validate():
        return _page(form)
    count(limits, utcnow())
    with transaction() as session:
        user = session.get_one(User, viewer().id, with_for_update=LOCK)
        if AuthenticatorApp.being_set_up(session, user.id, utcnow()) is None:
            return _to_security()
        is_right = AuthenticatorApp.confirm(session, user.id, form.code.data or "", key, utcnow())
        if is_right:
            record(session, user.id, AccountEventKind.AUTHENTICATOR_ADDED)
            somebody, codes = strengthen(session, user)
    if not is_right:
        form.code.errors = [
            gettext(
                "This code is wrong. Enter the one that your app shows now. Is its clock right?"
            )
        ]
        return _page(form)
    login.go_on(somebody)
    note("authenticator_added", viewer())
    return security_page(codes=codes) if codes else confirm(_to_security(), Done.APP_ADDED)


@blueprint.post("/remove")
@users
@resumes_at(resumed_security_page)
@needs_recent_proof
def remove() -> Response:
    """Remove the app; log-ins need no code any more."""
    with transaction() as session:
        user = session.get_one(User, viewer().id, with_for_update=LOCK)
        was_set_up = AuthenticatorApp.remove(session, user.id)
        if was_set_up:
            record(session, user.id, AccountEventKind.AUTHENTICATOR_REMOVED)
            somebody = weaken(session, user)
    if was_set_up:
        login.go_on(somebody)
        note("authenticator_removed", viewer())
    return confirm(_to_security(), Done.APP_REMOVED)


def _page(form: CodeForm) -> Response:
    session = db.session()
    session.rollback()  # see it as it is now
    app = AuthenticatorApp.being_set_up(session, viewer().id, utcnow())
    secret = app.secret(parts().settings.secret_key) if app else None
    if secret is None:
        return _to_security()
    address = address_of(secret, viewer().username, site().title)
    html = render_template(
        "security/app.html",
        form=form,
        code=Markup(qr_code(address)),  # noqa: S704 - segno's own drawing
        secret=" ".join(secret[at : at + GROUP] for at in range(0, len(secret), GROUP)),
    )
    return make_response(html, 422 if form.errors else 200)


def _to_security() -> Response:
    return redirect(url_for("security.show"), code=303)
