"""Downloads: long answers that are made a piece at a time and give way to everybody else.

An account has one download at a time from a worker, as has a network of people who are not logged
in. All downloads of a worker take turns, and at most half of its time.
"""

from collections.abc import Callable, Iterator
from threading import Lock
from time import perf_counter, sleep

from flask import Flask, Response, current_app
from flask_login import current_user

from lottery_system.access import viewer
from lottery_system.addresses import client_network
from lottery_system.errors import AlreadyDownloading


class Downloads:
    """The downloads that a worker is making for an application."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._running: dict[str, object] = {}
        self._turn = Lock()

    def begin(self, whose: str) -> Callable[[], None]:
        """Begin a download, and return what ends it; that may be called more than once.

        Raises:
            AlreadyDownloading: theirs is running.
        """
        if whose in self._running:
            raise AlreadyDownloading
        mine = self._running[whose] = object()

        def end() -> None:
            if self._running.get(whose) is mine:
                del self._running[whose]

        return end

    def in_turns(self, pieces: Iterator[str]) -> Iterator[str]:
        """Yield the pieces of a download, and after each rest for as long as making it took.

        Others rest as well, so that ten downloads are no more of a burden than one.
        """
        while True:
            with self._turn, self._app.app_context():
                began_at = perf_counter()
                piece = next(pieces, None)
                sleep(perf_counter() - began_at)
            if piece is None:
                return
            yield piece


def register(app: Flask) -> None:
    """Let an application know of its downloads."""
    app.extensions["downloads"] = Downloads(app)


def download(name: str, mimetype: str, pieces: Iterator[str]) -> Response:
    """Answer with a file.

    Args:
        pieces: made within the application, after the request that asked for them.

    Raises:
        AlreadyDownloading: this account, or this network, has a download running.
    """
    downloads: Downloads = current_app.extensions["downloads"]
    end = downloads.begin(_whose())

    def whole() -> Iterator[str]:
        yield from downloads.in_turns(pieces)
        end()

    response = Response(whole(), mimetype=mimetype)
    response.call_on_close(end)  # also where whoever asked has gone away
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response


def _whose() -> str:
    return f"user {viewer().id}" if current_user.is_authenticated else client_network()
