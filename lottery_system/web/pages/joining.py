"""Pages of somebody who follows an invitation: the form to sign up with it.

The token is in the address of the link alone, as a query, which no log has. Following the link lets
the browser keep it in a cookie and leads to a page without it, so that no Referer header or
bookmark has it. It is used up by the form, not by the link, since scanners follow links.
"""

from flask import Blueprint, make_response, redirect, request, url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from lottery_system.access import everybody, viewer
from lottery_system.clock import utcnow
from lottery_system.extensions import reading
from lottery_system.models import Invitation
from lottery_system.models.invitation import InvitationOver, UnknownInvitation
from lottery_system.parts import parts
from lottery_system.security_log import note
from lottery_system.web.cookies import keep, kept
from lottery_system.web.errors import STATUSES
from lottery_system.web.forms import SignUpForm
from lottery_system.web.resuming import resumes_at
from lottery_system.web.sign_up import SENTENCES, no_sign_up, sign_up, sign_up_page
from lottery_system.web.words import translated

blueprint = Blueprint("joining", __name__)

COOKIE = "invitation"
#: seconds for which a browser keeps the token of a link that it has followed
LASTS = 60 * 60
#: characters of a token that are looked at
LONGEST = 100


@blueprint.get("/join")
@everybody
def show() -> Response:
    """Show the form to sign up to whoever followed an invitation."""
    token = request.args.get("link")
    if token is None:
        return _page(SignUpForm(formdata=None))
    response = redirect(url_for("joining.show"), code=303)
    response.headers["Referrer-Policy"] = "no-referrer"
    keep(response, COOKIE, token[:LONGEST], LASTS)
    return response


@blueprint.post("/join")
@everybody
@resumes_at(show)
def create() -> Response:
    """Sign up with the invitation, and use it once."""
    token = _token()
    if isinstance(token, Response):
        return token
    form = SignUpForm()
    try:
        response = sign_up(form, token)
    except (UnknownInvitation, InvitationOver) as error:  # others were faster
        return _refused(error)
    if response is None:
        return make_response(sign_up_page(form, is_invited=True), 422)
    keep(response, COOKIE, "", 0)
    return response


def _page(form: SignUpForm) -> Response:
    token = _token()
    if isinstance(token, Response):
        return token
    return make_response(sign_up_page(form, is_invited=True))


def _token() -> str | Response:
    """Return the token that the browser keeps, or the page that says why it lets nobody in."""
    if current_user.is_authenticated:
        sentence = gettext(
            "You’re logged in as %(username)s, so you have an account already. To sign somebody "
            "else up, log out first, then open the link again.",
            username=viewer().username,
        )
        return no_sign_up(sentence, 409)
    if parts().settings.sign_up == "closed":
        return no_sign_up(str(SENTENCES["closed"]), 403)
    token = kept(COOKIE)
    try:
        with reading() as connection:
            Invitation.demand_open(connection, token, utcnow())
    except (UnknownInvitation, InvitationOver) as error:
        return _refused(error)
    return token


def _refused(error: UnknownInvitation | InvitationOver) -> Response:
    note("invitation_refused", None)
    return no_sign_up(translated(error), STATUSES[type(error)])
