"""A TCP proxy between a program and PostgreSQL that cuts connections."""

import random
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread

CHUNK = 64 * 1024
#: the end of the message by which a client asks to commit
COMMIT = b"COMMIT\0"


class Line:
    """One connection: from the client to the proxy, and on to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        #: whether the next answer is swallowed, and the connection cut
        self.is_doomed = False
        #: bytes until it is cut, None for ever
        self.bytes_left: int | None = None

    def cut(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):  # gone already
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Proxy:
    """Listens on a free port of the loopback address and passes everything on, both ways."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = Lock()
        self._lines: set[Line] = set()
        self._commits_to_cut = 0
        self._most_bytes: int | None = None
        #: connections that were cut by what follows here
        self.cut_count = 0
        Thread(target=self._accept, daemon=True).start()

    def cut_commits(self, count: int) -> None:
        """Cut the next so many connections that commit: after the commit, before its answer."""
        with self._lock:
            self._commits_to_cut = count

    def cut_anywhere(self, most_bytes: int) -> None:
        """Cut every connection after a random number of bytes, from now on."""
        self._most_bytes = most_bytes

    def fail_over(self, to_port: int) -> None:
        """Cut every connection, and lead new ones to another server."""
        self._to_port = to_port
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.cut()

    def leave_alone(self) -> None:
        """Cut nothing from now on."""
        self._most_bytes = None
        self.cut_commits(0)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            lines = list(self._lines)
        for line in lines:
            line.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:
                client.close()
                continue
            line = Line(client, server)
            with self._lock:
                self._lines.add(line)
            Thread(target=self._pass_on, args=(line, self._ask), daemon=True).start()
            Thread(target=self._pass_on, args=(line, self._answer), daemon=True).start()

    def _pass_on(self, line: Line, way: Callable[[Line], bool]) -> None:
        with suppress(OSError):
            while way(line):
                pass
        line.cut()
        with self._lock:
            self._lines.discard(line)

    def _ask(self, line: Line) -> bool:
        chunk = line.client.recv(CHUNK)
        if COMMIT in chunk:
            with self._lock:
                line.is_doomed = self._commits_to_cut > 0
                self._commits_to_cut -= line.is_doomed
        return self._send(line, chunk, line.server)

    def _answer(self, line: Line) -> bool:
        chunk = line.server.recv(CHUNK)
        if line.is_doomed:
            self.cut_count += 1
            return False
        return self._send(line, chunk, line.client)

    def _send(self, line: Line, chunk: bytes, to: socket.socket) -> bool:
        """Pass bytes on, and tell whether the connection lives on."""
        if self._most_bytes is None:
            line.bytes_left = None
        elif line.bytes_left is None:
            line.bytes_left = random.randint(1, self._most_bytes)
        if line.bytes_left is None or len(chunk) < line.bytes_left:
            to.sendall(chunk)
            line.bytes_left = line.bytes_left and line.bytes_left - len(chunk)
            return bool(chunk)
        to.sendall(chunk[: line.bytes_left])
        self.cut_count += 1
        return False
