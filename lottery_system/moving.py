"""Database move: a whole lottery from SQLite to an empty PostgreSQL.

One snapshot of the source, one transaction on the target, all tables. If anything fails, the target
stays as it was.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from psycopg.sql import SQL, Composed, Identifier
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    LargeBinary,
    String,
    Table,
    column,
    create_engine,
    func,
    inspect,
    make_url,
    select,
    table,
)
from sqlalchemy.exc import DBAPIError, OperationalError

from config.database_address import checked_address
from lottery_system.errors import LotteryError, OutdatedSchema
from lottery_system.models import Base
from lottery_system.runtime.database import CONNECT_TIMEOUT, VANISHED, is_pooled

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
#: rows that are held at once
ROWS = 1000
#: the same of tables with bytes, of which a row may have megabytes
WIDE_ROWS = 16
#: where Alembic keeps the revision of a schema
_REVISION = select(column("version_num", String())).select_from(table("alembic_version"))


class CannotMove(LotteryError):
    """A lottery cannot be moved; the source was only read, the target is as it was."""


class Content(NamedTuple):
    """What a table holds: how many rows, and the sum of their hashes, whatever their order is.

    Python's own hashes: of 64 bits, the same for equal rows of one process, and quick. It is our
    own copying that they check.
    """

    rows: int
    hashes: int


def target_of(text: str) -> URL:
    """Read the address of the database to move to.

    Raises:
        CannotMove: it is not one of PostgreSQL. The address is not repeated, since it may hold a
            password.
    """
    try:
        url = make_url(checked_address(text)) if text.startswith("postgresql") else None
    except ValueError as error:
        raise CannotMove(f"The address {error}") from None
    if url is not None and is_pooled(url):
        raise CannotMove(
            "A lottery is moved to PostgreSQL itself; write its own address instead of a pooler's."
        )
    if url is None or not url.database:
        raise CannotMove(
            "A lottery is moved to PostgreSQL; write the address of an empty database like "
            "postgresql://lottery@db.example/lottery. To make a copy of an SQLite database see "
            "docs/operating.md, Backup."
        )
    return url


def move(source: Engine, url: URL, tell: Callable[[str], None]) -> int:
    """Copy all rows of all tables, compare them, and return how many there are.

    Within the context of an application, whose migrations make the target's schema.

    Args:
        source: an engine that only reads.
        url: what `target_of` returned.
        tell: told each table that is done.

    Raises:
        CannotMove: with a sentence that says why.
    """
    if source.dialect.name != "sqlite":
        raise CannotMove(
            "Only a lottery on SQLite is moved. From one PostgreSQL to another use pg_dump and "
            "pg_restore."
        )
    arguments = {"connect_timeout": CONNECT_TIMEOUT, **VANISHED}
    target = create_engine(url, connect_args=arguments)
    try:
        with target.begin() as writing, _unchanged(source) as reading:
            return _move(reading, writing, tell)
    except OperationalError as error:
        raise CannotMove(f"The target gave no access: {_reason(error, url)}") from None
    except (DBAPIError, psycopg.Error) as error:
        raise CannotMove(
            f"The target refused, and is as it was before: {_reason(error, url)}"
        ) from None
    finally:
        target.dispose()


def _move(source: Connection, target: Connection, tell: Callable[[str], None]) -> int:
    _demand_empty(target)
    _upgrade(target)
    if source.scalar(_REVISION) != target.scalar(_REVISION):
        raise CannotMove(
            "The source does not have the newest schema. Bring it up to date first: "
            "flask --app lottery_system db upgrade."
        )
    triggers = _triggers(target)
    # Else they would write down again who changed which lottery. Holds off all who write, too.
    _all_tables(target, "ALTER TABLE {} DISABLE TRIGGER USER")
    _demand_empty(target)
    total = 0
    for each in Base.metadata.sorted_tables:
        copied = _copy(source, target, each)
        if _content(target, each) != copied:
            raise CannotMove(f"The copy of {each.name} is not what was copied. Nothing was kept.")
        _set_sequence(target, each)
        tell(f"{each.name}: {copied.rows:,} rows copied and compared.")
        total += copied.rows
    _all_tables(target, "ALTER TABLE {} ENABLE TRIGGER USER")
    if _triggers(target) != triggers:
        raise CannotMove("The triggers of the target are not what they were. Nothing was kept.")
    _all_tables(target, "ANALYZE {}")
    return total


@contextmanager
def _unchanged(engine: Engine) -> Iterator[Connection]:
    """Yield a snapshot of SQLite, and demand at the end that nobody has written meanwhile."""

    def version() -> object:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")  # it begins with a read
        return connection.exec_driver_sql("PRAGMA data_version").scalar_one()

    with engine.connect() as connection:
        before = version()
        yield connection
        connection.exec_driver_sql("ROLLBACK")
        after = version()
        connection.exec_driver_sql("ROLLBACK")
    if after != before:
        raise CannotMove(
            "The lottery was written to during the move, so that the copy is not the whole of it. "
            "Nothing was kept. Stop the server, then move again."
        )


def _demand_empty(target: Connection) -> None:
    inspector = inspect(target)
    ours = {each.name for each in Base.metadata.sorted_tables}
    names = set(inspector.get_table_names())
    others = sorted(names - ours - {"alembic_version"})
    if others:
        raise CannotMove(f"The target is not empty: it has a table {others[0]}, which is not ours.")
    for name in sorted(names & ours):
        if target.execute(select(1).select_from(table(name)).limit(1)).first():
            raise CannotMove(f"The target is not empty: its table {name} has rows.")


def _upgrade(target: Connection) -> None:
    """Make the newest schema, in the transaction of the target."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = target
    try:
        command.upgrade(config, "head")
    except (CommandError, OutdatedSchema) as error:
        raise CannotMove(f"The target has a schema of something else: {error}") from None


