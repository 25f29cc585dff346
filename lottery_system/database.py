"""How SQLite and PostgreSQL are spoken to, so that everything above need not know which it is."""

import sqlite3
from time import monotonic
from typing import Any

from flask import current_app
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.orm import Session, UOWTransaction

from lottery_system.offload import Offload

try:  # the wheel brings an SQLite without the WAL-reset fault of 3.7.0 to 3.51.2
    from pysqlite3 import dbapi2 as sqlite
except ImportError:  # it is made for Linux on x86-64 only
    sqlite = sqlite3

#: seconds that a write waits for the one before it, before it gives up with an error
LOCK_TIMEOUT = 10
#: seconds that any statement may take on PostgreSQL
STATEMENT_TIMEOUT = 30
POOL_SIZE = 20
#: libpq's own words for a host that says nothing more, as after a power cut: without them the
#: ballot box would wait for its answer for two hours
VANISHED = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}

# Taking the write lock and flushing to disk are what blocks in SQLite. Each has one thread: only
# one transaction of a process can hold the lock, and it must always find a thread to commit in.
_begin = Offload(threads=1)
_commit = Offload(threads=1)


class CooperativeConnection(sqlite.Connection):  # type: ignore[misc]
    """An SQLite connection whose commit lets other greenlets run while the disk works."""

    def commit(self) -> None:
        """Commit, in a thread; without a transaction, do nothing."""
        if self.in_transaction:
            _commit(super().commit)


def engine_options(url: str) -> dict[str, Any]:
    """Return what `create_engine` must be told for an address."""
    if make_url(url).get_backend_name() == "sqlite":
        return {
            "module": sqlite,
            "connect_args": {"factory": CooperativeConnection, "timeout": LOCK_TIMEOUT},
            "pool_size": POOL_SIZE,
        }
    timeouts = f"-c statement_timeout={STATEMENT_TIMEOUT}s -c lock_timeout={LOCK_TIMEOUT}s"
    return {
        "connect_args": {"connect_timeout": 5, "options": timeouts, **VANISHED},
        "pool_size": POOL_SIZE,
        "pool_pre_ping": True,
    }


def prepare(engine: Engine) -> None:
    """Attach to an engine what its database needs at the start of connections and transactions."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_immediate)


def _configure_sqlite(connection: sqlite3.Connection, record: object) -> None:
    # None: no transaction begins but those that `_begin_immediate` begins
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a lock taken at the first write loses what was read before."""
    if not connection.get_execution_options().get("reads_only"):
        _begin(_take_write_lock, connection)


def _take_write_lock(connection: Connection) -> None:
    """Ask for the lock each millisecond, for as long as its timeout.

    SQLite's own way to wait asks ever more rarely, up to ten times a second: a worker that has
    waited long is then overtaken again and again by one that has just come.
    """
    raw = connection.connection.dbapi_connection
    assert raw is not None
    raw.execute("PRAGMA busy_timeout=1")
    try:
        give_up_at = monotonic() + LOCK_TIMEOUT
        while monotonic() < give_up_at and _is_busy(raw):
            pass
        if not raw.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # so that SQLAlchemy names the error
    finally:
        raw.execute(f"PRAGMA busy_timeout={LOCK_TIMEOUT * 1000}")


def _is_busy(connection: Any) -> bool:
    """Try to take the write lock, and tell whether somebody else holds it."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite.OperationalError as error:
        return bool(error.sqlite_errorcode == sqlite.SQLITE_BUSY)
    return False


class ReadingSession(FlaskSession):
    """The session of a request: it reads each statement as committed by then, and cannot write.

    It takes no lock, begins no transaction and spares the round trips of one. Whatever writes
    does so in a `transaction`, so that nothing is written by the way.
    """

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        """Return the engine that reads, for whatever is asked."""
        engine: Engine = current_app.extensions["reading_engine"]
        return engine


@event.listens_for(ReadingSession, "before_flush")
def _refuse_to_write(session: Session, context: UOWTransaction, instances: object) -> None:
    raise RuntimeError("db.session only reads; write in a `transaction`")


def reading(engine: Engine) -> Engine:
    """Return an engine on the same connections that begins no transactions."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(reads_only=True)
    return engine.execution_options(isolation_level="AUTOCOMMIT")
