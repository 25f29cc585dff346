"""A relay of the beacon on the loopback address: honest or faulty in some way.

A real server that serves rounds that drand's networks have signed. In a program of its own:

    python -m tests.stand_ins.relay [KIND]

prints its address and serves until its standard input ends.
"""

import json
import re
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

from lottery_system.fairness.beacon import QUICKNET

DATA = Path(__file__).resolve().parents[1] / "fairness" / "data"
RECORDED: dict[str, Any] = json.loads((DATA / "drand_rounds.json").read_text("utf-8"))
#: the recorded signatures of quicknet, by round
SIGNATURES: dict[int, bytes] = {
    each["round"]: bytes.fromhex(each["signature"]) for each in RECORDED["quicknet"]["rounds"]
}
TLS_HANDSHAKE = b"\x16"
#: seconds between two bytes of a relay that drips: too often for a socket to time out
DRIP = 0.05
#: seconds after which even a liar gives up, so that no test waits for ever
ENOUGH = 60

#: what is asked for -> the pieces of the whole answer, headers included, sent one by one
Kind = Callable[[str], Iterator[bytes]]


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """Return a whole answer of HTTP."""
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def round_of(network: str, number: int) -> dict[str, Any]:
    """Return a recorded round as relays tell it; a KeyError where it was not recorded."""
    for each in RECORDED[network]["rounds"]:
        if each["round"] == number:
            names = ("round", "randomness", "signature", "previous_signature")
            return {name: each[name] for name in names if name in each}
    raise KeyError(number)


def told(path: str) -> dict[str, Any]:
    """Return what an honest relay of quicknet answers; a KeyError where it has no such thing."""
    chain = re.escape(QUICKNET.chain_hash.hex())
    if re.fullmatch(rf"/{chain}/info", path):
        return dict(RECORDED["quicknet"]["info"])
    if re.fullmatch(rf"/{chain}/public/latest", path):
        return round_of("quicknet", max(SIGNATURES))
    if found := re.fullmatch(rf"/{chain}/public/([0-9]+)", path):
        return round_of("quicknet", int(found[1]))
    raise KeyError(path)


def changed(**changes: object) -> Kind:
    """Make a relay that is honest but for some keys of its answer."""

    def tell(path: str) -> Iterator[bytes]:
        yield answer(json.dumps(told(path) | changes).encode())

    return tell


def newest(number: int) -> Kind:
    """Make a relay to which a recorded round is the newest, and later ones are not known."""

    def tell(path: str) -> Iterator[bytes]:
        name = path.rpartition("/")[2]
        if name == "latest":
            yield answer(json.dumps(round_of("quicknet", number)).encode())
        elif name.isdecimal() and int(name) > number:
            yield answer(b"{}", "404 Not Found")
        else:
            yield from honest(path)

    return tell


def hiding(number: int) -> Kind:
    """Make a relay that tells an old round as its newest, and later ones to whoever names them."""

    def tell(path: str) -> Iterator[bytes]:
        if path.endswith("/latest"):
            yield answer(json.dumps(round_of("quicknet", number)).encode())
        else:
            yield from honest(path)

    return tell


def always(*pieces: bytes) -> Kind:
    """Make a relay that says the same to everybody, and hangs up."""
    return lambda path: iter(pieces)


def honest(path: str) -> Iterator[bytes]:
    try:
        yield answer(json.dumps(told(path)).encode())
    except KeyError:
        yield answer(b"{}", "404 Not Found")


def chunked(path: str) -> Iterator[bytes]:
    """Tell the truth in pieces, as HTTP/1.1 allows."""
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for byte in json.dumps(told(path)).encode():
        yield b"1\r\n%c\r\n" % byte
    yield b"0\r\n\r\n"


def wrong_round(path: str) -> Iterator[bytes]:
    """Tell another round, which is true in itself."""
    asked = told(path)["round"]
    other = next(number for number in SIGNATURES if number != asked)
    yield answer(json.dumps(round_of("quicknet", other)).encode())


def wrong_signature(path: str) -> Iterator[bytes]:
    """Tell the round that was asked for, with the signature of another."""
    asked = told(path)["round"]
    other = next(number for number in SIGNATURES if number != asked)
    yield answer(json.dumps(round_of("quicknet", other) | {"round": asked}).encode())


def other_chain(path: str) -> Iterator[bytes]:
    """Tell what the network `default` has under that name."""
    if path.endswith("/info"):
        yield answer(json.dumps(RECORDED["default"]["info"]).encode())
    else:
        asked = told(path)["round"]
        recorded = [each["round"] for each in RECORDED["default"]["rounds"]]
        number = asked if asked in recorded else recorded[0]
        yield answer(json.dumps(round_of("default", number) | {"round": asked}).encode())


