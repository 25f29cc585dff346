"""Passkeys of one's account: add and remove them."""

from flask import Blueprint, redirect, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from lottery_system.access import users, viewer
from lottery_system.clock import utcnow
from lottery_system.extensions import db, transaction
from lottery_system.models import AccountEventKind, Passkey, User
from lottery_system.models.passkey import KnownPasskey, TooManyPasskeys, enforce_passkey_name
from lottery_system.models.user import LOCK
from lottery_system.parts import parts
from lottery_system.passkeys import BadPasskey, check_created, read_answer, to_create
from lottery_system.security_log import note
from lottery_system.web import login
from lottery_system.web.account_events import record
from lottery_system.web.confirmations import Done, confirm
from lottery_system.web.current_site import site
from lottery_system.web.forms import NewPasskeyForm, parse_number
from lottery_system.web.passkeys import (
    answer_with,
    new_passkey_challenges,
    no_options,
    site_of_request,
    use_challenge,
)
from lottery_system.web.recent_proof import needs_recent_proof
from lottery_system.web.resuming import resumes_at
from lottery_system.web.security_page import (
    resumed_security_page,
    security_page,
    strengthen,
    weaken,
)
from lottery_system.web.words import translated

blueprint = Blueprint("my_passkeys", __name__, url_prefix="/account/security/passkeys")


@blueprint.get("")
@users
def to_show() -> Response:
    """Lead back to the page, from the address of its form."""
    return redirect(url_for("security.show"), code=303)


@blueprint.get("/options")
@users
@needs_recent_proof
def ask() -> Response:
    """Return what to ask the browser for: a new passkey of this account."""
    of_site = site_of_request()
    if of_site is None:
        return no_options()
    session = db.session()
    options = to_create(
        of_site,
        new_passkey_challenges().new(utcnow()),
        title=site().title,
        username=viewer().username,
        user_handle=_handle(),
        known=[bytes(each.credential_id) for each in Passkey.of_user(session, viewer().id)],
    )
    return answer_with(options)


@blueprint.post("")
@users
@resumes_at(resumed_security_page, "name")
@needs_recent_proof
def create() -> Response:
    """Add the passkey that the device has made, and go on as a log-in with it."""
    form = NewPasskeyForm()
    if not form.validate():
        return security_page(form)
    of_site, now, challenges = site_of_request(), utcnow(), new_passkey_challenges()
    try:
        if of_site is None:
            raise BadPasskey("no_site")
        answer = read_answer(form.credential.data or "")
        challenge = challenges.demand(answer, now)
        handle = _handle()
        created = check_created(answer, of_site, challenge, handle)
        with transaction() as session:
            use_challenge(session, challenge)
            name = enforce_passkey_name(form.name.data or "")
            Passkey.add(session, viewer().id, name, created, now)
            record(session, viewer().id, AccountEventKind.PASSKEY_ADDED, detail=name)
            user = session.get_one(User, viewer().id)  # locked by `add`
            somebody, codes = strengthen(session, user)
    except BadPasskey as error:
        note("passkey_refused", viewer(), reason=error.reason)
        sentence = gettext(
            "This passkey couldn’t be added. Try again, perhaps with another device."
        )
        return security_page(form, sentence)
    except (KnownPasskey, TooManyPasskeys) as error:
        return security_page(form, translated(error))
    login.go_on(somebody)
    note("passkey_added", viewer())
    if codes:
        return security_page(codes=codes)
    return _done(Done.PASSKEY_ADDED)


@blueprint.post("/remove")
@users
@resumes_at(resumed_security_page)
@needs_recent_proof
def remove() -> Response:
    """Remove a passkey; nothing happens if it is gone already."""
    passkey_id = parse_number(request.form.get("passkey", "")) or 0
    with transaction() as session:
        user = session.get_one(User, viewer().id, with_for_update=LOCK)
        name = Passkey.remove(session, user.id, passkey_id)
        if name is not None:
            record(session, user.id, AccountEventKind.PASSKEY_REMOVED, detail=name)
            somebody = weaken(session, user)
    if name is not None:
        login.go_on(somebody)
        note("passkey_removed", viewer())
    return _done(Done.PASSKEY_REMOVED)


def _handle() -> bytes:
    return Passkey.handle_of(db.session(), viewer().id, parts().settings.secret_key)


def _done(done: Done) -> Response:
    return confirm(redirect(url_for("security.show"), code=303), done)
