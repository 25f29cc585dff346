"""HTTP client: one request to somebody who is not trusted, bounded in time and size.

The standard library's `http.client` is enough: it follows no redirect and uses no proxy from the
environment, and it exposes the socket, which the deadline needs. What goes wrong is told in words
of our own, since whoever is asked could forge lines of the log.
"""

import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from io import BufferedReader, RawIOBase
from threading import Thread
from typing import Any, NamedTuple, NoReturn, cast
from urllib.parse import unquote, urlsplit

#: bytes of an answer, headers included; honest ones have a few thousand
MAX_BYTES = 64 * 1024


class Refused(Exception):
    """An answer does not count; the message says why, in words of our own."""


class Request(NamedTuple):
    """What is asked, and whom."""

    #: `http://` or `https://`; may hold a user and a password
    url: str
    #: goes behind that of the URL
    path: str
    headers: Mapping[str, str] = {}
    #: POST where there is one, else GET
    body: bytes | None = None

    def __repr__(self) -> str:
        """Show the address without a password."""
        return f"Request({address_of(self.url)!r}, {self.path!r})"


class Answer(NamedTuple):
    """What was answered, whatever its status is; redirects are not followed."""

    status: int
    #: in lower case and without parameters; empty if there is none
    content_type: str
    body: bytes


def address_of(url: str) -> str:
    """Return host and port, without the name and password that may stand before them."""
    return urlsplit(url).netloc.rpartition("@")[2]


class Conversation(Thread):
    """One request and its answer, in a thread that may be abandoned with a slow server.

    The deadline is kept from outside, by not waiting any longer: a socket's own timeout starts
    again with every byte, and looking up a name has none. Under gevent the thread is a greenlet.

    Args:
        name: what it is for, for the name of the thread.
        patience: seconds for the whole of it, as messages tell.
    """

    def __init__(self, name: str, request: Request, patience: float) -> None:
        super().__init__(name=f"{name} {address_of(request.url)}", daemon=True)
        self._request = request
        self._patience = patience
        self._socket: socket.socket | None = None
        self._is_over = False
        self._answer: Answer | Exception = Refused("it was not asked")

    def run(self) -> None:
        """Hold the conversation, in the thread."""
        try:
            self._answer = self._talk()
        except Exception as error:  # whatever goes wrong with one server, ask the next one
            self._answer = error

    @property
    def address(self) -> str:
        """Return the server's host and port."""
        return address_of(self._request.url)

    def wait(self, seconds: float) -> Answer:
        """Return the answer, or refuse the server when its time is over.

        Raises:
            Refused: there is none.
        """
        self.join(max(seconds, 0))
        if self.is_alive():
            self.cut()
            raise Refused(_too_slow(self._patience))
        if isinstance(self._answer, Exception):
            _refuse(self._answer, self._patience)
        return self._answer

    def cut(self) -> None:
        """End the conversation soon, wherever it stands, from another thread."""
        self._is_over = True
        if self._socket is not None:
            with suppress(OSError):  # not connected any more
                # Not the method of TLS's own sockets: it forgets the keys first, and the other
                # thread would go on in plain text.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _talk(self) -> Answer:
        server = urlsplit(self._request.url)
        host, port = server.hostname or "", server.port
        is_secure = server.scheme == "https"
        plain = socket.create_connection((host, port or (443 if is_secure else 80)), self._patience)
        with closing(self._hold(plain)):
            if not is_secure:
                return self._ask(plain)
            # certificate and host name are checked by the handshake, which follows by itself so
            # that the socket that it blocks can already be cut
            secure = ssl.create_default_context().wrap_socket(
                plain, server_hostname=host, do_handshake_on_connect=False
            )
            with closing(self._hold(secure)):
                secure.do_handshake()
                return self._ask(secure)

    def _hold(self, connected: socket.socket) -> socket.socket:
        """Let the socket be cut; whichever comes first, this or `cut`, the other sees it."""
        self._socket = connected
        if self._is_over:
            self.cut()
        return connected

    def _ask(self, connected: socket.socket) -> Answer:
        server, body = urlsplit(self._request.url), self._request.body
        headers = {
            "Host": self.address,
            "User-Agent": "lottery-system",
            "Connection": "close",
            **self._request.headers,
        }
        if server.username is not None:
            who = f"{unquote(server.username)}:{unquote(server.password or '')}"
            headers["Authorization"] = f"Basic {b64encode(who.encode()).decode()}"
        method = "GET" if body is None else "POST"
        connection = HTTPConnection(self.address)
        connection.sock = connected
        path = server.path.rstrip("/") + self._request.path
        connection.request(method, path, body=body, headers=headers)
        with HTTPResponse(cast(socket.socket, _Bounded(connected)), method=method) as response:
            response.begin()
            # with a size, since without one it allocates the announced length at once
            answered = response.read(MAX_BYTES + 1)
            if response.length:  # bytes that were announced and are still to come
                raise IncompleteRead(answered, response.length)
            kind = response.headers.get_content_type() if "Content-Type" in response.headers else ""
            return Answer(response.status, kind, answered)


class _Bounded(RawIOBase):
    """What comes out of a socket, headers and all, up to `MAX_BYTES`."""

    def __init__(self, connected: socket.socket) -> None:
        self._connected = connected
        self._bytes_left = MAX_BYTES

    def makefile(self, _: str) -> BufferedReader:
        """Return a file to read, as sockets do: all that `HTTPResponse` asks of one."""
        return BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._connected.recv_into(buffer)
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise Refused(f"it sent more than {MAX_BYTES // 1024} KiB")
        return count


def _too_slow(patience: float) -> str:
    return f"it had not answered after {patience:g} seconds"


def _refuse(error: Exception, patience: float) -> NoReturn:
    """Describe the failure without quoting the server, which could forge log lines."""
    match error:
        case Refused():
            raise error
        case TimeoutError():
            reason = _too_slow(patience)
        case ssl.SSLCertVerificationError():
            reason = f"its certificate does not hold ({error.verify_message})"
        case ssl.SSLError():
            reason = "TLS with it failed"
        case socket.gaierror():
            reason = "its name is not known"
        case IncompleteRead() | ConnectionResetError():  # the latter also where it hung up at once
            reason = "it cut its answer off"
        case HTTPException():
            reason = "it does not speak HTTP"
        case OSError():
            reason = f"it cannot be reached ({error.strerror or type(error).__name__})"
        case _:
            reason = f"it cannot be understood ({type(error).__name__})"
    raise Refused(reason) from error
