"""Database engines: dialect differences of SQLite and PostgreSQL, hidden from all other modules."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep
from typing import Any

import psycopg
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    ExceptionContext,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as NoPlace
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from config.database_address import POOLER, for_reading
from lottery_system.errors import LotteryError
from lottery_system.runtime.bounded import STATEMENT_TIMEOUT, BoundedConnection
from lottery_system.runtime.connection_budget import MOST, split
from lottery_system.runtime.eager import EagerConnection
from lottery_system.runtime.offload import Offload

try:  # the wheel brings an SQLite without the WAL-reset fault of 3.7.0 to 3.51.2
    from pysqlite3 import dbapi2 as sqlite
except ImportError:  # it is made for Linux on x86-64 only
    sqlite = sqlite3

# Nobody who sends a request should wait longer than ten seconds for an answer, whatever is wrong
# with PostgreSQL (`make ha`). A request may meet with several of these limits.
#: seconds that a write to PostgreSQL waits for a lock before it fails
LOCK_TIMEOUT = 4
#: the same for SQLite, where all writers share one lock and none has a place in a queue; less than
#: a caller of the ballot box waits, who would otherwise not know what became of the ballots
BUSY_TIMEOUT = 5
#: seconds that a connection to PostgreSQL may take, and with several hosts, to each of them
CONNECT_TIMEOUT, CONNECT_TIMEOUT_EACH = 5, 2
#: seconds that a request waits for a connection of its process's pool
POOL_TIMEOUT = 3
#: seconds between two attempts at a database that may be starting
WAIT_FOR_ACCESS = 1
#: the engine that only reads, among those of Flask-SQLAlchemy
READING = "reading"
#: seconds after which a connection to PostgreSQL that nobody used is closed
IDLE = 300
#: where a pool's entry has the time since which it is idle, by the monotonic clock
IDLE_SINCE = "idle since"
#: where it has the time at which it was connected, by the same clock
CONNECTED_AT = "connected at"
#: keepalives that detect a vanished host within five seconds, as after a power cut or when its link
#: is cut; with the defaults the ballot box would wait for about two hours
VANISHED = {
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
}

#: errors of a database that cannot be reached, does not answer, or has no place in the pool
OUTAGES = (OperationalError, NoPlace)

# Flushing to disk is what blocks in SQLite. One thread is enough: only one transaction can commit.
_commit = Offload(threads=1)

#: what each connection to PostgreSQL is set to, written as `current_setting` shows it
SETTINGS = {
    "statement_timeout": f"{STATEMENT_TIMEOUT}s",
    "lock_timeout": f"{LOCK_TIMEOUT}s",
    # Every query uses an index. A statement is planned once, maybe while its tables are small,
    # and must not scan them when they are large.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}


#: setting by which PostgreSQL checks whether the client of a running statement is still there, and
#: milliseconds between two checks. It ends the statement otherwise, but no commit's wait for a
#: standby.
CLIENT_CHECK = ("client_connection_check_interval", 2_000)


class PoolerUnset(LotteryError):
    """The pooler's connections lack the settings that the lottery sets itself elsewhere."""


class CooperativeConnection(sqlite.Connection):  # type: ignore[misc]
    """An SQLite connection whose commit lets other greenlets run during the flush to disk."""

    def commit(self) -> None:
        """Commit, in a thread; without a transaction, do nothing."""
        if self.in_transaction:
            _commit(super().commit)


_SQLITE_OPTIONS = {
    "module": sqlite,
    "connect_args": {"factory": CooperativeConnection, "timeout": BUSY_TIMEOUT},
    "max_overflow": 0,
}


def engine_options(url: str, connections: int = MOST) -> dict[str, Any]:
    """Return what `create_engine` must be told for an engine that writes.

    Args:
        url: the database's address.
        connections: those of a process, shared with the engine that reads.
    """
    return _options(url, {}) | {"pool_size": split(connections).writers}


def reading_options(url: str, connections: int = MOST) -> dict[str, Any]:
    """Return what `create_engine` must be told for an engine that only reads.

    It uses autocommit, so each statement reads what is committed by then, and a page takes no lock
    and saves two round trips. Its connections refuse to write, except behind a pooler, which lends
    the same connections to those that write.
    """
    options = _options(url, {"default_transaction_read_only": "on"})
    if not _is_sqlite(url):
        options |= {"isolation_level": "AUTOCOMMIT"}
    return options | {"pool_size": split(connections).readers, "pool_reset_on_return": None}


