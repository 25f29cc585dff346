"""Per-process cache of URLs; and rendering `apart`, without request or user, for other caches.

A cached value depends on its key alone, but templates can read globals.
"""

from collections.abc import Callable
from contextvars import Context
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from flask import Flask, current_app, g, request

from lottery_system.csrf_tokens import csrf_token

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

REMEMBERED = 4096
Made = TypeVar("Made")
#: what is put into an address, or asked for behind it
Value = str | int | None


def register(app: Flask) -> None:
    """Let the templates find addresses and CSRF tokens faster."""
    app.jinja_env.globals["url_for"] = path_for
    app.jinja_env.globals["csrf_token"] = csrf_token
    # Flask-WTF has a processor, too, whose token would come before what all templates have
    app.context_processor(_of_page)


def apart(
    app: Flask,
    make: Callable[[], Made],
    code: str | None = None,
    environ: "WSGIEnvironment | None" = None,
    *,
    root: str | None = None,
    zone: str | None = None,
) -> Made:
    """Make something out of reach of the request in use.

    There is no request, session or user, so reading one fails at once.

    Args:
        app: the one at hand meanwhile.
        make: makes it.
        code: of the language that is spoken meanwhile.
        environ: a request that there is instead, a stranger's, made up of what the cache goes by.
        root: the path below which the application is reached, for addresses without a request.
        zone: the time zone in which instants are written; None for UTC.
    """

    def made() -> Made:
        with app.request_context(environ) if environ else app.app_context():
            if root is not None:
                g.root = root
            if code:
                g.language = code
            g.time_zone = zone
            return make()

    return Context().run(made)


def path_for(endpoint: str, **values: Value) -> str:
    """Return the path of an endpoint, as `url_for` does."""
    return _path_maker()(endpoint, **values)


def _of_page() -> dict[str, Callable[..., str]]:
    """Look once a page at what is the same for all of its links."""
    return {"url_for": _path_maker(), "csrf_token": csrf_token}


def _path_maker() -> Callable[..., str]:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    root = request.environ.get("SCRIPT_NAME", "") if request else g.root

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