def twice(path: str) -> Iterator[bytes]:
    """Say the truth twice."""
    text = json.dumps(told(path)).encode()
    yield answer(text[:-1] + b"," + text[1:])


def cut_off(path: str) -> Iterator[bytes]:
    yield answer(json.dumps(told(path)).encode())[:-20]


def slow_headers(path: str) -> Iterator[bytes]:
    return drip(answer(json.dumps(told(path)).encode(), "200 OK", "Slow: " + "x" * 10_000))


def slow_body(path: str) -> Iterator[bytes]:
    text = json.dumps(told(path)).encode()
    head, _, body = answer(text + b" " * 10_000).partition(text)
    yield head
    yield from drip(text + body)


def drip(text: bytes) -> Iterator[bytes]:
    for byte in text:
        time.sleep(DRIP)
        yield bytes([byte])


def silent(_: str) -> Iterator[bytes]:
    """Say nothing, and do not hang up either."""
    time.sleep(ENOUGH)
    yield b""


def endless_body(_: str) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n\r\n{"
    while True:
        yield b" " * 8192


def endless_headers(_: str) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        yield b"X: " + b"x" * 60_000 + b"\r\n"


def endless_promises(_: str) -> Iterator[bytes]:
    """Say again and again that the answer will follow."""
    while True:
        yield b"HTTP/1.1 100 Continue\r\n\r\n" * 100


def slow_handshake(_: str) -> Iterator[bytes]:
    """Begin a record of TLS, as long as one may be."""
    return drip(TLS_HANDSHAKE + b"\x03\x03\x40\x00\x02" + b"\0" * 0x3FFF)


def large_in_words(_: str) -> Iterator[bytes]:
    """Announce more than any memory holds."""
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999\r\n\r\n{}"


def large_chunk(_: str) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n{}"


KINDS: dict[str, Kind] = {
    "honest": honest,
    "wrong round": wrong_round,
    "wrong signature": wrong_signature,
    "other chain": other_chain,
    "not found": always(answer(b'{"error": "no such round"}', "404 Not Found")),
    "failing": always(answer(b"oh dear", "500 Internal Server Error")),
    "slow headers": slow_headers,
    "slow body": slow_body,
    "silent": silent,
    "cut off": cut_off,
    "hanging up": always(),
    "endless body": endless_body,
    "endless headers": endless_headers,
    "endless promises": endless_promises,
    "large in words": large_in_words,
    "large chunk": large_chunk,
    "garbage": always(answer(b'{"round": \xff')),
    "a list": always(answer(b"[]")),
    "deep": always(answer(b"[" * 50_000)),
    "a long number": always(answer(b'{"round": ' + b"9" * 50_000 + b"}")),
    "repeated keys": twice,
    "round as a text": changed(round="1000"),
    "round as a fraction": changed(round=1000.0),
    "signature with spaces": changed(signature=" " + SIGNATURES[1000].hex()),
    "signature of zeros": changed(signature="00" * 48),
    "signature of nothing": changed(signature="c0" + "00" * 47),
    "no signature": changed(signature=None),
    "not HTTP": always(b"220 relay.example ESMTP\r\nforged: a line of our log\r\n"),
}  # fmt: skip


class Relay:
    """Serves until its block ends, each connection in a thread of its own.

    Args:
        kind: a name of `KINDS`, or a kind itself.
        tls: to serve HTTPS.
    """

    def __init__(self, kind: str | Kind = "honest", tls: ssl.SSLContext | None = None) -> None:
        self._kind = KINDS[kind] if isinstance(kind, str) else kind
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        #: the whole head of every request, in order
        self.requests: list[str] = []
        #: set when somebody who was being answered has gone
        self.was_left = Event()
        Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # not everywhere may a listener be shut down
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def paths(self) -> list[str]:
        """List what was asked for."""
        return [request.split()[1] for request in self.requests]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(ENOUGH)
        with client:
            try:
                if self._tls is None:
                    self._answer(client)
                else:
                    with self._tls.wrap_socket(client, server_side=True) as secure:
                        self._answer(secure)
            except OSError:
                self.was_left.set()

    def _answer(self, client: socket.socket) -> None:
        request = b""
        # or the beginning of TLS, which is not this relay's to speak
        while b"\r\n\r\n" not in request and not request.startswith(TLS_HANDSHAKE):
            piece = client.recv(4096)
            if not piece:
                return
            request += piece
        if request.startswith(TLS_HANDSHAKE):
            path = ""
        else:
            self.requests.append(request.decode("ascii"))
            path = self.paths[-1]
        until = time.monotonic() + ENOUGH
        for piece in self._kind(path):
            if time.monotonic() > until:
                return
            client.sendall(piece)


def main() -> None:
    with Relay(" ".join(sys.argv[1:]) or "honest") as relay:
        print(relay.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
