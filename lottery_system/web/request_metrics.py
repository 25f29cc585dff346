"""Request metrics: requests by route and status, and how long they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Request

from lottery_system.clock import steady
from lottery_system.metrics import REQUEST_SECONDS, REQUESTS, UNKNOWN

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class RequestMetrics:
    """Counts each request by its route's name, once the answer begins."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does."""
        began = steady()

        def start(
            status: str, headers: list[tuple[str, str]], *exc_info: Any
        ) -> Callable[[bytes], object]:
            endpoint = endpoint_of(environ)
            REQUESTS.labels(endpoint, status[:3]).inc()
            REQUEST_SECONDS.labels(endpoint).observe(steady() - began)
            return start_response(status, headers, *exc_info)

        return self._app(environ, start)


def endpoint_of(environ: WSGIEnvironment) -> str:
    """Return the name of the route that a request has come to; a word for all that have none."""
    request = environ.get("werkzeug.request")
    return (request.endpoint if isinstance(request, Request) else None) or UNKNOWN
