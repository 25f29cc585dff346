"""The client's address, and whether an address may be sent to."""

import re
from ipaddress import IPv6Address, ip_address, ip_network

from flask import request

#: what one household or company commonly has of IPv6 (RFC 6177)
IPV6_PREFIX = 64


def client_network() -> str:
    """Return whom a throttle counts."""
    return network_of(request.remote_addr or "")


def network_of(text: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        address = ip_address(text)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)


def own_path(target: str | None) -> str | None:
    """Return a path of this site that may be redirected to, or None for anything else.

    A browser drops tabs and line ends, reads a backslash as a slash, and takes two slashes for
    another host (WHATWG URL, basic URL parser): so only one leading slash, and none of the others.
    """
    if target is None or not re.fullmatch(r"/(?![/\\])[^\\\x00-\x20\x7f-\x9f]*", target):
        return None
    return target
