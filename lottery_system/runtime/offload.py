"""Blocking calls in native threads, while other greenlets of a worker run."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar, cast

from gevent import monkey
from gevent.threadpool import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")


class Offload:
    """Runs calls in native threads of its own under gevent, and in place elsewhere.

    Args:
        threads: how many calls run at a time; the others wait for their turn, in order.
        niceness: how far the calls stand back where there is not enough processor for all, from 0
            to 19, as in nice(2); on Linux only, where it is each thread's own.
    """

    def __init__(self, threads: int, niceness: int = 0) -> None:
        self._threads = threads
        self._niceness = niceness if sys.platform == "linux" else 0
        self._pool: ThreadPool | None = None
        #: the process whose threads they are
        self._pid = 0

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call and return as `function` does, errors included."""
        if not monkey.is_module_patched("threading"):
            return function(*args, **kwargs)
        if self._pool is None or self._pid != os.getpid():  # threads do not survive a fork
            self._pool, self._pid = ThreadPool(self._threads), os.getpid()
        result, error = self._pool.apply(_outcome, (self._niceness, function, args, kwargs))
        if error is not None:
            raise error
        return cast(T, result)


def _outcome(
    niceness: int, function: Callable[..., T], args: Any, kwargs: Any
) -> tuple[T | None, BaseException | None]:
    """Call and hand an error over as a value: a gevent thread would also print it."""
    try:
        if niceness:
            with suppress(OSError):  # a sandbox may refuse it, and the call matters more
                os.setpriority(os.PRIO_PROCESS, 0, niceness)  # 0: this thread (sched(7))
        return function(*args, **kwargs), None
    except BaseException as error:
        return None, error
