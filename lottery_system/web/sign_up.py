"""Signing up: form, rules and the new account, with an invitation or without one."""

from flask import redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext
from sqlalchemy.exc import IntegrityError
from werkzeug.wrappers import Response

from lottery_system.addresses import client_network, own_path
from lottery_system.clock import utcnow
from lottery_system.extensions import reading, transaction
from lottery_system.models import AccountEventKind, Invitation, LoginSession, User
from lottery_system.parts import parts
from lottery_system.passwords import BadPassword, enforce_password, hash_password
from lottery_system.queries.site import terms_in_force
from lottery_system.reserved_names import demand_unreserved
from lottery_system.security_log import note
from lottery_system.throttles import Limit, count, look
from lottery_system.usernames import BadUsername, enforce_username
from lottery_system.web import login
from lottery_system.web.account_events import browser_of_request, record
from lottery_system.web.current_site import site
from lottery_system.web.forms import SignUpForm
from lottery_system.web.log_in_throttle import AN_HOUR, Attempt
from lottery_system.web.words import translated

#: why nobody can sign up without an invitation, or at all
SENTENCES = {
    "invited": lazy_gettext(
        "To sign up here, you need an invitation. Ask the organisers for a link."
    ),
    "closed": lazy_gettext("Nobody can sign up here right now. Whoever has an account can log in."),
}


def sign_up_page(form: SignUpForm, *, is_invited: bool = False) -> str:
    """Render the form to sign up, with a box for the terms if the site has any."""
    with reading() as connection:  # the site's list of texts may be two seconds old
        terms = terms_in_force(connection)
    return render_template(
        "accounts/new.html",
        form=form,
        terms=terms,
        is_invited=is_invited,
        next=own_path(request.args.get("next")),
    )


def no_sign_up(sentence: str, status: int) -> Response:
    """Answer that nobody can sign up this way, and why; logging in goes on."""
    return Response(
        render_template("accounts/no_sign_up.html", sentence=sentence),
        status,
        mimetype="text/html",
    )


def sign_up(form: SignUpForm, invitation: str | None = None) -> Response | None:
    """Make a user of a submitted form, and log the new user in.

    Args:
        invitation: the token of one; None for none.

    Returns:
        None if something is wrong, which the form then says.

    Raises:
        TooManyAttempts: too many have signed up from this address.
        UnknownInvitation, InvitationOver: it was open a moment ago; nothing was stored.
    """
    limits = [Limit(f"sign up/{client_network()}", parts().settings.sign_ups_per_hour, AN_HOUR)]
    look(limits, utcnow())
    with reading() as connection:
        terms = terms_in_force(connection)
    form.terms_in_force = terms
    if not form.validate():
        return None
    site_names = (parts().settings.name, site().title)
    try:
        username = enforce_username(form.username.data or "")
        demand_unreserved(username, *site_names)
        password = enforce_password(form.password.data or "", username, *site_names)
    except BadUsername as error:
        form.username.errors = [translated(error)]
        return None
    except BadPassword as error:
        form.password.errors = [translated(error)]
        return None
    now = utcnow()
    count(limits, now)  # not before: a class mistypes as often as it signs up
    user = User.sign_up(username, hash_password(password), now)
    user.accepted_terms = terms
    before = login.token_held()
    try:
        with transaction() as session:
            session.add(user)
            session.flush()
            kind = AccountEventKind.SIGNED_UP
            if invitation is not None:
                Invitation.use(session, invitation, user.id, now)
                kind = AccountEventKind.JOINED_BY_INVITATION
            token = LoginSession.open(session, user, now, before, browser_of_request())
            record(session, user.id, kind)
    except IntegrityError:  # one of the unique keys: somebody was first
        form.username.errors = [
            gettext(
                "This username is taken, or looks too similar to one that is. Choose another one."
            )
        ]
        return None
    login.log_in(login.viewer_of(user, token))
    note("sign_up", user)
    response = redirect(own_path(request.args.get("next")) or url_for("lotteries.index"), code=303)
    Attempt(username).remember_browser(response)
    return response
