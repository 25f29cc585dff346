"""Cookies: Flask's session, read fast and without expiry, and small cookies beside it.

Cookie names are specific to a lottery, since cookies ignore ports: two lotteries on one host would
otherwise overwrite each other's (RFC 6265, 8.5). Cookies of earlier versions, with the same name
everywhere, are read if there is no newer one, and replaced.
"""

from collections.abc import Callable
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any

from flask import Flask, Request, current_app, request
from flask import Response as FlaskResponse
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

#: cookies that a process remembers to have read
REMEMBERED = 4096
#: the session's cookie, before it had the lottery's own name
SESSION = "session"
#: hex digits by which lotteries on one host are told apart
TAG_LENGTH = 8


def tag_of(secret_key: str) -> str:
    """Return the suffix of a lottery's cookie names; it reveals nothing about its key."""
    return sha256(b"names of cookies\n" + secret_key.encode()).hexdigest()[:TAG_LENGTH]


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
        cookies = request.cookies
        name = self.get_cookie_name(app)
        if name in cookies:
            return self._session_of(cookies[name])
        former = self._session_of(cookies.get(_former_name(SESSION), ""))
        if former:
            former.modified = True  # so that it is kept under its own name
        return former

    def save_session(self, app: Flask, session: SessionMixin, response: FlaskResponse) -> None:
        """Have the browser keep a session that was changed.

        By its age alone, since a browser's clock may be years off (RFC 6265, 4.1.2.2). What anybody
        may keep depends on no cookie, and sets none: a cache in between would hand it to others.
        """
        if response.cache_control.public or request.endpoint == "static":
            return
        response.vary.add("Cookie")
        if not session.modified:
            return
        name, former = self.get_cookie_name(app), _former_name(SESSION)
        if session:
            assert self._signer is not None
            _set(response, name, self._signer.dumps(dict(session)), _age(app, session))
        elif name in request.cookies:
            _set(response, name, "", 0)
        if self._session_of(request.cookies.get(former, "")):  # else it is another lottery's
            _set(response, former, "", 0)

    def _session_of(self, cookie: str) -> SecureCookieSession:
        try:
            return self.session_class(self._read(cookie))
        except BadSignature:
            return self.session_class()


def _age(app: Flask, session: SessionMixin) -> int | None:
    """Return seconds; None for as long as the browser is open."""
    return int(app.permanent_session_lifetime.total_seconds()) if session.permanent else None


def keep(response: Response, name: str, text: str, max_age: int) -> None:
    """Have the browser keep a text, out of reach of scripts, for some seconds; 0 forgets it."""
    _set(response, _full_name(name), text, max_age)
    if not max_age and _former_name(name) in request.cookies:
        _set(response, _former_name(name), "", 0)


def kept(name: str) -> str:
    """Return what the browser keeps, which it may have made up; nothing if it keeps nothing."""
    cookies = request.cookies
    return cookies.get(_full_name(name)) or cookies.get(_former_name(name), "")


def _set(response: Response, name: str, text: str, max_age: int | None) -> None:
    response.set_cookie(
        name,
        text,
        max_age=max_age,
        secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
        httponly=True,
        samesite="Lax",
    )


def _full_name(name: str) -> str:
    tag = current_app.config["SESSION_COOKIE_NAME"].rpartition("-")[2]
    return f"{_former_name(name)}-{tag}"


def _former_name(name: str) -> str:
    """Return a name that browsers take only over TLS and for this host, where there is TLS."""
    return f"__Host-{name}" if current_app.config["SESSION_COOKIE_SECURE"] else name
