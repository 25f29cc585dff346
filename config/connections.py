"""Connections of clients: request timeouts, and limits against slow clients (slowloris).

A request, head and body, is read completely and within a time limit before the application sees
it. So a connection either waits for a request, which may take long and is limited in number, or is
being served.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from errno import EPIPE
from http import HTTPStatus
from time import monotonic
from typing import Any
from urllib.parse import unquote

from gevent import Greenlet, getcurrent, kill, spawn
from gevent.socket import MSG_PEEK, SHUT_RD, socket, wait_read
from gunicorn.http.body import LengthReader
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.ggevent import GeventWorker

from config.settings import LONGEST_BODY, LONGEST_UPLOAD
from lottery_system.addresses import forwarded_value, network_of

#: seconds that a client may take until the first byte of its first request; browsers connect
#: before they know what to ask
FIRST_BYTE = 10
#: seconds for the head of a request, from its first byte
HEAD = 20
#: seconds for a request, head and body: a phone on 2G takes 30 for a form
REQUEST = 60
#: seconds in which a client must take in a part of an answer
ANSWER = 60
#: connections of one client that a worker holds; a school of 60 has six each at the very most
MOST_OF_ONE = 600
#: the address of the streams, and how many one client may have; the school has two tabs each.
#: Refused here, before the application, since a flood of refusals by it would hold up all others
LIVE = "/live"
MOST_STREAMS = 300
#: addresses of upload forms, and how many of these requests a worker handles at once, of all and of
#: one client, so that strangers cannot fill the memory before the application refuses them
UPLOADS = re.compile(r"/organiser/(site|lotteries/(new|[0-9]+))$")
MOST_UPLOADS = 8
MOST_UPLOADS_OF_ONE = 4
#: bytes up to which a body that is too large is read and discarded
LONGEST_DISCARDED = 50_000_000
DISCARDED_AT_ONCE = 64 * 1024
#: connections that wait for their request in a worker; for one more, the oldest is cut
MOST_WAITING = 2000
#: seconds that a connection may wait in any case
LEAST_WAIT = 1


def is_upload(req: Any) -> bool:
    """Tell whether a request is for an upload form, under any path prefix.

    Other addresses with such an ending have their body read, and the application refuses them.
    """
    return req.method == "POST" and bool(UPLOADS.search(unquote(req.path)))


def is_stream(req: Any) -> bool:
    """Return whether a request is for the stream, however its path is written.

    Paths that only end like it count too, since they are answered at once. The application decodes
    percent signs, drops slashes before a path, and may be reached below another path.
    """
    return unquote(req.path).endswith(LIVE)


class Refused(Exception):
    """A connection is closed for what its client does; not an error of ours."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Connection(socket):  # type: ignore[misc]
    """A client's connection, whose reads end in time."""

    def __init__(self, client: socket) -> None:
        super().__init__(client.family, client.type, client.proto, client.detach())
        self._ends_at = 0.0
        self._is_cut = False
        #: whether nothing has come of the next request
        self.is_idle = True
        self.began_at = 0.0

    def expect_request(self, seconds: float) -> None:
        """Wait at most so long for the first byte, then for the head."""
        self.is_idle = True
        self._ends_at = monotonic() + seconds

    def expect_body(self) -> None:
        """Wait for the rest of the request, whose head may have come along with the one before."""
        if self.is_idle:
            self.is_idle = False
            self.began_at = monotonic()
        self._ends_at = self.began_at + REQUEST

    def recv(self, *args: Any) -> bytes:
        """Return available bytes, or nothing if no request began in time.

        Raises:
            Refused: a request began, and did not go on in time.
        """
        left = self._ends_at - monotonic()
        if left <= 0:
            return self._too_late()
        self.settimeout(left)
        try:
            data: bytes = super().recv(*args)
        except TimeoutError:
            return self._too_late()
        except OSError:  # so gevent wakes who reads from what was shut down
            if not self._is_cut:
                raise
            data = b""
        finally:
            self.settimeout(ANSWER)
        if self._is_cut:
            return self._too_late()
        if self.is_idle:
            self.is_idle = False
            self.began_at = monotonic()
            self._ends_at = self.began_at + HEAD
        return data

    def cut(self) -> None:
        """Wake a pending read with EOF; other code is not interrupted."""
        self._is_cut = True
        with suppress(OSError):
            self.shutdown(SHUT_RD)

    def _too_late(self) -> bytes:
        if self.is_idle:
            return b""
        raise Refused(HTTPStatus.REQUEST_TIMEOUT)


