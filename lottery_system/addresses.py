"""Network addresses of clients, and safe redirect targets."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from flask import abort, request
from flask_babel import gettext

#: where the environment of a request has the address that its connection comes from, which no
#: header can change
PEER = "lottery.peer"
#: what one household or company commonly has of IPv6 (RFC 6177)
IPV6_PREFIX = 64


_WITH_PORT = re.compile(r"\[([^\[\]]*)\](?::[0-9]*)?|([0-9.]+):[0-9]*")


def parsed_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address as servers and proxies write it; None if there is none to be read.

    A port, brackets, quotes and a zone are left out (RFC 7239, 6; RFC 4007, 11), and an IPv4
    address on a socket of IPv6 is the IPv4 address (RFC 4291, 2.5.5.2).
    """
    bare = text.strip().strip('"')
    match = _WITH_PORT.fullmatch(bare)
    if match:
        bare = match[1] if match[1] is not None else match[2]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))
    return address


def forwarded_value(header: str, count: int) -> str:
    """Return the value that the outermost of our proxies put into a header, or nothing.

    Of more values than there are proxies those before were sent by the client. Of fewer the first
    is taken, since many proxies replace a value where others add one.

    Args:
        header: values with commas between, as one proxy after the other adds them.
        count: how many proxies are ours, at least one.
    """
    values = [value.strip() for value in header.split(",")]
    return values[-min(count, len(values))]


def client_address() -> IPv4Address | IPv6Address | None:
    """Return the client's address; None if a proxy sent no valid one."""
    return parsed_address(request.remote_addr or "")


def peer_address() -> IPv4Address | IPv6Address | None:
    """Return where the connection comes from: the client, or the last proxy in front."""
    return parsed_address(request.environ.get(PEER, ""))


def is_forwarded() -> bool:
    """Return whether a request has come through a proxy, ours or not, or says so."""
    return any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "Via"))


def network_of(text: str) -> str | None:
    """Return what counts as one client: an IPv4 address, or the /64 network of an IPv6 address."""
    address = parsed_address(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address) if address else None


def client_network() -> str:
    """Return whom a throttle counts.

    Raises:
        HTTPException: the address is not known, so that all such clients would be counted as one.
    """
    network = network_of(request.remote_addr or "")
    if network is None:
        abort(
            400,
            gettext(
                "A proxy between you and us hides your address, and we need it to tell you apart "
                "from other people. Try another network, or tell whoever runs the server."
            ),
        )
    return network


def own_path(target: str | None) -> str | None:
    """Return a path of this site that may be redirected to, or None for anything else.

    A browser drops tabs and line ends, reads a backslash as a slash, and takes two slashes for
    another host (WHATWG URL, basic URL parser): so only one leading slash, and none of the others.
    """
    if target is None or not re.fullmatch(r"/(?![/\\])[^\\\x00-\x20\x7f-\x9f]*", target):
        return None
    return target
