"""Second step of a log-in: after the password, a code or a passkey.

Between the two a signed cookie says whose password was right. It is worth nothing by itself, ends
after ten minutes, and when the password is changed.
"""

from hashlib import sha256

from flask import current_app, make_response, render_template
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from lottery_system.extensions import db
from lottery_system.models import User
from lottery_system.models.second_factor import factors_of
from lottery_system.parts import parts
from lottery_system.security_log import note
from lottery_system.web.cookies import keep, kept
from lottery_system.web.forms import CodeForm
from lottery_system.web.resuming import carried_fields, next_page

COOKIE = "second-step"
#: seconds for which the password need not be typed again
LASTS = 10 * 60


def is_required(user: User) -> bool:
    """Return whether somebody must have a second factor: organisers, by a setting."""
    return user.is_organiser and parts().settings.organisers_second_factor


def is_demanded(session: Session, user: User) -> bool:
    """Return whether a user's right password is not enough."""
    return factors_of(session, user.id).demanded(is_required=is_required(user))


def begin(user: User) -> Response:
    """Ask for the second step, after the password was right."""
    note("second_step_asked", user)
    response = page(user, CodeForm(formdata=None))
    keep(response, COOKIE, _serializer().dumps([user.id, _fingerprint(user)]), LASTS)
    return response


def user_at_it() -> User | None:
    """Return whose password was right in this browser; None for nobody's, or too long ago."""
    try:
        user_id, fingerprint = _serializer().loads(kept(COOKIE), max_age=LASTS)
    except (BadSignature, ValueError, TypeError):
        return None
    user = db.session().get(User, user_id, populate_existing=True)
    return user if user is not None and _fingerprint(user) == fingerprint else None


def forget(response: Response) -> Response:
    """Let the browser forget it, once the log-in is complete."""
    keep(response, COOKIE, "", 0)
    return response


def page(user: User, form: CodeForm, refusal: str | None = None) -> Response:
    """Render the page that asks for it; it carries what was typed elsewhere."""
    html = render_template(
        "accounts/second_step.html",
        form=form,
        refusal=refusal,
        username=user.username,
        is_organiser=user.is_organiser,
        factors=factors_of(db.session(), user.id),
        kept=carried_fields(),
        next=next_page(),
    )
    return make_response(html, 422 if refusal or form.errors else 200)


def _fingerprint(user: User) -> str:
    """Return what stands for a password; it tells nothing about it."""
    return sha256(b"second step\n" + user.password_hash.encode()).hexdigest()[:32]


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="second step")
