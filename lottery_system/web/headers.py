"""What every answer says to the browser about itself."""

from flask import Flask, Response, request

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


def register(app: Flask, *, secure: bool) -> None:
    """Set the headers on every answer from now on."""

    @app.after_request
    def set_headers(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if secure:
            response.headers.setdefault("Strict-Transport-Security", f"max-age={TWO_YEARS}")
        if request.endpoint != "static":
            # pages are of the moment and often of one person
            response.headers.setdefault("Cache-Control", "no-store")
        return response
