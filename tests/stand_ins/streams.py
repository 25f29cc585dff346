"""Open pages: many streams of `/live` over plain sockets, in one thread."""

import json
import resource
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from tests.stand_ins.processes import PATIENCE

REQUEST = b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
#: the socket option by which a connection that is closed is cut, not ended
CUT = struct.pack("ii", 1, 0)
DATA = b"data: "


class Stream:
    """A page that is open, and what it was told last."""

    def __init__(self, port: int, address: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), None, (address, 0))
        self.socket.sendall(REQUEST)
        self.socket.setblocking(False)
        self._received = b""
        self.told: dict[str, Any] = {}
        self.is_over = False

    def receive(self) -> None:
        """Take in what is there."""
        part = self.socket.recv(1 << 16)
        self.is_over = not part
        *lines, self._received = (self._received + part).split(b"\n")
        for line in lines:
            if line.startswith(DATA):
                self.told = json.loads(line.removeprefix(DATA))


class Streams:
    """Pages that are open at the same time."""

    def __init__(self, port: int, count: int) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count + 500)), hard))
        self._selector = selectors.DefaultSelector()
        # a school or two at each address
        self.all = [self._open(port, f"127.0.1.{1 + number // 200}") for number in range(count)]

    def _open(self, port: int, address: str) -> Stream:
        stream = Stream(port, address)
        self._selector.register(stream.socket, selectors.EVENT_READ, stream)
        return stream

    def wait_until_all(self, is_so: Callable[[Stream], bool]) -> float:
        """Read until something is so of each stream, and return the seconds it took."""
        began = time.monotonic()
        waiting = {each for each in self.all if not is_so(each)}
        while waiting:
            assert time.monotonic() < began + PATIENCE, f"{len(waiting)} streams say otherwise"
            for stream in self._read(timeout=1):
                if is_so(stream):
                    waiting.discard(stream)
        return time.monotonic() - began

    def read_for(self, seconds: float) -> None:
        """Take in what comes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._read(left)

    def _read(self, timeout: float) -> list[Stream]:
        streams = [key.data for key, _ in self._selector.select(timeout)]
        for stream in streams:
            stream.receive()
            if stream.is_over:
                self._selector.unregister(stream.socket)
        return streams

    def cut(self) -> None:
        """Close all, so that the other side hears of it at once."""
        for stream in self.all:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CUT)
            stream.socket.close()
        self._selector.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.cut()


@contextmanager
def streams(port: int, count: int) -> Iterator[Streams]:
    """Open pages, and wait until each was told something."""
    with Streams(port, count) as opened:
        opened.wait_until_all(lambda stream: bool(stream.told))
        yield opened
