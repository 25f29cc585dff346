"""Public responses: CORS and cache headers for other sites and programs."""

import gzip

from flask import request
from werkzeug.wrappers import Response

#: what never changes may be kept for a year
FOR_EVER = "public, max-age=31536000, immutable"
#: what grows may be kept for seconds
A_MOMENT = "public, max-age=2"


def public(body: str | bytes, mimetype: str, caching: str) -> Response:
    """Return a response that pages of other sites, and saved pages, may read too (CORS)."""
    return Response(
        body,
        mimetype=mimetype,
        headers={
            "Cache-Control": caching,
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
        },
    )


def compressed(response: Response) -> Response:
    """Compress an answer for those who can read it so."""
    response.headers["Vary"] = "Accept-Encoding"
    if request.accept_encodings["gzip"]:
        response.set_data(gzip.compress(response.get_data(), mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
