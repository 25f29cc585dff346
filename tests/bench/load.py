"""Load generator over loopback: keep-alive connections that send without a pause."""

import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

CONNECTIONS = 32
HEAD_END = b"\r\n\r\n"
LENGTH = b"\r\nContent-Length: "


@dataclass
class Measured:
    """What a load saw."""

    seconds: float = 0
    #: seconds that each answer took
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Return answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the seconds within which a share of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def __add__(self, other: "Measured") -> "Measured":
        """Return both together."""
        return Measured(
            self.seconds + other.seconds,
            self.latencies + other.latencies,
            self.statuses + other.statuses,
        )


class Connection:
    """One client that asks, waits for the whole answer, and asks again."""

    def __init__(self, port: int, next_request: Callable[[], bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._next_request = next_request
        self._received = b""
        self._wanted = 0
        self._asked_at = 0.0

    def ask(self) -> None:
        self._received, self._wanted = b"", 0
        self._asked_at = time.perf_counter()
        self.socket.sendall(self._next_request())

    def receive(self) -> tuple[int, float] | None:
        """Return status and latency once the answer is whole."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionError("the server hung up")
        self._received += part
        if not self._wanted:
            end = self._received.find(HEAD_END)
            if end < 0:
                return None
            at = self._received.find(LENGTH, 0, end)
            length = self._received[at + len(LENGTH) : self._received.find(b"\r\n", at + 2)]
            self._wanted = end + len(HEAD_END) + int(length)
        if len(self._received) < self._wanted:
            return None
        return int(self._received[9:12]), time.perf_counter() - self._asked_at


def load(
    port: int,
    next_request: Callable[[], bytes],
    seconds: float,
    connections: int = CONNECTIONS,
) -> Measured:
    """Ask a server of this machine for some seconds, and let what was asked be answered."""
    measured = Measured()
    clients = [Connection(port, next_request) for _ in range(connections)]
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        started_at = time.perf_counter()
        for client in clients:
            client.ask()
        asking = connections
        while asking:
            for key, _ in selector.select(timeout=60):
                client = key.data
                answer = client.receive()
                if answer is None:
                    continue
                status, latency = answer
                measured.statuses[status] += 1
                measured.latencies.append(latency)
                if time.perf_counter() - started_at < seconds:
                    client.ask()
                else:
                    asking -= 1
        measured.seconds = time.perf_counter() - started_at
    for client in clients:
        client.socket.close()
    return measured
