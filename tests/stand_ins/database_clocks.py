"""A PostgreSQL database whose clock is shifted; everything else of it is real."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.sql import SQL, Identifier, Literal


class DatabaseClock:
    """The clock of a database, which may be set.

    `clock_timestamp()` is found in a schema that is searched before the system's own.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def run_from(self, instant: datetime) -> None:
        self._run(
            SQL(
                "CREATE OR REPLACE FUNCTION moved.clock_timestamp() RETURNS timestamptz"
                " LANGUAGE sql VOLATILE AS"
            ),
            f"SELECT pg_catalog.clock_timestamp() + interval '{_seconds(instant)} seconds'",
        )

    def _run(self, statement: SQL, body: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(SQL("{} {}").format(statement, Literal(body)))


def _seconds(instant: datetime) -> float:
    ahead: timedelta = instant - datetime.now(UTC)
    return ahead.total_seconds()


@contextmanager
def moved_clock(url: str, instant: datetime) -> Iterator[DatabaseClock]:
    """Let the clock of a database run from an instant, for whoever connects from now on."""
    clock = DatabaseClock(url)
    with psycopg.connect(url, autocommit=True) as connection:
        database = Identifier(connection.info.dbname)
        connection.execute("CREATE SCHEMA moved")
        clock.run_from(instant)
        path = SQL("ALTER DATABASE {} SET search_path = moved, pg_catalog, public")
        connection.execute(path.format(database))
        try:
            yield clock
        finally:
            connection.execute(SQL("ALTER DATABASE {} RESET search_path").format(database))
            connection.execute("DROP SCHEMA moved CASCADE")
