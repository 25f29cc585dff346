"""Metrics network: the subnet from which a Prometheus in a container reaches the lottery's.

    python -m config.metrics_network NAME

prints what LOTTERY_METRICS_NETWORKS is to be where the engine gave the lottery that name on a
network of its own: this machine, and that network's subnet, which only the engine has chosen.
"""

import socket
import sys
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from config.settings import DEFAULTS

ROUTES = Path("/proc/net/route")


def subnet_of(address: IPv4Address, routes: str) -> IPv4Network | None:
    """Return the narrowest network with an address that is reached without a gateway.

    Args:
        address: one of this machine.
        routes: as in /proc/net/route, proc(5): columns with a heading, numbers as the processor
            keeps them, in hexadecimal.
    """
    heading, *rows = (line.split() for line in routes.splitlines())
    found = []
    for row in rows:
        columns = dict(zip(heading, row, strict=False))
        mask = _address(columns["Mask"])
        network = IPv4Network((_address(columns["Destination"]), str(mask)))
        if int(mask) and not int(_address(columns["Gateway"])) and address in network:
            found.append(network)
    return max(found, key=lambda network: network.prefixlen, default=None)


def _address(text: str) -> IPv4Address:
    return IPv4Address(int.from_bytes(bytes.fromhex(text), sys.byteorder))


def _networks(name: str) -> str:
    """Return the value for LOTTERY_METRICS_NETWORKS.

    Raises:
        OSError: the name has no address.
    """
    here = DEFAULTS["LOTTERY_METRICS_NETWORKS"]
    (*_, (address, *_)), *_ = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    subnet = subnet_of(IPv4Address(address), ROUTES.read_text(encoding="ascii"))
    return f"{here} {subnet}" if subnet else here


if __name__ == "__main__":
    try:
        print(_networks(sys.argv[1]))  # noqa: T201 - it is a command
    except OSError as error:
        raise SystemExit(f"metrics: {sys.argv[1]} has no address here: {error}") from None
