"""Relays of drand on this machine: an honest one, and others that lie, dawdle or break off."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.rounds import RECORDED, SIGNATURES

QUICKNET_HASH: str = RECORDED["info"]["hash"]
DEFAULT = json.loads(
    (Path(__file__).parent / "fairness" / "data" / "drand_rounds.json").read_text("utf-8")
)["default"]


class Request(BaseHTTPRequestHandler):
    """A request to a relay, and ways to answer it."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def json(self, value: object, status: int = 200) -> None:
        self.raw(json.dumps(value).encode(), status)

    def raw(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def asked_round(self) -> int:
        return int(self.path.rsplit("/", 1)[1])


Answer = Callable[[Request], object]


def honest(request: Request) -> None:
    """Answer as drand's relays do, fields and all."""
    if request.path == f"/{QUICKNET_HASH}/info":
        request.json(RECORDED["info"])
    elif request.path.startswith(f"/{QUICKNET_HASH}/public/"):
        number = request.asked_round()
        if number in SIGNATURES:
            request.json(round_json(number))
        else:
            request.json({"error": "not found"}, 404)
    else:
        request.json({"error": "unknown chain"}, 404)


def round_json(number: int, signature: str | None = None) -> dict[str, object]:
    recorded = next(each for each in RECORDED["rounds"] if each["round"] == number)
    return {
        "round": number,
        "randomness": recorded["randomness"],
        "signature": signature or recorded["signature"],
    }


def another_round(request: Request) -> None:
    request.json(round_json(2))


def another_rounds_signature(request: Request) -> None:
    request.json(round_json(request.asked_round(), SIGNATURES[2].hex()))


def another_chain(request: Request) -> None:
    if request.path.endswith("/info"):
        request.json(DEFAULT["info"])
    else:
        request.json({**DEFAULT["rounds"][0], "round": request.asked_round()})


def nothing_yet(request: Request) -> None:
    request.json({}, 404)


def broken(request: Request) -> None:
    request.json({}, 500)


def garbage(request: Request) -> None:
    request.raw(b"<html>captive portal</html>")


def a_list(request: Request) -> None:
    request.json([round_json(2)])


def repeated_keys(request: Request) -> None:
    number = request.asked_round()
    signature = SIGNATURES[number].hex()
    request.raw(
        f'{{"round": {number}, "signature": "{signature}", "signature": "{signature}"}}'.encode()
    )


def elsewhere(request: Request) -> None:
    """Send on to somebody honest, which nobody asked for."""
    request.send_response(302)
    request.send_header("Location", "http://127.0.0.1:1/")
    request.send_header("Content-Length", "0")
    request.end_headers()


def cut_off(request: Request) -> None:
    body = json.dumps(round_json(request.asked_round())).encode()
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body[:-20])


def endless(request: Request) -> None:
    request.send_response(200)
    request.end_headers()
    for _ in range(4096):
        request.wfile.write(b" " * 1024)


def dripping(request: Request) -> None:
    """Send a byte now and then, each in time for a socket's own patience."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    drip(request)


def dripping_headers(request: Request) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    drip(request)


def silent(request: Request) -> None:
    threading.Event().wait(30)


def drip(request: Request) -> None:
    for _ in range(300):
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.1)  # that it takes long is what it is for


LIARS: tuple[Answer, ...] = (
    another_round, another_rounds_signature, another_chain, nothing_yet, broken, garbage, a_list,
    repeated_keys, elsewhere, cut_off, endless,
)  # fmt: skip
DAWDLERS: tuple[Answer, ...] = (dripping, dripping_headers, silent)


@contextmanager
def relay(answer: Answer = honest) -> Iterator[str]:
    """Run a relay, and return its address."""

    class Handler(Request):
        def do_GET(self) -> None:
            with suppress(ConnectionError):  # whoever asked has hung up
                answer(self)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