def _options(url: str, settings: dict[str, str]) -> dict[str, Any]:
    if _is_sqlite(url):
        return dict(_SQLITE_OPTIONS)
    address = make_url(url)
    arguments: dict[str, Any] = {"connect_timeout": _connect_timeout(address), **VANISHED}
    if is_pooled(address):
        # Its next transaction may use another connection, which knows none of our statements; and
        # it takes no settings with the start of a connection (pgbouncer 1.18, "Limitations").
        arguments |= {"prepare_threshold": None}
    else:
        written = " ".join(f"-c {name}={value}" for name, value in (SETTINGS | settings).items())
        arguments |= {"options": written}
    # the one used last is taken first, so that those beyond need stay idle, and are let go
    return {
        "connect_args": arguments,
        "max_overflow": 0,
        "pool_use_lifo": True,
        "pool_timeout": POOL_TIMEOUT,
    }


def _connect_timeout(url: URL) -> int:
    hosts = url.query.get("host", ())
    count = hosts.count(",") + 1 if isinstance(hosts, str) else len(hosts)
    return CONNECT_TIMEOUT_EACH if count > 1 else CONNECT_TIMEOUT


def is_pooled(url: URL) -> bool:
    """Return whether an address is that of a pooler (pgbouncer in transaction mode)."""
    return POOLER in url.query


def demand_settings(connection: Connection) -> None:
    """Demand of a pooler that its connections have our settings.

    Raises:
        PoolerUnset: with the first that differs.
    """
    if connection.dialect.name == "sqlite" or not is_pooled(connection.engine.url):
        return
    for name, value in SETTINGS.items():
        found = connection.scalar(select(func.current_setting(name)))
        if found != value:
            raise PoolerUnset(
                f"The pooler's connections have {name} = {found}, and the lottery needs {value}: "
                "give it the connect_query of config/pgbouncer.ini."
            )


def prepare_engines(engine: Engine, reading: Engine) -> None:
    """Attach to an application's engines, of which one only reads, what their database needs."""
    prepare(engine)
    prepare_reading(reading)
    if engine.dialect.name != "sqlite":
        _share_losses(engine, reading)


def prepare(engine: Engine) -> None:
    """Attach to an engine that writes what its database needs."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "connect", _refuse_at_once)
        event.listen(engine, "begin", _begin_immediate)
    else:
        _prepare_postgresql(engine, EagerConnection)


def _share_losses(*engines: Engine) -> None:
    """Let engines of one database connect anew when one of them has lost a connection.

    Where a host that hangs has been replaced and comes to, it answers what was sent to it
    meanwhile, with pages of before. An engine that nobody used would still be connected to it.
    """
    lost_at = -float("inf")

    def note(context: ExceptionContext) -> None:
        nonlocal lost_at
        if context.is_disconnect:
            lost_at = monotonic()

    def connected(connection: object, record: ConnectionPoolEntry) -> None:
        record.info[CONNECTED_AT] = monotonic()

    def refuse_older(connection: object, record: ConnectionPoolEntry, proxy: object) -> None:
        if record.info[CONNECTED_AT] < lost_at:
            raise DisconnectionError

    for engine in engines:
        event.listen(engine, "handle_error", note)
        event.listen(engine, "connect", connected)
        event.listen(engine, "checkout", refuse_older)


def wait_for_access(engine: Engine, seconds: float) -> None:
    """Wait until PostgreSQL accepts connections; for SQLite, return at once.

    Raises:
        OperationalError: it did not within `seconds`.
    """
    give_up_at = monotonic() + seconds
    while engine.dialect.name != "sqlite":
        try:
            engine.connect().close()
            return
        except OperationalError:
            if monotonic() > give_up_at:
                raise
            sleep(WAIT_FOR_ACCESS)


def prepare_reading(engine: Engine) -> None:
    """Attach to an engine that only reads what its database needs."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "connect", _refuse_writing)
    else:
        _prepare_postgresql(engine, BoundedConnection)


def let_idle_go(engine: Engine, seconds: float = IDLE) -> int:
    """Close PostgreSQL connections that nobody used for a while, and return how many.

    Their places in the pool stay, and connect again when they are needed. Nothing here waits, so no
    other greenlet can take a connection meanwhile.
    """
    pool = engine.pool
    if engine.dialect.name == "sqlite" or not isinstance(pool, QueuePool):
        return 0
    before = monotonic() - seconds
    waiting: Any = pool._pool  # SQLAlchemy has no public name for it
    idle = [
        entry
        for entry in waiting.queue
        if entry.dbapi_connection is not None and entry.info.get(IDLE_SINCE, before) <= before
    ]
    for entry in idle:
        entry.close()
    return len(idle)


def reading_engine(url: URL) -> Engine:
    """Make an engine that only reads, for a process without an application."""
    address = url.render_as_string(hide_password=False)
    engine = create_engine(for_reading(address), **reading_options(address))
    prepare_reading(engine)
    return engine


