"""Log-in security of one's account: the page, the password before it, and recovery codes."""

from flask import Blueprint, make_response, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from lottery_system.access import users, viewer
from lottery_system.extensions import reading_session, transaction
from lottery_system.models import AccountEventKind, RecoveryCode, User
from lottery_system.models.second_factor import factors_of
from lottery_system.models.user import LOCK
from lottery_system.security_log import note
from lottery_system.web import login
from lottery_system.web.account_events import record
from lottery_system.web.forms import OwnPasswordForm
from lottery_system.web.own_password import checked_password, not_yours
from lottery_system.web.recent_proof import lacks_second_factor, needs_recent_proof
from lottery_system.web.resuming import resumes_at
from lottery_system.web.security_page import go_on_with, resumed_security_page, security_page

blueprint = Blueprint("security", __name__, url_prefix="/account")


@blueprint.get("/security")
@users
@needs_recent_proof
def show() -> Response:
    """Show what there is besides the password."""
    return security_page()


@blueprint.get("/confirm")
@users
def confirm() -> Response:
    """Ask for the password, or to log in again with a second factor."""
    return _confirm_page(OwnPasswordForm(formdata=None))


@blueprint.post("/confirm")
@users
@resumes_at(confirm)
def prove() -> Response:
    """Go on with a new token, which no copy of the old one has (OWASP ASVS 5.0, 7.2.4)."""
    form = OwnPasswordForm()
    checked = checked_password(form.current) if form.validate() else None
    if checked is None:
        return _confirm_page(form)
    with transaction() as session:
        user = User.still_with(session, viewer().id, checked)
        if user is None:
            form.current.errors = [not_yours()]
            return _confirm_page(form)
        has_second_factor = viewer().has_second_factor
        somebody = go_on_with(session, user, has_second_factor=has_second_factor, is_proven=True)
    login.go_on(somebody)
    return redirect(url_for("security.show"), code=303)


@blueprint.get("/security/recovery-codes")
@users
def to_show() -> Response:
    """Lead back to the page, from the address at which new codes are shown once."""
    return redirect(url_for("security.show"), code=303)


@blueprint.post("/security/recovery-codes")
@users
@resumes_at(resumed_security_page)
@needs_recent_proof
def make_recovery_codes() -> Response:
    """Make new recovery codes, and show them, once."""
    with transaction() as session:
        session.get_one(User, viewer().id, with_for_update=LOCK)
        has_any = factors_of(session, viewer().id).any
        if has_any:
            codes = RecoveryCode.make(session, viewer().id)
            record(session, viewer().id, AccountEventKind.RECOVERY_CODES_MADE)
    if not has_any:
        sentence = gettext("Add a passkey or an authenticator app first.")
        return security_page(refusal=sentence)
    note("recovery_codes_made", viewer())
    return security_page(codes=codes)


def _confirm_page(form: OwnPasswordForm) -> Response:
    with reading_session() as session:
        is_too_weak = lacks_second_factor(session)
    html = render_template("security/confirm.html", form=form, is_too_weak=is_too_weak)
    return make_response(html, 422 if form.errors else 200)
