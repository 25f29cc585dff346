"""Organisers' pages of invitations: make one, see who came by it, end it."""

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from markupsafe import Markup
from werkzeug.wrappers import Response

from lottery_system.access import organisers, viewer
from lottery_system.clock import utcnow
from lottery_system.extensions import reading, transaction
from lottery_system.models import Invitation
from lottery_system.models.invitation import InvitationRow
from lottery_system.security_log import note
from lottery_system.web.confirmations import Done, confirm
from lottery_system.web.forms import InvitationForm, parse_number
from lottery_system.web.public_address import is_known_here_only, public_root
from lottery_system.web.qr_codes import qr_code
from lottery_system.web.resuming import resumes_at

blueprint = Blueprint("invitations", __name__, url_prefix="/organiser/invitations")

#: rows of a page
PAGE = 50
#: what the form begins with
USES, DAYS = 30, 14


@blueprint.get("")
@organisers
def index() -> str:
    """List the invitations, the newest first, with a form to make one."""
    return _page(InvitationForm())


@blueprint.post("")
@organisers
@resumes_at(index, "label", "uses", "days")
def create() -> Response:
    """Make an invitation, and show its link, once, as a poster to print.

    The answer is the page itself, since only this request knows the token.
    """
    form = InvitationForm()
    if not form.validate():
        return make_response(_page(form), 422)
    now = utcnow()
    with transaction() as session:
        invitation_id, token = Invitation.make(
            session,
            form.label.data or "",
            now,
            uses=form.uses.data,
            days=form.days.data,
            by=viewer().id,
        )
    note("invitation_made", viewer())
    address = public_root() + url_for("joining.show", link=token)[1:]
    html = render_template(
        "invitations/poster.html",
        invitation=_invitation_or_404(invitation_id),
        address=address,
        code=Markup(qr_code(address)),  # noqa: S704 - segno's own drawing
        leads_nowhere=is_known_here_only(address),
    )
    return make_response(html)


@blueprint.get("/<int(max=2147483647):invitation_id>")
@organisers
def show(invitation_id: int) -> str:
    """Show an invitation, who came by it, and a button to end it."""
    invitation = _invitation_or_404(invitation_id)
    before = parse_number(request.args.get("before", ""))
    with reading() as connection:
        guests = Invitation.guests(connection, invitation_id, PAGE + 1, before)
    return render_template(
        "invitations/show.html",
        invitation=invitation,
        state=invitation.state(utcnow()),
        guests=guests[:PAGE],
        older=guests[PAGE - 1].number if len(guests) > PAGE else None,
    )


@blueprint.post("/<int(max=2147483647):invitation_id>/end")
@organisers
@resumes_at(show)
def end(invitation_id: int) -> Response:
    """End an invitation; whoever came by it stays. Nothing happens if it has ended already."""
    _invitation_or_404(invitation_id)
    with transaction() as session:
        is_ended = Invitation.end(session, invitation_id, utcnow(), viewer().id)
    if is_ended:
        note("invitation_ended", viewer())
    response = redirect(url_for("invitations.show", invitation_id=invitation_id), code=303)
    return confirm(response, Done.INVITATION_ENDED)


def _page(form: InvitationForm) -> str:
    if not form.is_submitted():
        form.uses.data, form.days.data = USES, DAYS
    before = parse_number(request.args.get("before", ""))
    with reading() as connection:
        rows = Invitation.latest(connection, PAGE + 1, before)
    now = utcnow()
    return render_template(
        "invitations/index.html",
        form=form,
        invitations=[(row, row.state(now)) for row in rows[:PAGE]],
        older=rows[PAGE - 1].id if len(rows) > PAGE else None,
        is_latest=before is None,
    )


def _invitation_or_404(invitation_id: int) -> InvitationRow:
    with reading() as connection:
        found = Invitation.by_id(connection, invitation_id)
    if found is None:
        abort(404, gettext("This invitation doesn’t exist."))
    return found
