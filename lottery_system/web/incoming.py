"""Input limits: size and form of requests, before anything else reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Request, abort, current_app, request
from werkzeug.wrappers import Response

from config.settings import LONGEST_UPLOAD
from lottery_system.models.lottery import PRIZE_LENGTH
from lottery_system.runtime.bounded import request_limit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

View = TypeVar("View", bound=Callable[..., Any])


def field_of(characters: int) -> int:
    """Return the longest form field for a text of up to so many characters."""
    return 2 * characters + 240


#: bytes of path and query, and of a header's value; gunicorn's own limits are for single lines,
#: of which it joins up to a hundred
LONGEST_ADDRESS = 4096
LONGEST_HEADER = 8190
#: characters of a field: a prize, whose every line end a browser sends as two, and some more
LONGEST_FIELD = field_of(PRIZE_LENGTH)
#: fields of a form; ours have far fewer
MOST_FIELDS = 64

#: what browsers send forms as
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})
#: headers that say where a request comes from, and how one says that it is nowhere (RFC 6454)
ORIGINS = ("HTTP_ORIGIN", "HTTP_REFERER")
NOWHERE = "null"


class FormRequest(Request):
    """A request that keeps uploaded files in memory, like its whole body, not on disk."""

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        return BytesIO()


def register(app: Flask) -> None:
    """Refuse bodies that are no forms; before all that reads them, so to be called first."""
    app.request_class = FormRequest
    app.config["MAX_FORM_PARTS"] = MOST_FIELDS
    app.before_request(_refuse_body)


def takes_upload(longest_field: int = LONGEST_FIELD) -> Callable[[View], View]:
    """Allow a view's form to upload a file, and set the longest of its other fields.

    `config/connections.py` lists the addresses of these views, too.
    """

    def declare(view: View) -> View:
        view.longest_field = longest_field  # type: ignore[attr-defined]
        return view

    return declare


class Limits:
    """Refuses addresses and headers that are too long, and bounds what a request waits for."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does, where what comes in can be read.

        What should name an origin and does not is read as the origin that is nowhere, which no
        form of ours comes from.
        """
        refusal = _refusal(environ)
        if refusal:
            return refusal(environ, start_response)
        for name in ORIGINS:
            if name in environ and not _is_address(environ[name]):
                environ[name] = NOWHERE
        with request_limit():
            return self._app(environ, start_response)


def _refusal(environ: WSGIEnvironment) -> Response | None:
    """Return what to answer to something that is too long; a page would have to read it."""
    if len(environ.get("PATH_INFO", "")) + len(environ.get("QUERY_STRING", "")) > LONGEST_ADDRESS:
        return Response("This address is longer than any here.\n", 414, mimetype="text/plain")
    for name, value in environ.items():
        if name.startswith(("HTTP_", "CONTENT_")) and len(value) > LONGEST_HEADER:
            return Response(
                "A header of this request is too long. Delete this site’s cookies, then try "
                "again.\n",
                431,
                mimetype="text/plain",
            )
    return None


def _is_address(text: str) -> bool:
    try:
        urlsplit(text).port  # noqa: B018 - which is only read when it is asked for
    except ValueError:  # brackets without an address of IPv6, a port that is no number
        return False
    return True


def _refuse_body() -> None:
    if request.method in READING:
        return
    has_body = request.content_length or "Transfer-Encoding" in request.headers
    if has_body and request.mimetype not in FORMS:
        abort(415)
    view = current_app.view_functions.get(request.endpoint or "")
    longest_field = getattr(view, "longest_field", None)
    if longest_field is not None:
        request.max_content_length = LONGEST_UPLOAD
    fields = list(request.form.items(multi=True))
    if any(name is None for name, _ in fields):  # a part of multipart/form-data that has none
        abort(415)
    if len(fields) > MOST_FIELDS or any(
        len(text) > (longest_field or LONGEST_FIELD) for pair in fields for text in pair
    ):
        abort(413)
