"""How Alembic reaches the database: through the application's own engine."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from flask import current_app
from sqlalchemy import Connection, MetaData, text

from lottery_system.models.base import UTCDateTime

#: any number that no other program locks in this database
LOCK_KEY = 0x10_77_E7


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write our column types as SQLAlchemy's, so that old migrations need none of our code."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run() -> None:
    """Bring the schema to the revision asked for, in one transaction.

    Over the connection that the configuration brings, in its transaction, where it brings one.
    """
    given = context.config.attributes.get("connection")
    database = current_app.extensions["migrate"].db
    if given is not None:
        migrate(given, database.metadata)
        return
    with database.engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:  # a table that others refer to may be made anew; they are checked at the end
            raw.execute("PRAGMA foreign_keys=OFF")
        migrate(connection, database.metadata)
        if is_sqlite:
            raw.execute("PRAGMA foreign_keys=ON")


def migrate(connection: Connection, metadata: MetaData) -> None:
    """Run what is missing."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_item=render_item,
        compare_server_default=True,
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # hosts that start at once take turns; on SQLite the transaction itself is the lock
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        context.run_migrations()
        if connection.dialect.name == "sqlite":
            broken = connection.execute(text("PRAGMA foreign_key_check")).all()
            assert not broken, f"rows that refer to nothing: {broken[:5]}"


run()
