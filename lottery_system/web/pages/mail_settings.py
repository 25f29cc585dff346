"""Mail settings: the mail address of one's account, and what to be told by mail."""

from datetime import timedelta

from flask import Blueprint, abort, make_response, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from lottery_system.access import users, viewer
from lottery_system.clock import utcnow
from lottery_system.extensions import db, transaction
from lottery_system.mail_addresses import enforce_mail_address, mail_address_key
from lottery_system.models import MailAddress, User
from lottery_system.models.address_change import ask_address, remove_address
from lottery_system.parts import parts
from lottery_system.security_log import note
from lottery_system.throttles import Limit, count, look
from lottery_system.web.account_events import browser_of_request
from lottery_system.web.confirmations import Done, confirm
from lottery_system.web.forms import MailAddressForm, MailChoicesForm, OwnPasswordForm
from lottery_system.web.languages import language
from lottery_system.web.own_password import checked_password, not_yours
from lottery_system.web.resuming import resumes_at

blueprint = Blueprint("mail_settings", __name__, url_prefix="/account/email")

#: mails to confirm an address: of an account in an hour, and to an address in a day, whoever asks
MOST_OF_ACCOUNT, AN_HOUR = 5, timedelta(hours=1)
MOST_TO_ADDRESS, A_DAY = 5, timedelta(days=1)


@blueprint.get("")
@users
def show() -> Response:
    """Show the address, and the forms to change or remove it."""
    return _page(MailAddressForm(formdata=None))


@blueprint.post("")
@users
@resumes_at(show, "address")
def ask() -> Response:
    """Send a link to an address; the account has it once the link was followed."""
    if not parts().settings.mail_url:
        abort(404, gettext("This lottery doesn’t send emails."))
    form = MailAddressForm()
    if not form.validate():
        return _page(form, 422)
    address = enforce_mail_address(form.address.data or "")
    limits = [
        Limit(f"address/{viewer().id}", MOST_OF_ACCOUNT, AN_HOUR),
        Limit(f"address to/{mail_address_key(address)}"[:255], MOST_TO_ADDRESS, A_DAY),
    ]
    look(limits, utcnow())
    checked = checked_password(form.current)
    if checked is None:
        return _page(form, 422)
    count(limits, utcnow())
    with transaction() as session:
        if User.still_with(session, viewer().id, checked) is None:
            form.current.errors = [not_yours()]
            return _page(form, 422)
        ask_address(session, viewer().id, address, language(), utcnow())
    note("mail_address_asked", viewer())
    return _done(Done.ADDRESS_ASKED)


@blueprint.post("/remove")
@users
@resumes_at(show)
def remove() -> Response:
    """Remove the address, confirmed or not."""
    form = OwnPasswordForm(prefix="remove-")
    checked = checked_password(form.current) if form.validate() else None
    if checked is None:
        return _page(MailAddressForm(formdata=None), 422, removing=form)
    with transaction() as session:
        if User.still_with(session, viewer().id, checked) is None:
            form.current.errors = [not_yours()]
            return _page(MailAddressForm(formdata=None), 422, removing=form)
        remove_address(session, viewer().id, utcnow(), browser_of_request())
    note("mail_address_removed", viewer())
    return _done(Done.ADDRESS_REMOVED)


@blueprint.post("/choices")
@users
@resumes_at(show)
def choose() -> Response:
    """Keep what to be told by mail."""
    form = MailChoicesForm()
    with transaction() as session:
        its = session.get(MailAddress, viewer().id, with_for_update=True)
        if its is not None:
            its.tells_wins, its.tells_log_ins = form.tells_wins.data, form.tells_log_ins.data
    return _done(Done.MAIL_CHOSEN)


def _page(
    form: MailAddressForm, status: int = 200, removing: OwnPasswordForm | None = None
) -> Response:
    its = MailAddress.of(db.session(), viewer().id)
    html = render_template(
        "accounts/mail.html",
        form=form,
        removing=removing or OwnPasswordForm(formdata=None, prefix="remove-"),
        choices=MailChoicesForm(formdata=None, obj=its),
        its=its,
        can_send=bool(parts().settings.mail_url),
    )
    return make_response(html, status)


def _done(done: Done) -> Response:
    return confirm(redirect(url_for("mail_settings.show"), code=303), done)
