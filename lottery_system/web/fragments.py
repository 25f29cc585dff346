"""Fragments: parts of pages that are rendered once for all that they show."""

from functools import lru_cache
from typing import Any
from uuid import uuid4

from flask import Flask, request
from flask_login import current_user
from markupsafe import Markup

from lottery_system.csrf_tokens import csrf_token
from lottery_system.models.login_session import Viewer
from lottery_system.web.current_site import site
from lottery_system.web.instants import time_zone
from lottery_system.web.languages import language
from lottery_system.web.remembered import apart

#: fragments that a process keeps, some kB each
KEPT = 4096
#: where each page has tokens of its own; NUL is in no text of a person
CSRF, SUBMISSION = "\0csrf\0", "\0submission\0"


def register(app: Flask) -> None:
    """Let templates show fragments, and the two that all pages have."""
    fragment = Fragments(app)
    app.jinja_env.globals["fragment"] = fragment
    app.jinja_env.globals["site_ways"] = lambda: fragment("partials/ways.html", **_of_page())
    app.jinja_env.globals["site_foot"] = lambda: fragment("partials/foot.html", **_of_page())


class Fragments:
    """Cached parts of an application's pages.

    A fragment's template sees the values that it is given, `csrf` and `new_token`, and nothing of
    the request: it is rendered `apart`, so a template that reads a request or a user fails.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._cached = lru_cache(KEPT)(self._rendered)

    def __call__(self, name: str, /, *, is_kept: bool = True, **values: object) -> Markup:
        """Return a fragment for the page of the current request.

        Args:
            name: of the template.
            is_kept: false for what somebody typed, so that nobody can fill the cache with it.
            values: all that it shows; of types whose equal values look the same.

        Raises:
            TypeError: a value has no hash.
        """
        root = request.environ.get("SCRIPT_NAME", "")
        rendered = self._cached if is_kept else self._rendered
        text = rendered(name, language(), time_zone(), root, tuple(values.items()))
        if "\0" in text:
            text = text.replace(CSRF, csrf_token())
            first, *others = text.split(SUBMISSION)
            text = first + "".join(str(uuid4()) + each for each in others)
        return Markup(text)  # noqa: S704 - a template

    def _rendered(
        self,
        name: str,
        code: str,
        zone: str | None,
        root: str,
        values: tuple[tuple[str, object], ...],
    ) -> str:
        template = self._app.jinja_env.get_template(name)
        own = {"csrf": CSRF, "new_token": lambda: SUBMISSION}
        return apart(
            self._app, lambda: template.render(dict(values), **own), code, root=root, zone=zone
        )


def _of_page() -> dict[str, Any]:
    viewer = current_user._get_current_object()
    is_known = isinstance(viewer, Viewer)
    return {
        "here": request.endpoint or "",
        "texts": site().texts,
        "username": viewer.username if is_known else "",
        "is_organiser": is_known and viewer.is_organiser,
    }
