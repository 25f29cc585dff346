"""Schema check: whether a database has the tables, columns and revision that this code expects.

The server at its start and every command check it before they use a database. Downgrades are
refused if they would lose data.
"""

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, String, column, func, inspect, select, table, text
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.types import LargeBinary

from lottery_system.errors import DataWouldBeLost, OutdatedSchema
from lottery_system.models import Base

MIGRATIONS = Path(__file__).with_name("migrations")
UPGRADE = "`flask --app lottery_system db upgrade`"

#: columns that are computed from others, so that a downgrade loses nothing with them
DERIVED = frozenset({"lotteries.name_key", "lotteries.search_key"})
#: Alembic's own note of the revision
_VERSION = "alembic_version"


def demand_current(connection: Connection) -> None:
    """Refuse a database of any other version than this code's. Reads only.

    Raises:
        OutdatedSchema: with one sentence that says what to do.
    """
    revisions = _revisions(connection)
    demand_known(revisions)
    newest = _known()[0]
    if revisions != (newest,):
        raise OutdatedSchema(
            f"The database has revision {', '.join(revisions) or 'none'} where this version of the "
            f"lottery needs {newest}: run {UPGRADE}."
        )
    expected = {
        f"{each.name}.{column.name}" for each in Base.metadata.tables.values() for column in each.c
    }
    missing = sorted(expected - {_name(*each) for each in _columns(connection)})
    if missing:
        raise OutdatedSchema(
            f"The database has revision {newest} and yet lacks {', '.join(missing)}, which "
            f"{UPGRADE} cannot give it: restore the database from a backup."
        )


def revision(connection: Connection) -> str:
    """Return the database's revision, such as 0017; "none" without one."""
    return ", ".join(_revisions(connection)) or "none"


def demand_known(revisions: tuple[str, ...]) -> None:
    """Refuse revisions that only a newer version of the code can have made.

    Raises:
        OutdatedSchema: with one sentence that says what to do.
    """
    known = _known()
    newer = [each for each in revisions if each not in known]
    if newer:
        raise OutdatedSchema(
            f"This database is of a newer version of the lottery (revision {', '.join(newer)}, "
            f"where this one ends at {known[0]}): run the newer version, and nothing of this one."
        )


def filled_columns(connection: Connection) -> set[str]:
    """List the columns that hold something in some row, having locked all tables against writing.

    For a downgrade, which afterwards is compared with them.
    """
    columns = _columns(connection)
    tables = sorted({name for name, _ in columns})
    if tables and connection.dialect.name == "postgresql":  # SQLite's transaction is the lock
        names = ", ".join(map(connection.dialect.identifier_preparer.quote, tables))
        # nosemgrep: text-built-sql - names of tables, quoted by SQLAlchemy
        connection.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))
    return {_name(*each) for each in columns if _is_filled(connection, *each)}


def demand_nothing_lost(connection: Connection, filled: set[str]) -> None:
    """Refuse what a downgrade has done, within its transaction, where data would be gone.

    Args:
        connection: in the transaction of the downgrade, which is rolled back by the error.
        filled: the columns that held something before.

    Raises:
        DataWouldBeLost: with a sentence that names what.
    """
    left = _columns(connection)
    tables = {name for name, _ in left}
    lost = {
        name if (name := each.partition(".")[0]) not in tables else each
        for each in filled - DERIVED - {_name(*each) for each in left}
    }
    if lost:
        raise DataWouldBeLost(
            f"This downgrade would lose what is stored in {', '.join(sorted(lost))}. Nothing was "
            "changed; to go back to an older version, restore a backup that it has made."
        )


def _revisions(connection: Connection) -> tuple[str, ...]:
    return MigrationContext.configure(connection).get_current_heads()


def _known() -> list[str]:
    """List the revisions of this code, the newest first."""
    return [each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]


def _columns(connection: Connection) -> list[tuple[str, ReflectedColumn]]:
    """List the columns of all tables, each with its table's name."""
    return [
        (name, each)
        for (_, name), columns in inspect(connection).get_multi_columns().items()
        if name != _VERSION
        for each in columns
    ]


def _name(table_name: str, reflected: ReflectedColumn) -> str:
    return f"{table_name}.{reflected['name']}"


def _is_filled(connection: Connection, table_name: str, reflected: ReflectedColumn) -> bool:
    """Return whether some row has a value there, and not merely empty text or no bytes."""
    value = column(reflected["name"], reflected["type"])
    is_text = isinstance(reflected["type"], String | LargeBinary)
    has_value = func.length(value) > 0 if is_text else value.is_not(None)
    query = select(1).select_from(table(table_name, value)).where(has_value).limit(1)
    return connection.scalar(query) is not None
