"""Slow clients (slowloris): connections of one address, in one thread."""

import resource
import selectors
import socket
import time
from collections import Counter

#: where attackers come from; everybody else is at 127.0.0.1
ADDRESS = "127.0.0.9"
#: a form of which little comes
SLOW_FORM = (
    b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10000\r\n\r\nusername="
)


class Attack:
    """Connections that each send the same beginning, and then next to nothing.

    Args:
        begin: what each sends at once.
        address: where all of them come from.
        forwarded_for: whom a proxy in front would tell, in a header of its own.
    """

    def __init__(
        self, port: int, begin: bytes, *, address: str = ADDRESS, forwarded_for: str = ""
    ) -> None:
        self._port, self._address = port, address
        told = f"\r\nX-Forwarded-For: {forwarded_for}\r\n" if forwarded_for else "\r\n"
        self._begin = begin.replace(b"\r\n", told.encode(), 1)
        self._selector = selectors.DefaultSelector()
        #: by the status line of the answer, "" where there was none, how many are over
        self.over: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """Return how many connections are still there."""
        return len(self._selector.get_map())

    def connect(self, count: int) -> None:
        """Open further connections."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        for _ in range(count):
            connection = socket.socket()
            connection.setblocking(False)
            connection.bind((self._address, 0))
            connection.connect_ex(("127.0.0.1", self._port))
            self._selector.register(connection, selectors.EVENT_WRITE)
            if self.held % 100 == 0:
                self.go_on(0)
        self.go_on(0)

    def go_on(self, seconds: float) -> None:
        """Send what begins, and take notice of what is over, for some seconds."""
        until = time.monotonic() + seconds
        while True:
            for key, mask in self._selector.select(max(0, until - time.monotonic())):
                self._attend(key.fileobj, mask)  # type: ignore[arg-type]
            if time.monotonic() >= until:
                return

    def trickle(self) -> None:
        """Send one more byte over each connection."""
        for key in list(self._selector.get_map().values()):
            if key.events == selectors.EVENT_READ:
                try:
                    key.fileobj.send(b"x")  # type: ignore[union-attr]
                except BlockingIOError:
                    pass
                except OSError:
                    self._end(key.fileobj, b"")  # type: ignore[arg-type]

    def _attend(self, connection: socket.socket, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE:
                connection.send(self._begin)
                self._selector.modify(connection, selectors.EVENT_READ)
                return
            said = connection.recv(1 << 16)
        except OSError:
            said = b""
        if said.startswith(b"HTTP/1.1 200"):  # a stream, which goes on
            self._selector.modify(connection, selectors.EVENT_READ, data="stream")
        elif not said or self._selector.get_key(connection).data is None:
            self._end(connection, said)

    def _end(self, connection: socket.socket, said: bytes) -> None:
        self.over[said[9:12].decode()] += 1
        self._selector.unregister(connection)
        connection.close()

    def close(self) -> None:
        """Close all."""
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]
