"""Request ids, and what each line of the log says of the request that it belongs to."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import has_request_context
from flask import request as flask_request

from config import log_lines
from lottery_system.addresses import network_of
from lottery_system.clock import steady

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADER = "X-Request-ID"
#: where the environment of a request has the number of whoever is logged in, once that is known
USER = "lottery.user"
#: what is taken over from a proxy
_VALID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestIds:
    """Names each request, in the log and in its answer.

    Args:
        app: what answers.
        proxies: how many proxies in front are ours; without any nobody else names requests.
    """

    def __init__(self, app: WSGIApplication, proxies: int) -> None:
        self._app = app
        self._proxies = proxies

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does, with the id added."""
        given = environ.get("HTTP_X_REQUEST_ID", "") if self._proxies else ""
        name = given if _VALID.fullmatch(given) else secrets.token_hex(8)
        began = steady()

        def known() -> Mapping[str, object]:
            user = environ.get(USER)
            return {
                "request": name,
                "client": network_of(environ.get("REMOTE_ADDR", "")) or "-",
                **({"user": user} if user else {}),
                "ms": round((steady() - began) * 1000),
            }

        def start(
            status: str, headers: list[tuple[str, str]], *exc_info: Any
        ) -> Callable[[bytes], object]:
            return start_response(status, [*headers, (HEADER, name)], *exc_info)

        token = log_lines.request.set(known)
        try:
            return self._app(environ, start)
        finally:
            log_lines.request.reset(token)


def note_user(user_id: int) -> None:
    """Let the lines of the current request name whoever is logged in, by number."""
    if has_request_context():
        flask_request.environ[USER] = user_id
