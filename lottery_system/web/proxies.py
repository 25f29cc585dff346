"""Proxy headers: client address, host and scheme, applied before a request is read.

A middleware, so that pages, rate limits and logs see the same values. Werkzeug's `ProxyFix` counts
the values of each header separately: behind two proxies, of which the outer one sets the scheme
and the inner one only passes it on, it would find none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from logging import getLogger
from typing import TYPE_CHECKING

from werkzeug.sansio.utils import get_current_url, get_host, host_is_trusted
from werkzeug.wrappers import Response

from lottery_system.addresses import PEER, forwarded_value, parsed_address

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = getLogger(__name__)

#: asked by load balancers and monitors, by whatever address they know the machine
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})

#: a name, an IPv4 address, or an IPv6 address in brackets, and maybe a port (RFC 9110, 7.2)
_HOST = re.compile(
    r"(?P<name>[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_])?|\[[0-9a-f:.]{2,45}\])\.?(?P<port>:[0-9]{1,5})?"
)
#: what Werkzeug cannot always write down in links: other brackets than IPv6's, underscores,
#: which are in names of containers, and letters beyond ASCII that cannot be decoded
_ODD = re.compile(r"\[|_|xn--")


class Proxies:
    """Sets the client's address, host and scheme of a request, and refuses unknown hosts.

    Args:
        app: what answers.
        count: how many proxies in front are ours.
        hosts: the names that the site answers to, one with a leading dot for all below it; empty
            for all.
    """

    def __init__(self, app: WSGIApplication, count: int, hosts: Iterable[str]) -> None:
        self._app = app
        self._count = count
        self._hosts = [host.lower().rstrip(".") for host in hosts]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as the application does, or that the host is not ours."""
        self._find_client(environ)
        if self._count:
            scheme = self._forwarded(environ, "HTTP_X_FORWARDED_PROTO")
            if scheme in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
            host = self._forwarded(environ, "HTTP_X_FORWARDED_HOST")
            if host:
                environ["HTTP_HOST"] = host
        if not self._find_host(environ):
            log.info("refused a host: %.100r", environ.get("HTTP_HOST"))
            return _FOREIGN_HOST(environ, start_response)
        return self._app(environ, start_response)

    def _find_client(self, environ: WSGIEnvironment) -> None:
        """Put the client's address in one form, and nothing in its place where none can be read.

        A word such as `unknown`, which all would share, is nobody's address (RFC 7239, 6).
        """
        text = environ[PEER] = environ.get("REMOTE_ADDR", "")
        if self._count:
            text = self._forwarded(environ, "HTTP_X_FORWARDED_FOR") or text
        address = parsed_address(text)
        environ["REMOTE_ADDR"] = str(address) if address else ""

    def _find_host(self, environ: WSGIEnvironment) -> bool:
        """Put the host in one form, and tell whether it is one that the site answers to."""
        if "HTTP_HOST" not in environ:  # HTTP/1.0: the server's own name stands for it
            return not self._hosts or environ.get("PATH_INFO") in PROBES
        match = _HOST.fullmatch(environ["HTTP_HOST"].lower())
        if not match or int((match["port"] or ":1")[1:]) not in range(1, 65_536):
            return False
        host = environ["HTTP_HOST"] = match["name"] + (match["port"] or "")
        if environ.get("PATH_INFO") in PROBES:
            return True
        if _ODD.search(host) and not _is_written_down(host):
            return False
        return not self._hosts or host_is_trusted(host, self._hosts)

    def _forwarded(self, environ: WSGIEnvironment, name: str) -> str:
        """Return what the outermost of our proxies said; nothing if none said anything."""
        return forwarded_value(environ.get(name, ""), self._count)


def _is_written_down(host: str) -> bool:
    try:
        return bool(get_host("http", host) and get_current_url("http", host))
    except ValueError:
        return False


# without a page, whose links would need the host that was just refused
_FOREIGN_HOST = Response("This site does not answer to that host name.\n", 400)
