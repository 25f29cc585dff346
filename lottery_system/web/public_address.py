"""Public base URL: the start of every absolute address.

Links that leave the site, on posters or in shared pages, must use the public address, whatever
address the page was requested by.
"""

from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from flask import Flask, request

from lottery_system.form_origin import public_url


def register(app: Flask) -> None:
    """Let the templates write absolute addresses."""
    app.jinja_env.globals["public_root"] = public_root
    app.jinja_env.globals["public_address"] = public_address


def public_root() -> str:
    """Return LOTTERY_URL, or where this request came to; it ends with a slash."""
    return public_url() or request.host_url


def site_root() -> str:
    """Return the public root and the path below which the site is reached, a slash at the end."""
    return f"{public_root()}{request.root_path[1:]}".rstrip("/") + "/"


def public_address() -> str:
    """Return the absolute address of the page that is asked for."""
    return site_root() + quote(request.path[1:], safe="/:@!$&'()*+,;=~")


def is_known_here_only(root: str) -> bool:
    """Return whether an address leads to this machine, from whichever machine it is followed."""
    host = urlsplit(root).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
