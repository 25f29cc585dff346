"""Recent proof of who is logged in, asked for before log-in security is changed.

A stolen log-in must not add a passkey of its own. Whoever logged in or typed the password a short
time ago need not do it again (OWASP ASVS 5.0, 7.5.1). Where the account needs a second factor to
log in, the log-in must have been made with one: a password alone must not replace what it lacks.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar, cast

from flask import redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from lottery_system.access import viewer
from lottery_system.clock import utcnow
from lottery_system.extensions import reading_session
from lottery_system.models import LoginSession, User
from lottery_system.web import second_step

View = TypeVar("View", bound=Callable[..., Any])

#: how recent it must be to open a page, and to send its form, which may take a while to fill in
RECENT, RECENT_ENOUGH = timedelta(minutes=15), timedelta(hours=1)


def needs_recent_proof(view: View) -> View:
    """Declare that a view asks for the password first, where it was not typed a short time ago."""

    @wraps(view)
    def proven(*args: Any, **kwargs: Any) -> Any:
        with reading_session() as session:
            is_proven = _is_recent(session) and not lacks_second_factor(session)
        return view(*args, **kwargs) if is_proven else _ask()

    return cast(View, proven)


def lacks_second_factor(session: Session) -> bool:
    """Return whether the account needs more to log in than this log-in was made with."""
    user = session.get_one(User, viewer().id)
    return not viewer().has_second_factor and second_step.is_demanded(session, user)


def _is_recent(session: Session) -> bool:
    proven_at = LoginSession.proven(session, viewer().token)
    bound = RECENT if request.method in ("GET", "HEAD") else RECENT_ENOUGH
    return proven_at is not None and utcnow() - proven_at < bound


def _ask() -> Response:
    return redirect(url_for("security.confirm"), code=303)
