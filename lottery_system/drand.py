"""HTTP client of the beacon drand: the one outgoing call.

Imports only `fairness`. Relays are not trusted: they may be slow, broken or lying. What they send
counts only with the network's signature, and each has a few seconds in all. `http.client` is
enough for one GET: it follows no redirect and uses no proxy from the environment, and it exposes
the socket, which the deadline needs.
"""

import json
import logging
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from io import BufferedReader, RawIOBase
from threading import Thread
from time import monotonic
from typing import Any, NoReturn, TypeVar, cast
from urllib.parse import SplitResult, unquote, urlsplit

from lottery_system.fairness.beacon import (
    PUBLIC_KEY_BYTES,
    SCHEME,
    SIGNATURE_BYTES,
    ChainInfo,
    check_signature,
)

log = logging.getLogger(__name__)

#: seconds that a relay has in all, from looking up its name to the last byte of its answer
PATIENCE = 5.0
#: bytes that a relay may send in all; an honest answer, headers included, has about a thousand
MAX_BYTES = 64 * 1024
HASH_BYTES = 32

T = TypeVar("T")


class _Refused(Exception):
    """A relay's answer does not count; the message says why, in words of our own."""


def fetch_signature(
    urls: Sequence[str], info: ChainInfo, number: int, patience: float = PATIENCE
) -> bytes | None:
    """Ask relays in turn for a round until one has it, and return its signature, checked.

    `GET {url}/{chain hash}/public/{round}`, drand's HTTP API, version 1. Of the answer only round
    and signature are read; its randomness is no more than the signature's SHA-256.

    Args:
        patience: seconds that each relay has.

    Returns:
        The network's own signature, or None if no relay has it, or not yet.

    Raises:
        CryptographyMissing: nothing can be checked here.
    """

    def read(answer: object) -> bytes:
        if _take(answer, "round", int) != number:
            raise _Refused("its answer is of another round")
        signature = _take_bytes(answer, "signature", SIGNATURE_BYTES)
        if not check_signature(info, number, signature):
            raise _Refused("its signature is not the network's")
        return signature

    return _ask(urls, f"/{info.chain_hash.hex()}/public/{number}", read, patience)


def fetch_newest(
    urls: Sequence[str],
    info: ChainInfo,
    also: Collection[int] = (),
    patience: float = PATIENCE,
) -> int | None:
    """Ask all relays at once which round is the newest, and return the newest that is signed.

    `GET {url}/{chain hash}/public/latest`. One honest relay among those that answer is enough: the
    others can only tell of older rounds.

    Args:
        also: rounds to ask for by number, which a relay may have that holds its newest back.
        patience: seconds for all of them together.

    Returns:
        None if no relay has a round with a valid signature.

    Raises:
        CryptographyMissing: nothing can be checked here.
    """

    def read(answer: bytes) -> tuple[int, bytes]:
        fields = _load(answer)
        return _take(fields, "round", int), _take_bytes(fields, "signature", SIGNATURE_BYTES)

    conversations = [
        (name, _Conversation(urlsplit(url), f"/{info.chain_hash.hex()}/public/{name}", patience))
        for url in urls
        for name in ("latest", *map(str, also))
    ]
    for _, conversation in conversations:
        conversation.start()
    deadline = monotonic() + patience
    claims: dict[tuple[int, bytes], _Conversation] = {}
    for name, conversation in conversations:
        try:
            claims[read(conversation.wait(deadline - monotonic()))] = conversation
        except _Refused as reason:
            if name == "latest":  # the others are mostly not there yet
                log.warning("beacon: %s: %s", conversation.address, reason)
    for (number, signature), conversation in sorted(claims.items(), key=_by_claim, reverse=True):
        if check_signature(info, number, signature):
            return number
        log.warning("beacon: %s: its signature is not the network's", conversation.address)
    return None


def _by_claim(item: tuple[tuple[int, bytes], object]) -> tuple[int, bytes]:
    return item[0]


def fetch_info(
    urls: Sequence[str], chain_hash: bytes, patience: float = PATIENCE
) -> ChainInfo | None:
    """Ask relays in turn for the chain info of a hash, until one matches the hash.

    `GET {url}/{chain hash}/info`. What a relay itself says the hash to be is not read.

    Args:
        patience: seconds that each relay has.
    """

    def read(answer: object) -> ChainInfo:
        # asked first, since another scheme has keys of another length
        if _take(answer, "schemeID", str) != SCHEME:
            raise _Refused("its chain's scheme is not known here")
        info = ChainInfo(
            public_key=_take_bytes(answer, "public_key", PUBLIC_KEY_BYTES),
            period=_take(answer, "period", int),
            genesis_time=_take(answer, "genesis_time", int),
            group_hash=_take_bytes(answer, "groupHash", HASH_BYTES),
            scheme_id=SCHEME,
            beacon_id=_take(_take(answer, "metadata", dict), "beaconID", str),
        )
        try:
            fetched_hash = info.chain_hash
        except ValueError:  # a number out of bounds, or a text that is not Unicode
            fetched_hash = None
        if fetched_hash != chain_hash:
            raise _Refused("its chain is another one")
        return info

    return _ask(urls, f"/{chain_hash.hex()}/info", read, patience)


