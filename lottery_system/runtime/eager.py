"""Connections to PostgreSQL for whoever holds a lock that others wait for."""

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

#: milliseconds that an answer is waited for on the spot
MOMENT = 1


class EagerConnection(psycopg.Connection[Any]):
    """A connection that waits for an answer on the spot, for a moment, then lets others run.

    Under gevent whoever waits has to wait for its turn too, which comes when all others of its
    worker have had theirs. Between the statements of a transaction that holds the day's row this
    keeps everybody else waiting, in all workers; and an answer takes less time than a turn.
    """

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Bring a conversation with the server to its end, and return what came of it."""
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
    """Send the statements of a block without waiting for the answer to each, where that saves time.

    For statements that return no rows. What fails is known at the end of the block; the transaction
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
    """Wait for a socket for a moment, holding up all greenlets, and tell whether it is ready."""
    poll = monkey.get_original("select", "poll")()
    poll.register(
        socket, (wanted & Wait.R and select.POLLIN) | (wanted & Wait.W and select.POLLOUT)
    )
    return bool(poll.poll(MOMENT))
