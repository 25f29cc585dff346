"""What a page asks for again and again and is always answered the same, remembered."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from flask import Flask, request, session, url_for
from flask_login import current_user
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup

from lottery_system.models.login_session import Viewer
from lottery_system.web.languages import language

REMEMBERED = 4096


def register(app: Flask) -> None:
    """Let the templates find addresses and CSRF tokens faster."""
    app.jinja_env.globals["url_for"] = path_for
    app.jinja_env.globals["csrf_token"] = csrf_token
    app.jinja_env.globals["site_ways"] = Frame(app, "partials/ways.html")
    app.jinja_env.globals["site_foot"] = Frame(app, "partials/foot.html")
    # Flask-WTF has a processor, too, whose token would come before what all templates have
    app.context_processor(_of_page)


class Seen(NamedTuple):
    """All that a part depends on that is at the top or the foot of every page."""

    code: str
    root: str
    here: str
    username: str
    is_organiser: bool
    token: str


class Frame:
    """A part of all pages, the same each time for somebody at a page.

    Args:
        app: whose templates it is made of.
        name: of its template, which sees what `Seen` holds and nothing of the request.
    """

    def __init__(self, app: Flask, name: str) -> None:
        self._template = app.jinja_env.get_template(name)
        self._remembered = lru_cache(REMEMBERED)(self._rendered)

    def __call__(self) -> Markup:
        """Return it as it is for whoever looks at the page at hand."""
        viewer = current_user._get_current_object()
        place = (language(), request.environ.get("SCRIPT_NAME", ""), request.endpoint or "")
        if isinstance(viewer, Viewer):
            seen = Seen(*place, viewer.username, viewer.is_organiser, csrf_token())
        else:
            seen = Seen(*place, "", False, "")
        return self._remembered(seen)

    def _rendered(self, seen: Seen) -> Markup:
        return Markup(self._template.render(seen._asdict()))  # noqa: S704 - a template


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