def _ask(urls: Sequence[str], path: str, read: Callable[[object], T], patience: float) -> T | None:
    for url in urls:
        relay = urlsplit(url)
        try:
            return read(_load(_get(relay, path, patience)))
        except _Refused as reason:
            log.warning("beacon: %s: %s", _address(relay), reason)
    return None


def _address(relay: SplitResult) -> str:
    """Return host and port, without the name and password that may stand before them."""
    return relay.netloc.rpartition("@")[2]


def _load(answer: bytes) -> object:
    """Load JSON, no key of which is repeated.

    More lenient than `fairness.certificate.load_strictly`: if relays add fields, even with
    fractions, their answers must stay readable.
    """
    try:
        return json.loads(answer.decode("utf-8"), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise _Refused("its answer is not JSON") from None


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _Refused("its answer has a key twice")
    return fields


def _take(answer: object, key: str, kind: type[T]) -> T:
    value = answer.get(key) if isinstance(answer, dict) else None
    if type(value) is not kind:  # True would be an instance of int
        raise _Refused(f"its answer has no {key} that can be read")
    return value


def _take_bytes(answer: object, key: str, length: int) -> bytes:
    text = _take(answer, key, str)
    if not re.fullmatch(rf"[0-9a-f]{{{2 * length}}}", text):  # fromhex also takes spaces
        raise _Refused(f"its answer has no {key} that can be read")
    return bytes.fromhex(text)


def _get(relay: SplitResult, path: str, patience: float) -> bytes:
    """Return what a relay answers, or refuse it when its time is over.

    The deadline is kept from outside, by not waiting any longer: a socket's own timeout starts
    again with every byte, and looking up a name has none. Under gevent the thread is a greenlet.
    """
    conversation = _Conversation(relay, path, patience)
    conversation.start()
    return conversation.wait(patience)


def _too_slow(patience: float) -> str:
    return f"it had not answered after {patience:g} seconds"


class _Conversation(Thread):
    """One request and its answer, in a thread that may be abandoned with a slow relay."""

    def __init__(self, relay: SplitResult, path: str, patience: float) -> None:
        super().__init__(name=f"beacon {_address(relay)}", daemon=True)
        self._relay = relay
        self._path = path
        self._patience = patience
        self._socket: socket.socket | None = None
        self._is_over = False
        self._answer: bytes | Exception = _Refused("it was not asked")

    def run(self) -> None:
        try:
            self._answer = self._talk()
        except Exception as error:  # whatever goes wrong with one relay, ask the next one
            self._answer = error

    @property
    def address(self) -> str:
        """Return the relay's host and port."""
        return _address(self._relay)

    def wait(self, seconds: float) -> bytes:
        """Return the body of the answer, or refuse the relay when its time is over."""
        self.join(max(seconds, 0))
        if self.is_alive():
            self.cut()
            raise _Refused(_too_slow(self._patience))
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

    def _talk(self) -> bytes:
        host, port = self._relay.hostname or "", self._relay.port
        is_secure = self._relay.scheme == "https"
        plain = socket.create_connection((host, port or (443 if is_secure else 80)), self._patience)
        with closing(self._hold(plain)):
            if not is_secure:
                return self._request(plain)
            # certificate and host name are checked by the handshake, which follows by itself so
            # that the socket that it blocks can already be cut
            secure = ssl.create_default_context().wrap_socket(
                plain, server_hostname=host, do_handshake_on_connect=False
            )
            with closing(self._hold(secure)):
                secure.do_handshake()
                return self._request(secure)

    def _hold(self, connected: socket.socket) -> socket.socket:
        """Let the socket be cut; whichever comes first, this or `cut`, the other sees it."""
        self._socket = connected
        if self._is_over:
            self.cut()
        return connected

    def _request(self, connected: socket.socket) -> bytes:
        host = _address(self._relay)
        headers = {
            "Host": host,
            "Accept": "application/json",
            "User-Agent": "lottery-system",
            "Connection": "close",
        }
        if self._relay.username is not None:
            who = f"{unquote(self._relay.username)}:{unquote(self._relay.password or '')}"
            headers["Authorization"] = f"Basic {b64encode(who.encode()).decode()}"
        connection = HTTPConnection(host)
        connection.sock = connected
        connection.request("GET", self._relay.path.rstrip("/") + self._path, headers=headers)
        with HTTPResponse(cast(socket.socket, _Bounded(connected)), method="GET") as response:
            response.begin()
            if response.status != 200:
                raise _Refused(f"it answered {response.status}")
            # with a size, since without one it allocates the announced length at once
            body = response.read(MAX_BYTES + 1)
            if response.length:  # bytes that were announced and are still to come
                raise IncompleteRead(body, response.length)
            return body


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
            raise _Refused(f"it sent more than {MAX_BYTES // 1024} KiB")
        return count


def _refuse(error: Exception, patience: float) -> NoReturn:
    """Describe the failure without quoting the relay, which could forge log lines."""
    match error:
        case _Refused():
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
    raise _Refused(reason) from error
