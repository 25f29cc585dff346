"""PostgreSQL connections that block briefly before they yield, to hold the day's lock shortly."""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from gevent import get_hub, monkey
from psycopg.abc import RV, PQGen
from psycopg.waiting import Ready, Wait
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

#: milliseconds to block for an answer before yielding
MOMENT = 1


class EagerConnection(psycopg.Connection[Any]):
    """A connection that blocks briefly for an answer before it lets other greenlets run.

    A greenlet that yields resumes after all others of its worker. If it holds the day's row, all
    workers stall for that long; and the answer usually arrives sooner.
    """

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Run a psycopg generator to its end, and return its result."""
        if timeout is not None or not monkey.is_module_patched("select"):
            return super().wait(gen, interval, timeout)
        socket = self.pgconn.socket
        try:
            wanted = next(gen)
            while True:
                if not _is_ready(socket, wanted):
                    hub = get_hub()
                    hub.wait(hub.loop.io(socket, int(wanted)))
                wanted = gen.send(Ready(int(wanted)))
        except StopIteration as end:
            result: RV = end.value
            return result


@contextmanager
def together(connection: Connection) -> Iterator[None]:
    """Send the statements of a block without waiting for each answer, in pipeline mode.

    For statements that return no rows. Failures show at the end of the block; the transaction
    cannot be committed then.

    Raises:
        DBAPIError: as SQLAlchemy raises it for a single statement.
    """
    raw = connection.connection.dbapi_connection
    if not isinstance(raw, psycopg.Connection):
        yield
        return
    try:
        with raw.pipeline():
            yield
    except psycopg.Error as error:
        dialect = connection.dialect
        raise DBAPIError.instance(None, None, error, psycopg.Error, dialect=dialect) from error


def _is_ready(socket: int, wanted: Wait) -> bool:
    """Wait briefly for a socket, blocking all greenlets, and return whether it is ready."""
    poll = monkey.get_original("select", "poll")()
    poll.register(
        socket, (wanted & Wait.R and select.POLLIN) | (wanted & Wait.W and select.POLLOUT)
    )
    return bool(poll.poll(MOMENT))
