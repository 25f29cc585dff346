"""Page of log-in security: passkeys, authenticator app and recovery codes of one's account."""

from flask import make_response, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from lottery_system.access import viewer
from lottery_system.clock import utcnow
from lottery_system.extensions import db
from lottery_system.models import AuthenticatorApp, LoginSession, Passkey, RecoveryCode, User
from lottery_system.models.login_session import Viewer
from lottery_system.models.passkey import MOST
from lottery_system.models.second_factor import factors_of
from lottery_system.web import login, second_step
from lottery_system.web.forms import NewPasskeyForm
from lottery_system.web.recent_proof import needs_recent_proof


def security_page(
    form: NewPasskeyForm | None = None, refusal: str | None = None, codes: list[str] | None = None
) -> Response:
    """Render the page.

    Args:
        form: to add a passkey; None for an empty one.
        refusal: why something was not done.
        codes: new recovery codes, to be shown once.
    """
    session = db.session()
    session.rollback()  # see it as it is now
    user = session.get_one(User, viewer().id)
    app = session.get(AuthenticatorApp, user.id)
    html = render_template(
        "security/show.html",
        form=form or NewPasskeyForm(formdata=None),
        refusal=refusal,
        codes=codes,
        passkeys=Passkey.of_user(session, user.id),
        most=MOST,
        app=app if app and app.confirmed_at else None,
        factors=factors_of(session, user.id),
        is_missing=second_step.is_required(user) and not viewer().has_second_factor,
    )
    return make_response(html, 422 if refusal or (form and form.errors) else 200)


@needs_recent_proof
def resumed_security_page() -> Response:
    """Render the page where a form comes back whose session has ended, with the name typed."""
    typed = {"name": request.form.get("name", "")}
    return security_page(NewPasskeyForm(formdata=None, data=typed))


def strengthen(session: Session, user: User) -> tuple[Viewer, list[str] | None]:
    """Go on as a log-in with a second factor, one of which was shown just now.

    With a new token, since it has other rights (OWASP ASVS 5.0, 7.2.4).

    Args:
        user: whose row is locked.

    Returns:
        Who is logged in from now on, and the first recovery codes, with the first factor.

    Raises:
        LogInEnded: it has ended meanwhile; nothing may be stored.
    """
    has_codes = factors_of(session, user.id).recovery_codes
    codes = None if has_codes else RecoveryCode.make(session, user.id)
    return go_on_with(session, user, has_second_factor=True), codes


def weaken(session: Session, user: User) -> Viewer:
    """Go on after a factor was removed; all other log-ins end, since they may be in what was lost.

    Once nothing else is left, it is a log-in by password.

    Raises:
        LogInEnded: it has ended meanwhile; nothing may be stored.
    """
    has_any = factors_of(session, user.id).any
    if not has_any:
        RecoveryCode.remove_all(session, user.id)
    has_second_factor = has_any and viewer().has_second_factor
    somebody = go_on_with(session, user, has_second_factor=has_second_factor)
    LoginSession.close_others(session, user.id, somebody.token)
    return somebody


def go_on_with(
    session: Session, user: User, *, has_second_factor: bool, is_proven: bool = False
) -> Viewer:
    """Renew the log-in that asks, and return who is logged in by it from now on.

    Args:
        user: whose row is locked.
        has_second_factor: whether it goes on as one with a second factor.
        is_proven: whether the password was just typed.

    Raises:
        LogInEnded: it has ended meanwhile; nothing may be stored.
    """
    token = LoginSession.renew(
        session,
        user,
        viewer().token,
        utcnow(),
        has_second_factor=has_second_factor,
        is_proven=is_proven,
    )
    return login.viewer_of(user, token, has_second_factor=has_second_factor)
