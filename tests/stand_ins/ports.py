"""Ports for servers of the tests."""

import socket
from random import SystemRandom

#: Below those that the kernel gives to connections that somebody opens (Linux: 32768 to 60999), of
#: which any may be one that a server is just about to listen on.
PORTS = range(10_000, 32_768)

#: not of the seed that Hypothesis gives to all processes of a run
_random = SystemRandom()


def free_port() -> int:
    """Return a port that nobody listens on, nor has a connection from."""
    while True:
        port = _random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
