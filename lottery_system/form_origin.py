"""Form origin: whether a form was sent by a page of this site, by the request's headers.

`Sec-Fetch-Site` (Fetch Metadata Request Headers, W3C), `Origin` (RFC 6454, 7) or `Referer` is
enough; privacy settings and proxies sometimes remove one of them.
"""

from enum import Enum
from urllib.parse import urlsplit

from flask import current_app, request

DEFAULT_PORTS = {"http": 80, "https": 443}


class FormOrigin(Enum):
    """Where a form came from."""

    OURS = "ours"
    #: the same host by another port or scheme: a proxy does not pass on what the browser asked for
    OTHER_PORT = "other_port"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


def origin_of_form() -> FormOrigin:
    """Return where the current form came from."""
    site = request.headers.get("Sec-Fetch-Site")
    if site == "same-origin":
        return FormOrigin.OURS
    origin = claimed_origin()
    if not origin:
        return FormOrigin.FOREIGN if site in ("same-site", "cross-site") else FormOrigin.UNKNOWN
    scheme, host, port = _parts(origin)
    # as browsers write the host: `host_url` has the letters of xn-- names
    here = f"{request.scheme}://{request.host}"
    roots = [_parts(root) for root in (here, public_url()) if root]
    for of_root, host_of_root, port_of_root in roots:
        # a proxy may not tell that it speaks TLS; a page without TLS is never that of one with it
        if (host, port) == (host_of_root, port_of_root) or (
            (host, port) == (host_of_root, DEFAULT_PORTS.get(scheme))
            and port_of_root == DEFAULT_PORTS[of_root]
        ):
            return FormOrigin.OURS if scheme == "https" or of_root == "http" else FormOrigin.FOREIGN
    if host in [host_of_root for _, host_of_root, _ in roots]:
        return FormOrigin.OTHER_PORT
    return FormOrigin.FOREIGN


def claimed_origin() -> str:
    """Return the page, or its origin, that the browser says the form is from; empty for nothing."""
    claims = [request.headers.get(name, "null") for name in ("Origin", "Referer")]
    return next((each for each in claims if each != "null"), "")


def public_url() -> str:
    """Return LOTTERY_URL; empty where it is not set."""
    url: str = current_app.config["PUBLIC_URL"]
    return url


def _parts(address: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port; the scheme's own port where none is named."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme)
