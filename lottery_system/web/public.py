"""What is served to strangers' programs: from any page, and for as long as it is the same."""

import gzip

from flask import request
from werkzeug.wrappers import Response

#: what never changes may be kept for a year
FOR_EVER = "public, max-age=31536000, immutable"
#: what grows may be kept for seconds
A_MOMENT = "public, max-age=2"


def public(body: str | bytes, mimetype: str, caching: str) -> Response:
    """Answer in a way that other sites' pages, and pages saved on a disk, may read, too."""
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
