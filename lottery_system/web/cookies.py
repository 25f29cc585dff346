"""What a browser keeps for us: Flask's session, read fast and without a clock, and small things."""

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any

from flask import Flask, Request, current_app, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

#: cookies that a process remembers to have read
REMEMBERED = 4096


class SessionCookies(SecureCookieSessionInterface):
    """Signs the cookies of one application; Flask's own makes a new signer twice a request."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    @cached_property
    def _signer(self) -> URLSafeTimedSerializer | None:
        return super().get_signing_serializer(self._app)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return the application's signer."""
        return self._signer

    @cached_property
    def _read(self) -> Callable[[str], dict[str, Any]]:
        """Return what reads a cookie; the same text, signed by the same key, says the same."""
        assert self._signer is not None
        return lru_cache(REMEMBERED)(self._signer.loads)

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read a cookie of any age; when a log-in ends is known to the database.

        Flask's own would also refuse a cookie from the future: of a host whose clock is a second
        ahead of this one's, or from before a clock was set back. Its owner would be logged out.
        """
        if self._signer is None:
            return None
        try:
            cookie = request.cookies.get(self.get_cookie_name(app), "")
            return self.session_class(self._read(cookie))
        except BadSignature:
            return self.session_class()


def keep(response: Response, name: str, text: str, max_age: int) -> None:
    """Have the browser keep a text, out of reach of scripts, for some seconds; 0 forgets it."""
    response.set_cookie(
        _full_name(name),
        text,
        max_age=max_age,
        secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
        httponly=True,
        samesite="Lax",
    )


def kept(name: str) -> str:
    """Return what the browser keeps, which it may have made up; nothing where it keeps nothing."""
    return request.cookies.get(_full_name(name), "")


def _full_name(name: str) -> str:
    """Return a name that browsers take only over TLS and for this very host, where there is TLS."""
    return f"__Host-{name}" if current_app.config["SESSION_COOKIE_SECURE"] else name
