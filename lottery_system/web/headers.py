"""Security and cache headers of every response."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: nothing but our own files, no inline script or style, no other site's frame (CSP Level 3)
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # with no-referrer the check of the CSRF protection under TLS would refuse every form
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), browsing-topics=()",
}
TWO_YEARS = 63_072_000


#: pages are of the moment and often of one person; what is static says so itself
NOT_KEPT = ("Cache-Control", "no-store")


class Headers:
    """Adds the headers to every response that does not set them itself.

    A middleware, since setting them on Flask's response would validate each of them twice.
    """

    def __init__(self, app: WSGIApplication, *, secure: bool, demo: bool) -> None:
        self._app = app
        self._headers = list(HEADERS.items())
        if secure:
            self._headers.append(("Strict-Transport-Security", f"max-age={TWO_YEARS}"))
        if demo:  # whoever searches finds no results of draws that do not count
            self._headers.append(("X-Robots-Tag", "noindex"))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does, with the headers added."""

        def start(
            status: str, headers: list[tuple[str, str]], *exc_info: Any
        ) -> Callable[[bytes], object]:
            said = {name for name, _ in headers}
            headers += [each for each in self._headers if each[0] not in said]
            if "Cache-Control" not in said:
                headers.append(NOT_KEPT)
            return start_response(status, headers, *exc_info)

        return self._app(environ, start)
