"""What a page asks for again and again and is always answered the same, remembered."""

from collections.abc import Callable
from functools import lru_cache

from flask import Flask, request, session, url_for
from flask_wtf.csrf import generate_csrf

REMEMBERED = 4096


def register(app: Flask) -> None:
    """Let the templates find addresses and CSRF tokens faster."""
    app.jinja_env.globals["url_for"] = path_for
    app.jinja_env.globals["csrf_token"] = csrf_token
    # Flask-WTF has a processor, too, whose token would come before what all templates have
    app.context_processor(_of_page)


def path_for(endpoint: str, **values: str | int | None) -> str:
    """Return the path of an endpoint, as `url_for` does."""
    return _path(request.environ.get("SCRIPT_NAME", ""), endpoint, tuple(values.items()))


def _of_page() -> dict[str, Callable[..., str]]:
    """Look once a page at what is the same for all of its links."""
    root = request.environ.get("SCRIPT_NAME", "")

    def path_of_page(endpoint: str, **values: str | int | None) -> str:
        return _path(root, endpoint, tuple(values.items()))

    return {"url_for": path_of_page, "csrf_token": csrf_token}


def csrf_token() -> str:
    """Return a CSRF token of this session; as none ends before its session, one is enough."""
    secret = session.get("csrf_token")
    if secret is None:
        generate_csrf()  # makes one
        secret = session["csrf_token"]
    return _csrf_token(secret)


@lru_cache(REMEMBERED)
def _path(root: str, endpoint: str, values: tuple[tuple[str, str | int | None], ...]) -> str:
    return url_for(endpoint, **dict(values))  # type: ignore[arg-type]


@lru_cache(REMEMBERED)
def _csrf_token(secret: str) -> str:
    """Sign the secret of the session at hand."""
    token: str = generate_csrf()
    return token
