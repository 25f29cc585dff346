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
#: statement that is merely slow is ended by PostgreSQL, which looks for its client
ANSWER_TIMEOUT_OF_REQUESTS = 8

_is_short = ContextVar("_is_short", default=False)


@contextmanager
def request_limit() -> Iterator[None]:
    """Within the block, wait for each of PostgreSQL's answers as long as a request may."""
    token = _is_short.set(True)
    try:
        yield
    finally:
        _is_short.reset(token)


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is closed if PostgreSQL does not answer a statement."""

    #: whether its statements may take as long as they need
    is_unbounded = False

    @property
    def answer_timeout(self) -> float:
        """Seconds to wait for PostgreSQL's answer."""
        return ANSWER_TIMEOUT_OF_REQUESTS if _is_short.get() else ANSWER_TIMEOUT

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
