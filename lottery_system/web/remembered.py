"""Per-process caches of URLs, CSRF tokens and page frames.

A cached value depends on its key alone. Values that need more than plain arguments are rendered
`apart`, without request or user, because templates can read globals.
"""

from collections.abc import Callable
from contextvars import Context
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from flask import Flask, current_app, g, request
from flask_login import current_user
from markupsafe import Markup

from lottery_system.csrf_tokens import csrf_token
from lottery_system.models.login_session import Viewer
from lottery_system.web.current_site import site
from lottery_system.web.languages import language

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

REMEMBERED = 4096
#: what a remembered part has where each page has a token of its own
TOKEN = "the CSRF token of the page"  # noqa: S105

Made = TypeVar("Made")
#: what is put into an address, or asked for behind it
Value = str | int | None


def register(app: Flask) -> None:
    """Let the templates find addresses and CSRF tokens faster."""
    app.jinja_env.globals["url_for"] = path_for
    app.jinja_env.globals["csrf_token"] = csrf_token
    app.jinja_env.globals["site_ways"] = Frame(app, "partials/ways.html")
    app.jinja_env.globals["site_foot"] = Frame(app, "partials/foot.html")
    # Flask-WTF has a processor, too, whose token would come before what all templates have
    app.context_processor(_of_page)


def apart(
    app: Flask,
    make: Callable[[], Made],
    code: str | None = None,
    environ: "WSGIEnvironment | None" = None,
) -> Made:
    """Make something out of reach of the request in use.

    There is no request, session or user, so reading one fails at once.

    Args:
        app: the one at hand meanwhile.
        make: makes it.
        code: of the language that is spoken meanwhile.
        environ: a request that there is instead, a stranger's, made up of what the cache goes by.
    """

    def made() -> Made:
        with app.request_context(environ) if environ else app.app_context():
            if code:
                g.language = code
            return make()

    return Context().run(made)


class Seen(NamedTuple):
    """All that a part depends on that is at the top or the foot of every page."""

    code: str
    root: str
    here: str
    #: names of the site's texts
    texts: tuple[str, ...]
    username: str
    is_organiser: bool

    def __repr__(self) -> str:
        """Show what is no secret."""
        return f"Seen({', '.join(map(repr, self[:-1]))})"


class Frame:
    """A cached part of all pages, such as header or footer.

    Args:
        app: whose templates it is made of.
        name: of its template, which sees what `Seen` holds and nothing of the request.
    """

    def __init__(self, app: Flask, name: str) -> None:
        self._app = app
        self._template = app.jinja_env.get_template(name)
        self._remembered = lru_cache(REMEMBERED)(self._rendered)

    def __call__(self) -> Markup:
        """Return it as it is for whoever looks at the page in use."""
        viewer = current_user._get_current_object()
        root, here = request.environ.get("SCRIPT_NAME", ""), request.endpoint or ""
        place = (language(), root, here, site().texts)
        if isinstance(viewer, Viewer):
            part = self._remembered(Seen(*place, viewer.username, viewer.is_organiser))
            return Markup(part.replace(TOKEN, csrf_token()))  # noqa: S704 - a template
        return self._remembered(Seen(*place, "", False))

    def _rendered(self, seen: Seen) -> Markup:
        def path_of_part(endpoint: str, **values: Value) -> str:
            return _path(self._app, seen.root, endpoint, tuple(values.items()))

        def render() -> str:
            return self._template.render(seen._asdict(), token=TOKEN, url_for=path_of_part)

        return Markup(apart(self._app, render, seen.code))  # noqa: S704 - a template


def path_for(endpoint: str, **values: Value) -> str:
    """Return the path of an endpoint, as `url_for` does."""
    return _path_maker()(endpoint, **values)


def _of_page() -> dict[str, Callable[..., str]]:
    """Look once a page at what is the same for all of its links."""
    return {"url_for": _path_maker(), "csrf_token": csrf_token}


def _path_maker() -> Callable[..., str]:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    root = request.environ.get("SCRIPT_NAME", "")

    def path(endpoint: str, **values: Value) -> str:
        return _path(app, root, endpoint, tuple(values.items()))

    return path


@lru_cache(REMEMBERED)
def _path(app: Flask, root: str, endpoint: str, values: tuple[tuple[str, Value], ...]) -> str:
    """Build a path of an application that is reached below `root`.

    Raises:
        ValueError: what is asked for (`_external`, `_anchor`) would take more than a path.
    """
    if any(name.startswith("_") for name, _ in values):
        raise ValueError(f"only paths are remembered; ask flask.url_for for {values}")
    return app.url_map.bind("", root).build(endpoint, dict(values))