def _copy(source: Connection, target: Connection, of: Table) -> Content:
    count = hashes = 0
    with _driver(target).cursor() as cursor, cursor.copy(_copying(of)) as copy:
        for row in _rows(source, of):
            count, hashes = count + 1, hashes + hash(row)
            copy.write_row(row)
    return Content(count, hashes)


def _content(connection: Connection, of: Table) -> Content:
    count = hashes = 0
    for row in _rows(connection, of):
        count, hashes = count + 1, hashes + hash(row)
    return Content(count, hashes)


def _rows(connection: Connection, of: Table) -> Iterator[tuple[object, ...]]:
    """Read a table as it comes, a few rows at a time."""
    is_wide = any(isinstance(each.type, LargeBinary) for each in of.columns)
    options = {"stream_results": True, "yield_per": WIDE_ROWS if is_wide else ROWS}
    for rows in connection.execute(select(of), execution_options=options).partitions():
        yield from map(tuple, rows)


def _set_sequence(target: Connection, of: Table) -> None:
    """Have the next row get the next number."""
    key = of.autoincrement_column
    last = None if key is None else target.scalar(select(func.max(key)))
    if key is not None and last is not None:
        sequence = func.pg_get_serial_sequence(of.name, key.name)
        target.execute(select(func.setval(sequence, last)))


def _triggers(target: Connection) -> list[tuple[object, ...]]:
    """List triggers of tables, those of foreign keys too, and whether they are enabled."""
    rows = target.exec_driver_sql(
        "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger ORDER BY 1, 2"
    )
    return [tuple(row) for row in rows]


def _all_tables(target: Connection, statement: str) -> None:
    for each in Base.metadata.sorted_tables:
        _driver(target).execute(SQL(statement).format(Identifier(each.name)))


def _copying(of: Table) -> Composed:
    names = SQL(", ").join(Identifier(each.name) for each in of.columns)
    return SQL("COPY {} ({}) FROM STDIN").format(Identifier(of.name), names)


def _driver(connection: Connection) -> "psycopg.Connection[Any]":
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _reason(error: DBAPIError | psycopg.Error, url: URL) -> str:
    """Return what the database said, in one line and without the password."""
    message = str(error.orig if isinstance(error, DBAPIError) else error)
    line = (message.splitlines() or ["no reason given"])[0]
    return line.replace(url.password, "***") if url.password else line
