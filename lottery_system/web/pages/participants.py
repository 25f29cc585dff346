"""Organisers' page about one account: block it, remove its second factors, change its rights.

Rights need the organiser's own password once more: a stolen log-in must not make its own organiser.
"""

from collections.abc import Callable

from flask import Blueprint, make_response, redirect, render_template, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from lottery_system.access import organisers, viewer
from lottery_system.clock import utcnow
from lottery_system.errors import AccountClosed
from lottery_system.extensions import db, reading, transaction
from lottery_system.models import Invitation, User
from lottery_system.models.block import CannotBlock, block, unblock
from lottery_system.models.rights import CannotPromote, LastOrganiser, SameRights, set_organiser
from lottery_system.models.second_factor import (
    NoSecondFactor,
    NotOfOrganisers,
    factors_of,
    remove_factors,
)
from lottery_system.security_log import note
from lottery_system.web import login
from lottery_system.web.confirmations import Done, confirm
from lottery_system.web.forms import BlockForm, Form, OwnPasswordForm
from lottery_system.web.own_password import checked_password, not_yours
from lottery_system.web.resuming import resumes_at
from lottery_system.web.words import translated

blueprint = Blueprint("participants", __name__, url_prefix="/organiser/participants")

#: what is said above the form
REFUSED = (
    AccountClosed, CannotBlock, CannotPromote, LastOrganiser, NoSecondFactor, NotOfOrganisers,
    SameRights,
)  # fmt: skip


@blueprint.get("/<int(max=2147483647):user_id>")
@organisers
def show(user_id: int) -> str:
    """Show an account, and what organisers can do about it."""
    return _page(user_id)


@blueprint.post("/<int(max=2147483647):user_id>/block")
@organisers
@resumes_at(lambda user_id: _page(user_id, BlockForm()), "reason")
def keep_out(user_id: int) -> Response:
    """Block a participant: all log-ins end, and there are no new ballots."""
    form = BlockForm()
    if not form.validate():
        return make_response(_page(user_id, form), 422)
    reason = form.reason.data or ""
    return _done(
        user_id,
        form,
        Done.BLOCKED,
        lambda session: block(session, user_id, reason, utcnow(), viewer().id),
    )


@blueprint.post("/<int(max=2147483647):user_id>/unblock")
@organisers
@resumes_at(show)
def let_in(user_id: int) -> Response:
    """Let a blocked participant in again."""
    return _done(
        user_id,
        None,
        Done.UNBLOCKED,
        lambda session: unblock(session, user_id, utcnow(), viewer().id),
    )


@blueprint.post("/<int(max=2147483647):user_id>/remove-second-factors")
@organisers
@resumes_at(show)
def remove_second_factors(user_id: int) -> Response:
    """Let a participant who has lost phone or key in again by the password alone."""
    return _done(
        user_id,
        None,
        Done.SECOND_FACTORS_REMOVED,
        lambda session: remove_factors(session, user_id, utcnow(), viewer().id),
    )


@blueprint.post("/<int(max=2147483647):user_id>/promote")
@organisers
@resumes_at(show)
def promote(user_id: int) -> Response:
    """Make a participant an organiser."""
    return _change_rights(user_id, Done.PROMOTED, is_organiser=True)


@blueprint.post("/<int(max=2147483647):user_id>/demote")
@organisers
@resumes_at(show)
def demote(user_id: int) -> Response:
    """Make an organiser, perhaps oneself, a participant."""
    return _change_rights(user_id, Done.DEMOTED, is_organiser=False)


def _change_rights(user_id: int, done: Done, *, is_organiser: bool) -> Response:
    form = OwnPasswordForm()
    if not form.validate():
        return make_response(_page(user_id, form), 422)
    password_hash = checked_password(form.current)
    if password_hash is None:
        return make_response(_page(user_id, form), 422)

    def change(session: Session) -> User | None:
        user = set_organiser(session, user_id, is_organiser, utcnow(), viewer().id)
        if User.still_with(session, viewer().id, password_hash) is None:  # changed this very moment
            session.rollback()
            return None
        return user

    return _done(user_id, form, done, change)


def _done(
    user_id: int, form: Form | None, done: Done, change: Callable[[Session], User | None]
) -> Response:
    """Do it in one transaction, and go back to the page; or say there why it was not done."""
    _user_or_404(user_id)
    try:
        with transaction() as session:
            user = change(session)
    except REFUSED as error:
        return make_response(_page(user_id, form, translated(error)), 422)
    if user is None:
        return make_response(_page(user_id, form, not_yours()), 422)
    note(done.value, user, reason=f"by_{viewer().id}")
    if user_id != viewer().id:
        return confirm(redirect(url_for("participants.show", user_id=user_id), code=303), done)
    login.forget()
    return confirm(redirect(url_for("accounts.log_in"), code=303), Done.DEMOTED_ONESELF)


def _page(user_id: int, form: Form | None = None, refusal: str | None = None) -> str:
    user = _user_or_404(user_id)
    with reading() as connection:
        invitation = Invitation.of_guest(connection, user_id)
    return render_template(
        "participants/show.html",
        user=user,
        invitation=invitation,
        block=form if isinstance(form, BlockForm) else BlockForm(None),
        has_second_factors=factors_of(db.session(), user_id).any,
        rights=form if isinstance(form, OwnPasswordForm) else OwnPasswordForm(None),
        sent=form,
        refusal=refusal,
        is_oneself=user_id == viewer().id,
    )


def _user_or_404(user_id: int) -> User:
    db.session.rollback()  # see it as it is now
    return db.get_or_404(User, user_id, description=gettext("This account doesn’t exist."))
