"""HTTP server of a stand-in on the loopback address, which goes down and comes back."""

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Handler(BaseHTTPRequestHandler):
    """Writes no log, and leaves those alone who have gone."""

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(OSError):  # whoever asked has gone
            super().handle()


class LocalServer:
    """Serves until its block ends."""

    def __init__(self) -> None:
        #: set while it goes down, so that nobody who is kept waiting holds it up
        self._end = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Return where it is, also while it is down."""
        return f"http://127.0.0.1:{self._port}"

    def handler(self) -> type[Handler]:
        """Return what answers."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve, at the port that it had before."""
        self._end.clear()
        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self.handler())
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def stop(self) -> None:
        """Go down, with all that it knows."""
        self._end.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
