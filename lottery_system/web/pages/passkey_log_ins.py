"""Log-in with a passkey alone, which stands for username and password."""

from flask import Blueprint, make_response, redirect, url_for
from werkzeug.wrappers import Response

from lottery_system.access import everybody
from lottery_system.addresses import client_network
from lottery_system.clock import utcnow
from lottery_system.extensions import transaction
from lottery_system.models import User
from lottery_system.models.passkey import CopiedPasskey
from lottery_system.passkeys import BadPasskey, to_use
from lottery_system.security_log import note
from lottery_system.throttles import Limit, count, look
from lottery_system.web.forms import AccountForm, PasskeyForm
from lottery_system.web.log_in_throttle import TEN_MINUTES
from lottery_system.web.log_ins import enter, open_log_in, why_blocked
from lottery_system.web.passkeys import (
    UnknownPasskey,
    answer_with,
    demand_uncopied,
    log_in_challenges,
    no_options,
    site_of_request,
    use_passkey,
)
from lottery_system.web.resuming import log_in_page, next_page, resumes_at
from lottery_system.web.words import translated

blueprint = Blueprint("passkey_log_ins", __name__, url_prefix="/login/passkey")

#: refused passkeys from one address, for the work that each costs
MOST_REFUSED = 30


@blueprint.get("")
@everybody
def to_log_in() -> Response:
    """Lead back to the page of the log-in, from the address of its form."""
    return redirect(url_for("accounts.log_in", next=next_page()), code=303)


@blueprint.get("/options")
@everybody
def ask() -> Response:
    """Return what to ask the browser for: any passkey of this site."""
    site = site_of_request()
    if site is None:
        return no_options()
    return answer_with(to_use(site, log_in_challenges().new(utcnow())))


@blueprint.post("")
@everybody
@resumes_at(lambda: log_in_page(AccountForm(formdata=None)))
def create() -> Response:
    """Log in whoever's passkey has signed."""
    limits = [Limit(f"passkeys/{client_network()}", MOST_REFUSED, TEN_MINUTES)]
    look(limits, utcnow())
    answer = PasskeyForm().credential.data or ""
    site = site_of_request()
    opened, blocked = None, None
    try:
        if site is None:
            raise BadPasskey("no_site")
        with transaction() as session:
            passkey = use_passkey(session, answer, site, log_in_challenges())
            user = session.get_one(User, passkey.user_id)  # locked with the passkey
            if user.blocked_at is not None:
                blocked = why_blocked(user)
            elif passkey.copied_at is None:
                opened = open_log_in(session, user, "passkey", has_second_factor=True)
        demand_uncopied(passkey)
    except (BadPasskey, UnknownPasskey, CopiedPasskey) as error:
        count(limits, utcnow())
        note("log_in_failed", None, reason=f"passkey_{error.reason}")
        return make_response(log_in_page(AccountForm(formdata=None), translated(error)), 422)
    if blocked is not None:
        note("log_in_blocked", user)
        return make_response(log_in_page(AccountForm(formdata=None), blocked), 403)
    assert opened is not None
    return enter(opened)
