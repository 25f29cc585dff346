"""Broadcast of changes to all listeners of a process (publish and subscribe).

One loop polls for all listeners of a process. Without listeners there is no loop.
"""

import logging
import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

#: polling interval in seconds
INTERVAL = 2
#: seconds without news after which listeners are woken anyway
KEEP_ALIVE = 20

State = TypeVar("State")


class Broadcast(Generic[State]):
    """A process's listeners, and the loop that polls for them.

    The loop starts with the first listener, in a thread (a greenlet under gevent) of this very
    process, so that a broadcast made before a fork works after it. It ends at the first poll
    without listeners.

    Args:
        look: returns the current state; a change is one that differs by `==`.
        interval: polling interval in seconds.
        keep_alive: seconds of silence after which listeners are called all the same.
    """

    def __init__(
        self,
        look: Callable[[], State],
        interval: float = INTERVAL,
        keep_alive: float = KEEP_ALIVE,
    ) -> None:
        self.look = look
        self._interval = interval
        self._keep_alive = keep_alive
        self._lock = threading.Lock()
        #: of each listener, what is set to call it; one for all would wake them in one go, while
        #: nobody else had a turn
        self._calls: set[threading.Event] = set()
        self._loop: threading.Thread | None = None
        #: the newest one, while the loop runs and has seen any
        self._state: State | None = None
        self._is_blind = False
        self._ended = threading.Event()

    @property
    def listener_count(self) -> int:
        """Return how many listen."""
        return len(self._calls)

    def subscribe(self) -> Generator[State | None, None, None]:
        """Yield the current state, then each newer one, until the broadcast ends.

        A slow listener gets only the newest one. None means that nothing is new, so that the caller
        can find out whether its client is still connected.
        """
        call = threading.Event()
        told: State | None = None
        try:
            self._enter(call)
            while call.wait():
                with self._lock:  # a newer state calls again, as does the end, and this one not
                    if self._ended.is_set():
                        return
                    call.clear()
                    state = self._state
                yield None if state == told else state
                told = state
        finally:
            with self._lock:
                self._calls.discard(call)

    def end(self) -> None:
        """End all subscriptions, permanently; later subscribers get nothing."""
        self._ended.set()
        self._call_all()

    def _enter(self, call: threading.Event) -> None:
        with self._lock:
            self._calls.add(call)
            if self._state is not None or self._ended.is_set():
                call.set()
            elif self._loop is None:
                self._loop = threading.Thread(target=self._watch, name="broadcast", daemon=True)
                self._loop.start()

    def _watch(self) -> None:
        silent_for = 0.0
        while self._is_wanted():
            if self._has_news():
                silent_for = 0
            elif silent_for >= self._keep_alive:
                self._call_all()
                silent_for = 0
            self._ended.wait(self._interval)
            silent_for += self._interval

    def _is_wanted(self) -> bool:
        """Return whether there are listeners; if not, the next one starts a new loop."""
        with self._lock:
            if self._calls and not self._ended.is_set():
                return True
            self._loop = self._state = None
            return False

    def _has_news(self) -> bool:
        """Poll, and wake all listeners if something changed; log a failure once, and retry."""
        try:
            state = self.look()
        except Exception as error:
            if not self._is_blind:
                is_ours = not isinstance(error, SQLAlchemyError)
                log.error("broadcast: %s", str(error).partition("\n")[0], exc_info=is_ours)
            self._is_blind = True
            return False
        self._is_blind = False
        with self._lock:  # who comes in between is called once: by coming or by the news
            is_new = state != self._state
            self._state = state
            if is_new:
                self._call_each()
        return is_new

    def _call_all(self) -> None:
        with self._lock:
            self._call_each()

    def _call_each(self) -> None:
        for call in self._calls:
            call.set()
