"""Page of log-in security: passkeys, authenticator app and recovery codes of one's account."""

from flask import make_response, render_template
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from lottery_system.access import viewer
from lottery_system.clock import utcnow
from lottery_system.extensions import db
from lottery_system.models import AuthenticatorApp, LoginSession, Passkey, RecoveryCode, User
from lottery_system.models.login_session import Viewer
from lottery_system.models.second_factor import Factors, factors_of
from lottery_system.web import login, second_step
from lottery_system.web.account_events import browser_of_request
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
    is_required = second_step.is_required(user)
    app = session.get(AuthenticatorApp, user.id)
    html = render_template(
        "security/show.html",
        form=form or NewPasskeyForm(formdata=None),
        refusal=refusal,
        codes=codes,
        passkeys=Passkey.of_user(session, user.id),
        app=app if app and app.confirmed_at else None,
        factors=factors_of(session, user.id),
        is_required=is_required,
        is_missing=is_required and not viewer().has_second_factor,
    )
    return make_response(html, 422 if refusal or (form and form.errors) else 200)


#: the page, where a form comes back whose session has ended
resumed_security_page = needs_recent_proof(security_page)


def strengthen(session: Session, user: User) -> tuple[Viewer, list[str] | None]:
    """Go on as a log-in with a second factor, one of which was shown just now.

    With a new token, since it has other rights (OWASP ASVS 5.0, 7.2.4).

    Returns:
        Who is logged in from now on, and the first recovery codes, if the account needs some.
    """
    factors = factors_of(session, user.id)
    is_demanded = factors.demanded(is_required=second_step.is_required(user))
    codes = None
    if is_demanded and not factors.recovery_codes:
        codes = RecoveryCode.make(session, user.id)
    return _go_on(session, user, has_second_factor=True), codes


def weaken(session: Session, user: User) -> Viewer | None:
    """Go on as a log-in by password, once nothing else is left; None if something is."""
    factors: Factors = factors_of(session, user.id)
    if factors.any:
        return None
    RecoveryCode.remove_all(session, user.id)
    return _go_on(session, user, has_second_factor=False)


def _go_on(session: Session, user: User, *, has_second_factor: bool) -> Viewer:
    token = LoginSession.open(
        session,
        user,
        utcnow(),
        viewer().token,
        browser_of_request(),
        has_second_factor=has_second_factor,
    )
    return login.viewer_of(user, token, has_second_factor=has_second_factor)
