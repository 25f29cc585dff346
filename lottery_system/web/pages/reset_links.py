"""Organisers' page for a link by which a participant sets a new password."""

from flask import Blueprint, abort, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from lottery_system.access import organisers, viewer
from lottery_system.clock import utcnow
from lottery_system.errors import AccountClosed
from lottery_system.extensions import db, transaction
from lottery_system.models import User
from lottery_system.models.password_reset import OnlyByCommand, make_reset_link
from lottery_system.security_log import note
from lottery_system.throttles import Limit, count, look
from lottery_system.web.log_in_throttle import AN_HOUR
from lottery_system.web.public_address import public_root
from lottery_system.web.resuming import resumes_at
from lottery_system.web.words import translated

blueprint = Blueprint("reset_links", __name__, url_prefix="/organiser/participants")

#: links that an organiser can make in an hour: a stolen log-in must not open all accounts at once
LINKS_PER_HOUR = 20


@blueprint.get("/<int(max=2147483647):user_id>/reset-link")
@organisers
def confirm_reset_link(user_id: int) -> str:
    """Explain what a link to set a new password is, and ask for confirmation."""
    user = _participant(user_id)
    return render_template("organiser/reset_link.html", user=user, link=None)


@blueprint.post("/<int(max=2147483647):user_id>/reset-link")
@organisers
@resumes_at(confirm_reset_link)
def make_link(user_id: int) -> Response | str:
    """Make the link, and show it, once."""
    user = _participant(user_id)
    limits = [Limit(f"reset links/{viewer().id}", LINKS_PER_HOUR, AN_HOUR)]
    look(limits, utcnow())
    count(limits, utcnow())
    with transaction() as session:
        token = make_reset_link(session, user.id, utcnow(), made_by=viewer().id)
    note("reset_link_made", user, reason=f"by_{viewer().id}")
    link = public_root() + url_for("new_passwords.show", link=token)[1:]
    return render_template("organiser/reset_link.html", user=user, link=link)


def _participant(user_id: int) -> User:
    """Load a participant whose account is open.

    Raises:
        HTTPException: there is no such user, the account is closed, or it is an organiser's.
    """
    user = db.get_or_404(User, user_id, description=gettext("This account doesn’t exist."))
    if user.closed_at is not None:
        abort(422, translated(AccountClosed()))
    if user.is_organiser:
        abort(403, translated(OnlyByCommand()))
    return user
