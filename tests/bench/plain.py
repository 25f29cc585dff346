"""Database baseline: batches of a thousand with the counter, by the plain driver."""

import os
from datetime import UTC, datetime
from time import perf_counter

import psycopg
from sqlalchemy import make_url

# the same library as everything else: two of them in one process break each other's locks, by
# which a file was corrupted (sqlite.org, "How To Corrupt An SQLite Database File", 2.2.1)
from lottery_system.runtime import database

BATCH = 1000
#: a day that no other figure touches
DAY = "2001-01-01"
#: what is stored of a ballot beside its row: salt, holder hash and leaf hash, of these bytes
LOG_BYTES = (16, 32, 32)


def plain_rate(url: str, lottery_id: int, user_id: int, seconds: float) -> float:
    """Return how many ballots a second one connection stores, a thousand a commit."""
    if make_url(url).get_backend_name() == "sqlite":
        return _sqlite(str(make_url(url).database), lottery_id, user_id, seconds)
    return _postgresql(url, lottery_id, user_id, seconds)


def _sqlite(file: str, lottery_id: int, user_id: int, seconds: float) -> float:
    sqlite = database.engine_options("sqlite://")["module"]
    with sqlite.connect(file, isolation_level=None) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS plain (day, number, lottery_id, user_id,"
                           " submitted_at, salt, holder, leaf, PRIMARY KEY (day, number))"
                           " WITHOUT ROWID")  # fmt: skip
        connection.execute("CREATE TABLE IF NOT EXISTS plain_count (ballot_count)")
        connection.execute("DELETE FROM plain")
        log = [os.urandom(size) for size in LOG_BYTES]
        count, started_at = 0, perf_counter()
        while perf_counter() - started_at < seconds:
            now = datetime.now(UTC).isoformat()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO plain VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(DAY, count + n, lottery_id, user_id, now, *log) for n in range(BATCH)],
            )
            connection.execute("UPDATE plain_count SET ballot_count = ballot_count + ?", (BATCH,))
            connection.execute("COMMIT")
            count += BATCH
        taken = perf_counter() - started_at
    connection.close()
    return count / taken


def _postgresql(url: str, lottery_id: int, user_id: int, seconds: float) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS plain (LIKE ballots INCLUDING ALL)")
        for column in ("salt", "holder", "leaf"):
            connection.execute(f"ALTER TABLE plain ADD COLUMN IF NOT EXISTS {column} bytea")
        connection.execute("CREATE TABLE IF NOT EXISTS plain_count (ballot_count integer)")
        connection.execute("TRUNCATE plain")
        log = [os.urandom(size) for size in LOG_BYTES]
        count, started_at = 0, perf_counter()
        while perf_counter() - started_at < seconds:
            now = datetime.now(UTC)
            with connection.transaction(), connection.cursor() as cursor:
                with cursor.copy("COPY plain FROM STDIN") as copy:  # the fastest that it has
                    for n in range(BATCH):
                        copy.write_row((DAY, count + n + 1, lottery_id, user_id, now, *log))
                cursor.execute("UPDATE plain_count SET ballot_count = ballot_count + %s", (BATCH,))
            count += BATCH
        taken = perf_counter() - started_at
    return count / taken