@contextmanager
def snapshot(engine: Engine, exported: str | None = None) -> Iterator[Connection]:
    """Yield a connection that sees the database as it is now, whatever is committed meanwhile.

    It writes nothing, and its statements may take as long as they need.

    Args:
        engine: one that only reads.
        exported: what another connection's `export_snapshot` returned, to see the same.
    """
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            with connection.begin():
                connection.exec_driver_sql("BEGIN")
                # a transaction sees what there is at its first read
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
                yield connection
            return
        connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            if exported is not None:
                assert re.fullmatch(r"[0-9A-F-]+", exported), exported
                # nosemgrep: text-built-sql - no value can be bound here; the pattern bounds it
                connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{exported}'")
            with unbounded(connection):
                yield connection


@contextmanager
def unbounded(connection: Connection) -> Iterator[None]:
    """Let the statements of a transaction on PostgreSQL take as long as they need.

    Locks are waited for as long as ever.
    """
    for timeout in ("statement_timeout", "idle_in_transaction_session_timeout"):
        # nosemgrep: text-built-sql - a constant
        connection.exec_driver_sql(f"SET LOCAL {timeout} = 0")
    raw: Any = connection.connection.dbapi_connection
    raw.is_unbounded = True
    try:
        yield
    finally:
        raw.is_unbounded = False


def export_snapshot(connection: Connection) -> str | None:
    """Return the id by which others can share a snapshot while it lasts; None on SQLite."""
    if connection.dialect.name == "sqlite":
        return None
    exported: str = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
    return exported


def _is_sqlite(url: str) -> bool:
    return make_url(url).get_backend_name() == "sqlite"


def _prepare_postgresql(engine: Engine, kind: type[BoundedConnection]) -> None:
    def connect(dialect: object, record: object, args: Any, options: Any) -> BoundedConnection:
        # the part of the address that is ours, and not libpq's
        is_pooled = options.pop(POOLER, None) is not None
        connection = kind.connect(*args, **options)
        if not is_pooled:
            _check_client(connection)
        return connection

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", _refuse_dead_connection)
    event.listen(engine, "checkin", _note_idle)


def _check_client(connection: BoundedConnection) -> None:
    """Have PostgreSQL end the statements of a connection that was closed, where it can.

    A statement that is slow would go on after it was given up, beside the one that is sent anew.
    PostgreSQL 13, and 14 where the kernel cannot tell it, refuse the setting; in the start of a
    connection they would refuse the connection.
    """
    connection.autocommit = True
    with suppress(psycopg.errors.UndefinedObject, psycopg.errors.InvalidParameterValue):
        connection.execute("SELECT set_config(%s, %s, false)", [*map(str, CLIENT_CHECK)])
    connection.autocommit = False


def _note_idle(connection: object, record: ConnectionPoolEntry) -> None:
    record.info[IDLE_SINCE] = monotonic()


def _refuse_dead_connection(connection: Any, record: object, proxy: object) -> None:
    """Replace a pooled connection that the server has closed.

    An idle connection receives nothing but the server's goodbye. Two non-blocking reads consume
    that goodbye and then detect EOF, so no ping and its round trip are needed.

    Raises:
        DisconnectionError: the pool then connects again.
    """
    try:
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except connection.OperationalError as error:
        raise DisconnectionError from error


def _configure_sqlite(connection: sqlite3.Connection, record: object) -> None:
    # None: no transaction begins but those that `_begin_immediate` begins
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")  # nosemgrep: text-built-sql - a constant


def _refuse_writing(connection: sqlite3.Connection, record: object) -> None:
    connection.execute("PRAGMA query_only=ON")


def _refuse_at_once(connection: sqlite3.Connection, record: object) -> None:
    # whoever waits for the lock does so in `_begin_immediate`
    connection.execute("PRAGMA busy_timeout=0")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once (BEGIN IMMEDIATE): upgrading after a read can fail.

    If it is held, retry each millisecond until its timeout, while other greenlets run. SQLite's
    busy handler blocks all greenlets and backs off to ten retries a second, so that waiting workers
    are overtaken by new ones. The greenlet that gets the lock here goes on at once; with a thread
    the lock would stay held until the greenlet's turn.
    """
    raw: Any = connection.connection.dbapi_connection
    give_up_at = monotonic() + BUSY_TIMEOUT
    while _is_busy(raw) and monotonic() < give_up_at:
        sleep(0.001)
    if not raw.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # so that SQLAlchemy names the error


def _is_busy(connection: Any) -> bool:
    """Try to take the write lock, and return whether somebody else holds it."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite.OperationalError as error:
        return bool(error.sqlite_errorcode == sqlite.SQLITE_BUSY)
    return False


class ReadingSession(FlaskSession):
    """The session of a request, on the engine that only reads.

    Writes need a `transaction`, so that nothing is written by accident.
    """

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        """Return the engine that reads, for whatever is asked."""
        engine: Engine = self._db.engines[READING]
        return engine
