"""PostgreSQL connections that are closed when an answer takes too long.

`statement_timeout` is PostgreSQL's own: it does not count where its processes hang, as on a frozen
disk, and keepalives tell only that the host's kernel lives.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen

#: seconds that any statement may take on PostgreSQL, by PostgreSQL's clock
STATEMENT_TIMEOUT = 30
#: seconds to wait for an answer: more than the above, so that PostgreSQL tells it where it can
ANSWER_TIMEOUT = 35
#: the same while a request is answered, which nobody should wait longer than ten seconds for; a
#: statement that is merely slow goes on in PostgreSQL until its own limit
ANSWER_TIMEOUT_OF_REQUESTS = 8

_seconds: ContextVar[float | None] = ContextVar("_seconds", default=None)


@contextmanager
def answers_within(seconds: float) -> Iterator[None]:
    """Within the block, wait for each of PostgreSQL's answers for so many seconds at most."""
    token = _seconds.set(seconds)
    try:
        yield
    finally:
        _seconds.reset(token)


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is closed if PostgreSQL does not answer a statement."""

    #: whether its statements may take as long as they need
    is_unbounded = False

    @property
    def answer_timeout(self) -> float:
        """Seconds to wait for PostgreSQL's answer."""
        return _seconds.get() or ANSWER_TIMEOUT

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Run a psycopg generator to its end, and return its result.

        Raises:
            OperationalError: PostgreSQL did not answer. The connection is closed.
        """
        if timeout is not None or self.is_unbounded:
            return super().wait(gen, interval, timeout)
        ends_at = monotonic() + self.answer_timeout
        try:
            return super().wait(gen, interval, self.answer_timeout)
        except psycopg.OperationalError:
            if monotonic() < ends_at:  # another error, by PostgreSQL's answer
                raise
            raise self.given_up() from None

    def given_up(self) -> psycopg.OperationalError:
        """Close the connection, and return the error that says why."""
        self.close()
        return psycopg.OperationalError(
            f"PostgreSQL did not answer within {self.answer_timeout:g} seconds"
        )
