"""Access control: who may do what.

Every route declares who may call it; otherwise the application does not start.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar, cast

from flask import Flask, abort, current_app, redirect, request, url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from lottery_system.addresses import client_address, is_forwarded, peer_address
from lottery_system.extensions import db, login_manager
from lottery_system.models import Lottery
from lottery_system.models.login_session import Viewer
from lottery_system.parts import parts

View = TypeVar("View", bound=Callable[..., Any])


class Access(Enum):
    """Who may call a route."""

    EVERYBODY = "everybody"
    USERS = "users"
    ORGANISERS = "organisers"
    #: whoever connects from a network of `LOTTERY_METRICS_NETWORKS`
    OPERATORS = "operators"


def allow(access: Access) -> Callable[[View], View]:
    """Declare who may call a view."""

    def declare(view: View) -> View:
        view.access = access  # type: ignore[attr-defined]
        return view

    return declare


everybody = allow(Access.EVERYBODY)
users = allow(Access.USERS)
organisers = allow(Access.ORGANISERS)
operators = allow(Access.OPERATORS)


def guard(app: Flask) -> None:
    """Enforce what the routes declare, from now on before every request.

    Raises:
        RuntimeError: a route declares nothing.
    """
    everybody(app.view_functions["static"])
    for endpoint, view in app.view_functions.items():
        if not isinstance(getattr(view, "access", None), Access):
            raise RuntimeError(f"the route {endpoint!r} does not declare who may call it")
    app.before_request(_enforce)


def check(endpoint: str) -> Response | None:
    """Refuse a caller without access to an endpoint, or redirect to what gives it; or None."""
    access = getattr(current_app.view_functions[endpoint], "access")  # noqa: B009
    if access is Access.OPERATORS and not _is_operator():
        abort(403, gettext("You can only view this page from the server’s own network."))
    if access in (Access.USERS, Access.ORGANISERS) and not current_user.is_authenticated:
        return cast(Response, login_manager.unauthorized())
    if access is Access.ORGANISERS and not viewer().is_organiser:
        abort(
            403,
            gettext("This page is for organisers. To become one, ask whoever runs the server."),
        )
    if access is Access.ORGANISERS and _lacks_second_factor():
        return redirect(url_for("security.show"), code=303)
    return None


def _enforce() -> Response | None:
    # without an endpoint there is no such address; the routing error follows
    return check(request.endpoint) if request.endpoint else None


def viewer() -> Viewer:
    """Return who is logged in; to be asked in views for users and organisers only."""
    user = current_user._get_current_object()
    assert isinstance(user, Viewer)
    return user


def lottery_or_404(lottery_id: int) -> Lottery:
    """Load a lottery, or answer that there is none."""
    return db.get_or_404(Lottery, lottery_id, description=gettext("This lottery doesn’t exist."))


def _lacks_second_factor() -> bool:
    required = parts().settings.organisers_second_factor
    return required and not viewer().has_second_factor


def _is_operator() -> bool:
    """Return whether the connection itself comes from an operator's network, and its client, too.

    Headers alone open nothing, since whoever reaches the port can forge them. They may close: a
    proxy on this host has the address of this host, whomever it speaks for.
    """
    settings = parts().settings
    if is_forwarded() and not settings.trusted_proxies:
        return False
    return all(
        address is not None and any(address in each for each in settings.metrics_networks)
        for address in (peer_address(), client_address())
    )
