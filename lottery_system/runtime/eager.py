"""PostgreSQL connections that write: they block briefly before they yield, and bound commits."""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import ClassVar

import psycopg
from gevent import Timeout, get_hub, monkey
from psycopg import waiting
from psycopg.abc import RV, PQGen
from psycopg.waiting import Ready, Wait
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from lottery_system.runtime.bounded import BoundedConnection

#: milliseconds to block for an answer before yielding
MOMENT = 1
#: seconds that a commit may take. With synchronous replication it waits for a standby, for ever if
#: there is none, and no timeout of PostgreSQL's ends that.
COMMIT_TIMEOUT = 5
#: looks for a commit that waits for a standby for longer than so many seconds
WAITING = """
    SELECT true FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND wait_event = 'SyncRep'
      AND clock_timestamp() - query_start > %s * interval '1 second' LIMIT 1
"""


class EagerConnection(BoundedConnection):
    """A connection that blocks briefly for an answer before it lets other greenlets run.

    A greenlet that yields resumes after all others of its worker. If it holds the day's row, all
    workers stall for that long; and the answer usually arrives sooner.
    """

    #: whether a commit of this process was given up, so that PostgreSQL may still wait with it
    _is_behind: ClassVar[bool] = False
    _is_committing = False
    _is_warned = False

    def commit(self) -> None:
        """Commit, and return only once as many hosts have it as PostgreSQL was told to wait for.

        Raises:
            OperationalError: it took too long in a server, or somebody cancelled the wait for a
                standby, by which PostgreSQL commits all the same. The connection is closed. What
                was written may be there, and may be lost with this host.
                Or earlier commits still wait for a standby; then nothing was written.
        """
        self._refuse_to_queue()
        self._is_warned, self._is_committing = False, True
        self.add_notice_handler(self._note_warning)
        try:
            super().commit()  # nosemgrep: commit-outside-the-edge - what the edge calls
        finally:
            self._is_committing = False
            self.remove_notice_handler(self._note_warning)
        if self._is_warned:
            self.close()
            raise psycopg.OperationalError("the commit was not confirmed by a standby")

    @property
    def answer_timeout(self) -> float:
        """Seconds to wait for PostgreSQL's answer, or its confirmation of a commit."""
        return COMMIT_TIMEOUT if self._is_committing else super().answer_timeout

    def given_up(self) -> psycopg.OperationalError:
        """Close the connection, and return the error that says why."""
        if not self._is_committing:
            return super().given_up()
        EagerConnection._is_behind = True
        self.close()
        return psycopg.OperationalError(
            f"the commit was not confirmed within {COMMIT_TIMEOUT} seconds"
        )

    def _refuse_to_queue(self) -> None:
        """Refuse to commit while commits that were given up still wait for a standby.

        Each keeps one of PostgreSQL's connections, and no limit of ours ends that: without a
        standby, they would soon be all that it has.
        """
        if not EagerConnection._is_behind:
            return
        EagerConnection._is_behind = bool(self.execute(WAITING, [COMMIT_TIMEOUT]).fetchone())
        if EagerConnection._is_behind:
            raise psycopg.OperationalError("earlier commits still wait for a standby")

    def _note_warning(self, notice: psycopg.errors.Diagnostic) -> None:
        """Take any warning for that one: a commit knows no other, and its text is translated."""
        self._is_warned |= notice.severity_nonlocalized == "WARNING"

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Run a psycopg generator to its end, and return its result.

        Raises:
            OperationalError: PostgreSQL did not answer. The connection is closed.
        """
        bounded = timeout is None and not self.is_unbounded
        if not bounded or not monkey.is_module_patched("select"):
            if self._is_committing:
                return self._wait_without_cancelling(gen, interval)
            return super().wait(gen, interval, timeout)
        socket, ends_at = self.pgconn.socket, monotonic() + self.answer_timeout
        try:
            wanted = next(gen)
            while True:
                if not _is_ready(socket, wanted) and not _becomes_ready(socket, wanted, ends_at):
                    raise self.given_up()
                wanted = gen.send(Ready(int(wanted)))
        except StopIteration as end:
            result: RV = end.value
            return result

    def _wait_without_cancelling(self, gen: PQGen[RV], interval: float) -> RV:
        """Wait for a commit of a command, however long; Ctrl-C leaves open what becomes of it.

        psycopg would cancel it, by which PostgreSQL commits without a standby.
        """
        try:
            return waiting.wait(gen, self.pgconn.socket, interval=interval)
        except (KeyboardInterrupt, SystemExit):
            self.close()
            raise


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


def _becomes_ready(socket: int, wanted: Wait, ends_at: float) -> bool:
    """Let other greenlets run until a socket is ready, and return whether it was in time."""
    hub = get_hub()
    late = Timeout.start_new(max(0, ends_at - monotonic()))
    try:
        hub.wait(hub.loop.io(socket, int(wanted)))
    except Timeout as timeout:
        if timeout is not late:
            raise
        return False
    finally:
        late.close()
    return True
