"""Pages of somebody who follows an invitation: the form to sign up with it."""

from flask import Blueprint, make_response
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
from lottery_system.web.errors import STATUSES
from lottery_system.web.followed_links import FollowedLink
from lottery_system.web.forms import SignUpForm
from lottery_system.web.resuming import resumes_at
from lottery_system.web.sign_up import SENTENCES, no_sign_up, sign_up, sign_up_page
from lottery_system.web.words import translated

blueprint = Blueprint("joining", __name__)

LINK = FollowedLink("invitation", "joining.show")


@blueprint.get("/join")
@everybody
def show() -> Response:
    """Show the form to sign up to whoever followed an invitation."""
    return LINK.follow() or _page(SignUpForm(formdata=None))


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
    LINK.forget(response)
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
    token = LINK.token
    try:
        with reading() as connection:
            Invitation.demand_open(connection, token, utcnow())
    except (UnknownInvitation, InvitationOver) as error:
        return _refused(error)
    return token


def _refused(error: UnknownInvitation | InvitationOver) -> Response:
    note("invitation_refused", None)
    return no_sign_up(translated(error), STATUSES[type(error)])
