"""Alembic environment: migrations use the application's own engine."""

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.migration import MigrationContext
from flask import current_app
from sqlalchemy import Connection, MetaData, text

from lottery_system.models.base import UTCDateTime
from lottery_system.runtime.database import unbounded
from lottery_system.schema import demand_known, demand_nothing_lost, filled_columns

#: any number that no other program locks in this database
LOCK_KEY = 0x10_77_E7


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write our column types as SQLAlchemy's, so that old migrations need none of our code."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run() -> None:
    """Bring the schema to the revision asked for, in one transaction.

    Going back is refused if something stored would be lost. That is asked here, of whatever a
    downgrade leaves, so that no migration needs to think of it and those that landed without a
    thought of it need not be edited.

    Over the connection that the configuration brings, in its transaction, where it brings one.

    Raises:
        OutdatedSchema: the database is of a newer version.
        DataWouldBeLost: a downgrade would drop what is stored; nothing was changed.
    """
    given = context.config.attributes.get("connection")
    database = current_app.extensions["migrate"].db
    if given is not None:
        migrate(given, database.metadata)
        return
    with database.engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:  # a table that others refer to may be made again; they are checked at the end
            raw.execute("PRAGMA foreign_keys=OFF")
        try:
            migrate(connection, database.metadata)
        finally:
            if is_sqlite:
                raw.execute("PRAGMA foreign_keys=ON")


def migrate(connection: Connection, metadata: MetaData) -> None:
    """Run what is missing, or take back what was asked for."""
    is_sqlite = connection.dialect.name == "sqlite"
    configure = partial(
        context.configure,
        connection=connection,
        target_metadata=metadata,
        render_item=render_item,
        compare_server_default=True,
        # Alembic takes SQLite's driver for one that commits before each CREATE and DROP, and
        # commits each migration by itself; our connections begin as they are told
        transactional_ddl=True,
    )
    configure()
    planned = context.get_context().opts["fn"]
    held: set[str] = set()

    def plan(revisions: tuple[str, ...], migration: MigrationContext) -> Iterable[Any]:
        demand_known(revisions)
        steps = list(planned(revisions, migration))
        if any(step.is_downgrade for step in steps):
            held.update(filled_columns(connection))
        return steps

    configure(fn=plan)
    with ExitStack() as stack:
        stack.enter_context(context.begin_transaction())
        if not is_sqlite:
            stack.enter_context(unbounded(connection))
            take_turn(connection)
        context.run_migrations()
        demand_nothing_lost(connection, held)
        if is_sqlite:
            broken = connection.execute(text("PRAGMA foreign_key_check")).all()
            assert not broken, f"rows that refer to nothing: {broken[:5]}"


def take_turn(connection: Connection) -> None:
    """Wait until no other host brings the schema up to date, however long that takes it.

    On SQLite the transaction is the lock. The migrations themselves wait for locks as long as all
    that writes: they fail where somebody still uses a table, instead of stopping all others.
    """
    timeout = connection.scalar(text("SELECT current_setting('lock_timeout')"))
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    connection.execute(
        text("SELECT set_config('lock_timeout', :timeout, true)"), {"timeout": timeout}
    )


run()
