"""Download throttle: the downloads of a worker take turns, and at most half of its time."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from threading import Lock
from time import perf_counter, sleep

from lottery_system.errors import AlreadyDownloading


class DownloadTurns:
    """The downloads that a worker is making for an application.

    Args:
        context: what each piece is made within.
    """

    def __init__(self, context: Callable[[], AbstractContextManager[object]]) -> None:
        self._context = context
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
            with self._turn, self._context():
                began_at = perf_counter()
                piece = next(pieces, None)
                sleep(perf_counter() - began_at)
            if piece is None:
                return
            yield piece
