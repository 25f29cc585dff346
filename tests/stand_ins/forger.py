"""A forger on the line: an HTTP proxy that changes one answer of a site."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.request import urlopen

from tests.stand_ins.processes import PATIENCE

#: headers that the proxy writes itself
OWN = {"connection", "content-length", "date", "server", "transfer-encoding"}


@contextmanager
def forging(url: str, address: str, forge: Callable[[bytes], bytes]) -> Iterator[str]:
    """Serve what a site serves to everybody, but for one address; yield where.

    Args:
        url: of the site.
        address: how the address of the changed answer ends.
    """

    class Forger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with urlopen(url + self.path, timeout=PATIENCE) as answer:
                body, headers = answer.read(), answer.headers.items()
            if self.path.endswith(address):
                body = forge(body)
            self.send_response(200)
            for name, value in headers:
                if name.lower() not in OWN:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forger)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
