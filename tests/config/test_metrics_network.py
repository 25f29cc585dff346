"""The subnet from which Prometheus reaches the lottery's container, out of the kernel's routes."""

import sys
from ipaddress import IPv4Address, IPv4Network

from config.metrics_network import subnet_of

HEADING = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"


def route(destination: str, gateway: str, mask: str) -> str:
    """Return a line of /proc/net/route, as this processor would have it."""
    numbers = (
        int.from_bytes(IPv4Address(each).packed, sys.byteorder)
        for each in (destination, gateway, mask)
    )
    to, by, with_mask = (f"{number:08X}" for number in numbers)
    return f"eth0 {to} {by} 0001 0 0 0 {with_mask} 0 0 0\n"


ROUTES = (
    HEADING
    + route("0.0.0.0", "172.18.0.1", "0.0.0.0")
    # a tunnel through which everything goes
    + route("0.0.0.0", "0.0.0.0", "0.0.0.0")
    + route("172.18.0.0", "0.0.0.0", "255.255.0.0")
    + route("172.20.0.0", "0.0.0.0", "255.255.0.0")
    + route("10.89.7.0", "0.0.0.0", "255.255.255.0")
    + route("192.168.0.0", "172.18.0.1", "255.255.0.0")
)


def test_an_address_is_of_the_network_that_it_is_on() -> None:
    assert subnet_of(IPv4Address("172.20.0.3"), ROUTES) == IPv4Network("172.20.0.0/16")
    assert subnet_of(IPv4Address("10.89.7.3"), ROUTES) == IPv4Network("10.89.7.0/24")


def test_what_lies_behind_a_gateway_is_no_network_of_this_container() -> None:
    """Else everybody would be let in by the default route, or a whole company by a static one."""
    assert subnet_of(IPv4Address("203.0.113.7"), ROUTES) is None
    assert subnet_of(IPv4Address("192.168.4.7"), ROUTES) is None
    assert subnet_of(IPv4Address("172.20.0.3"), HEADING) is None
