"""Recent proof of who is logged in, asked for before log-in security is changed.

A stolen log-in must not add a passkey of its own. Whoever logged in or typed the password a short
time ago need not do it again (OWASP ASVS 5.0, 7.5.1).
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar, cast

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from lottery_system.access import viewer
from lottery_system.clock import utcnow
from lottery_system.extensions import reading_session
from lottery_system.models import LoginSession

View = TypeVar("View", bound=Callable[..., Any])

#: how recent it must be to open a page, and to send its form, which may take a while to fill in
RECENT, RECENT_ENOUGH = timedelta(minutes=15), timedelta(hours=1)


def needs_recent_proof(view: View) -> View:
    """Declare that a view asks for the password first, where it was not typed a short time ago."""

    @wraps(view)
    def proven(*args: Any, **kwargs: Any) -> Any:
        return _ask() if not _is_recent() else view(*args, **kwargs)

    return cast(View, proven)


def _is_recent() -> bool:
    with reading_session() as session:
        proven_at = LoginSession.proven(session, viewer().token)
    bound = RECENT if request.method in ("GET", "HEAD") else RECENT_ENOUGH
    return proven_at is not None and utcnow() - proven_at < bound


def _ask() -> Response:
    target = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("security.confirm", next=target), code=303)
