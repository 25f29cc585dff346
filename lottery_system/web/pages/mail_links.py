"""Pages that links in mails lead to: confirm an address, and turn off mails about prizes."""

from hmac import compare_digest

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from lottery_system.access import everybody, viewer
from lottery_system.addresses import client_network
from lottery_system.clock import utcnow
from lottery_system.errors import LotteryError
from lottery_system.extensions import csrf, db, transaction
from lottery_system.letters import stopping_token
from lottery_system.models import MailAddress
from lottery_system.models.address_change import look_address, verify_address
from lottery_system.models.password_reset import LoggedInAsAnother
from lottery_system.parts import parts
from lottery_system.security_log import note
from lottery_system.throttles import Limit, count, look
from lottery_system.web.account_events import browser_of_request
from lottery_system.web.confirmations import Done, confirm
from lottery_system.web.errors import STATUSES
from lottery_system.web.followed_links import LONGEST, FollowedLink
from lottery_system.web.forms import parse_number
from lottery_system.web.log_in_throttle import TEN_MINUTES
from lottery_system.web.resuming import resumes_at
from lottery_system.web.words import translated

blueprint = Blueprint("mail_links", __name__)

LINK = FollowedLink("mail-link", "mail_links.show")
#: links that do not work, from one address
MOST_WRONG = 30


@blueprint.get("/confirm-email")
@everybody
def show() -> Response:
    """Ask whoever followed a link to confirm the address."""
    return LINK.follow() or _page()


@blueprint.post("/confirm-email")
@everybody
@resumes_at(show)
def create() -> Response:
    """Confirm the address, and use the link up."""
    limits = [Limit(f"confirm email/{client_network()}", MOST_WRONG, TEN_MINUTES)]
    look(limits, utcnow())
    token = LINK.token
    try:
        _look(token)
        with transaction() as session:
            user = verify_address(session, token, utcnow(), browser_of_request())
    except LotteryError as error:
        count(limits, utcnow())
        note("mail_address_refused", None)
        return _refused(error)
    note("mail_address_confirmed", user)
    is_here = current_user.is_authenticated
    page = url_for("mail_settings.show") if is_here else url_for("accounts.log_in")
    response = confirm(redirect(page, code=303), Done.ADDRESS_CONFIRMED)
    LINK.forget(response)
    return response


@blueprint.get("/stop-emails")
@everybody
def confirm_stopping() -> Response:
    """Ask whoever followed a link whether to turn off mails about prizes."""
    return _stopping_page(_reader_of(request.args.get("stop", "")) is not None)


@blueprint.post("/stop-emails")
@everybody
def stop() -> Response:
    """Turn off mails about prizes, at once and without a log-in (RFC 8058).

    Mail programs send this, without cookies or a page of ours: what the link holds is enough.
    """
    user_id = _reader_of(request.args.get("stop", ""))
    if user_id is None:
        return _stopping_page(False)
    with transaction() as session:
        its = session.get(MailAddress, user_id, with_for_update=True)
        if its is not None:
            its.tells_wins = False
    return _stopping_page(True, is_done=True)


csrf.exempt(stop)


def _reader_of(token: str) -> int | None:
    """Return whose mails a link is about; None if it is of none, or of an earlier address."""
    user_id = parse_number(token.partition("-")[0])
    its = MailAddress.of(db.session(), user_id) if user_id else None
    db.session.close()
    if its is None or its.address is None:
        return None
    expected = stopping_token(parts().settings.secret_key, its.user_id, its.address)
    return its.user_id if compare_digest(token.encode(), expected.encode()) else None


def _stopping_page(is_known: bool, *, is_done: bool = False) -> Response:
    html = render_template(
        "accounts/stop_mails.html",
        is_known=is_known,
        is_done=is_done,
        token=request.args.get("stop", "")[:LONGEST],
    )
    return make_response(html, 200 if is_known else 404)


def _page() -> Response:
    try:
        username, address = _look(LINK.token)
    except LotteryError as error:
        return _refused(error)
    html = render_template("accounts/confirm_mail.html", username=username, address=address)
    return make_response(html)


def _refused(error: LotteryError) -> Response:
    html = render_template("accounts/confirm_mail_refused.html", sentence=translated(error))
    return make_response(html, STATUSES.get(type(error), 422))


def _look(token: str) -> tuple[str, str]:
    """Return the username and the address of a link.

    Raises:
        UnknownAddressLink, AddressLinkOver: the link does not work.
        LoggedInAsAnother: somebody else is logged in here.
    """
    try:
        user, address = look_address(db.session(), token, utcnow())
    finally:
        db.session.close()
    if current_user.is_authenticated and viewer().id != user.id:
        raise LoggedInAsAnother(viewer().username)
    return user.username, address