class BoundedWorker(GeventWorker):  # type: ignore[misc]
    """A worker that serves complete requests, and limits the connections of each client."""

    #: how many proxies in front may be believed about the client
    trusted_proxies = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._held: Counter[tuple[str, str]] = Counter()
        #: upload forms being read or answered
        self._uploads = 0
        #: connections that wait for a request, the oldest first, and since when
        self._waiting: dict[Connection, float] = {}

    def handle(self, listener: socket, client: socket, addr: tuple[Any, ...]) -> None:
        """Serve a connection, unless its client has too many.

        Behind a proxy nobody knows whose it is before the head is read.
        """
        connection = Connection(client)
        try:
            with nullcontext() if self.trusted_proxies else self._share_of(addr[0]):
                self._wait(connection, FIRST_BYTE)
                super().handle(listener, connection, addr)
        except Refused as refused:
            self.handle_error(None, connection, addr, refused)
        finally:
            self._waiting.pop(connection, None)
            connection.close()

    def timeout_ctx(self) -> AbstractContextManager[None]:
        """Leave it to the connection how long it waits."""
        return nullcontext()

    def handle_request(
        self, listener_name: object, req: Any, sock: Connection, addr: tuple[Any, ...]
    ) -> None:
        """Read a request to its end, and have the application answer it."""
        sock.expect_body()
        client = self._forwarded_client(req) or addr[0]
        try:
            with ExitStack() as held:
                if is_upload(req):
                    held.enter_context(self._place_for_upload(client))
                self._read_body(req, sock)
                del self._waiting[sock]
                if is_stream(req):
                    held.enter_context(self._share_of(client, LIVE, MOST_STREAMS))
                    held.enter_context(_while_there(sock))
                super().handle_request(listener_name, req, sock, addr)
        except TimeoutError:  # the answer was not taken in
            raise StopIteration from None
        self._wait(sock, self.cfg.keepalive)

    def handle_error(
        self, req: Any, client: Connection, addr: tuple[Any, ...], exc: BaseException
    ) -> None:
        """Tell a client why its connection is closed."""
        if not isinstance(exc, Refused):
            super().handle_error(req, client, addr, exc)
            return
        self.log.info("connection of %s closed: %s", addr[0], exc)
        with suppress(OSError):
            client.sendall(
                f"HTTP/1.1 {exc.status.value} {exc.status.phrase}\r\nRetry-After: 10\r\n"
                "Connection: close\r\nContent-Length: 0\r\n\r\n".encode()
            )

    def cut_idle(self) -> None:
        """Close the connections over which nothing comes, as a worker that stops does."""
        for connection in list(self._waiting):
            if connection.is_idle:
                connection.cut()

    def _wait(self, connection: Connection, seconds: float) -> None:
        """Have a connection wait for a request, and cut the one that has waited longest for it."""
        connection.expect_request(seconds)
        now = self._waiting[connection] = monotonic()
        if len(self._waiting) > MOST_WAITING:
            oldest, since = next(iter(self._waiting.items()))
            if now - since > LEAST_WAIT:
                del self._waiting[oldest]
                oldest.cut()

    def _read_body(self, req: Any, connection: Connection) -> None:
        """Put the body of a request into memory.

        Raises:
            Refused: it does not come in time, or a proxy's client sends too many at once.
            NoMoreData: it ends too early, so that a form would not be what was filled in.
        """
        reader = req.body.reader
        length = reader.length if isinstance(reader, LengthReader) else None
        if length == 0:
            return
        # browsers send uploads with a length, not in chunks
        longest = LONGEST_UPLOAD if length is not None and is_upload(req) else LONGEST_BODY
        if length is not None and length > longest:
            if is_upload(req) and length <= LONGEST_DISCARDED:
                # browsers show the response only after the whole body is read
                while req.body.read(DISCARDED_AT_ONCE):
                    pass
            req.force_close()
            return
        if req._expected_100_continue:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            req._expected_100_continue = False
        client = self._forwarded_client(req)
        with self._share_of(client) if client else nullcontext():
            body = req.body.read(longest + 1)
        if length is not None and len(body) < length:
            raise NoMoreData(body)
        if len(body) > longest:  # in chunks, without a length
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        req.body = io.BytesIO(body)

    @contextmanager
    def _place_for_upload(self, client: str) -> Iterator[None]:
        """Count an upload form while it is read and answered.

        Raises:
            Refused: there are too many at once, of this client or of all.
        """
        if self._uploads >= MOST_UPLOADS:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS)
        self._uploads += 1
        try:
            with self._share_of(client, "upload", MOST_UPLOADS_OF_ONE):
                yield
        finally:
            self._uploads -= 1

    def _forwarded_client(self, req: Any) -> str:
        """Return the client that the outermost trusted proxy tells; nothing if there is none."""
        if not self.trusted_proxies:
            return ""
        told = ",".join(value for name, value in req.headers if name == "X-FORWARDED-FOR")
        return forwarded_value(told, self.trusted_proxies)

    @contextmanager
    def _share_of(self, address: str, what: str = "", most: int = 0) -> Iterator[None]:
        """Count a connection for its client; without a known client, for none.

        Args:
            address: the client's.
            what: that is counted apart; connections of any kind if omitted.
            most: how many a client may have of it.

        Raises:
            Refused: the client has as many as one may have.
        """
        network = network_of(address)
        if network is None:
            yield
            return
        client = network, what
        if self._held[client] >= (most or MOST_OF_ONE):
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS)
        self._held[client] += 1
        try:
            yield
        finally:
            self._held[client] -= 1
            if not self._held[client]:
                del self._held[client]


@contextmanager
def _while_there(connection: Connection) -> Iterator[None]:
    """Stop serving a client once it closes its connection.

    Otherwise a stream would notice only at its next write and count until then, so that somebody
    who browses quickly would have too many.
    """

    def watch(stream: Greenlet) -> None:
        with suppress(OSError):
            wait_read(connection.fileno())
            if socket.recv(connection, 1, MSG_PEEK):
                return  # whatever it is, nobody answers it any more
        kill(stream, BrokenPipeError(EPIPE, "the client has gone"))

    watcher = spawn(watch, getcurrent())
    try:
        yield
    finally:
        watcher.kill(block=False)
