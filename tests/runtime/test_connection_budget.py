"""The connection budget: pools sized from `max_connections`, idle connections, pgbouncer."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import product
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from config.database_address import checked_address
from lottery_system.runtime import database
from lottery_system.runtime.connection_budget import (
    DEFAULT,
    LEAST,
    MOST,
    SPARE,
    Allowed,
    TooFewConnections,
    share_of,
    split,
)
from tests.stand_ins.pgbouncer import CONFIG, NoPgbouncer, pgbouncer
from tests.stand_ins.postgres import Server
from tests.stand_ins.processes import wait_for


@pytest.mark.parametrize("most", [20, 100, 200, 1000])
def test_old_and_new_workers_of_all_hosts_never_need_more_than_there_are(most: int) -> None:
    for workers, hosts in product(range(1, 40), (1, 2, 5)):
        try:
            share = share_of(Allowed(most, 3), workers=workers, hosts=hosts)
        except TooFewConnections:
            assert 2 * workers * hosts * LEAST > most - 3 - SPARE
            continue
        assert LEAST <= share <= MOST
        assert 2 * workers * hosts * sum(split(share)) <= most - 3 - SPARE


def test_a_postgresql_as_it_comes_has_enough_for_eight_workers() -> None:
    assert share_of(DEFAULT, workers=8, hosts=1) == LEAST


def test_too_few_are_refused_with_the_arithmetic() -> None:
    with pytest.raises(TooFewConnections) as refusal:
        share_of(DEFAULT, workers=8, hosts=2)

    assert str(refusal.value) == (
        "PostgreSQL allows 100 connections (max_connections). Less 3 reserved for superusers and 5 "
        "for commands, that is 92, or 2 for each of 8 workers on each of 2 hosts, twice, since a "
        "restart runs old and new workers at once. A worker needs 5: raise max_connections to 168, "
        "lower LOTTERY_WORKERS or LOTTERY_HOSTS, or put pgbouncer in between (docs/operating.md, "
        "Connections)."
    )


@pytest.mark.parametrize("connections", range(LEAST, MOST + 1))
def test_a_worker_can_always_read_and_write(connections: int) -> None:
    pools = split(connections)

    assert sum(pools) == connections
    assert pools.readers >= 2
    assert pools.writers >= 3


def engine_of(url: str) -> Engine:
    engine = create_engine(url, **database.reading_options(url))
    database.prepare_reading(engine)
    return engine


def test_idle_connections_are_let_go_and_made_again_when_needed(postgres_url: str) -> None:
    engine = engine_of(postgres_url)
    held = [engine.connect() for _ in range(4)]
    for connection in held[1:]:
        connection.close()

    assert database.let_idle_go(engine, seconds=60) == 0
    assert database.let_idle_go(engine, seconds=0) == 3
    assert database.let_idle_go(engine, seconds=0) == 0

    assert held[0].scalar(text("SELECT 1")) == 1
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    held[0].close()
    assert database.let_idle_go(engine, seconds=0) == 2
    engine.dispose()


def test_behind_pgbouncer_the_start_demands_its_settings(postgres_url: str) -> None:
    try:
        with pgbouncer(postgres_url) as url:
            engine = engine_of(checked_address(url))
            with engine.connect() as connection:
                database.demand_settings(connection)
                # no statement is left behind for others, however often it is run
                for _ in range(20):
                    connection.execute(text("SELECT 1"))
                assert not connection.execute(text("SELECT * FROM pg_prepared_statements")).all()
                connection.execute(text("SET jit TO on"))
                with pytest.raises(database.PoolerUnset, match="jit = on, and the lottery needs"):
                    database.demand_settings(connection)
            engine.dispose()
    except NoPgbouncer as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("through", [nullcontext, pgbouncer], ids=["directly", "pgbouncer"])
def test_a_statement_ends_with_its_connection(
    postgres: Server, postgres_url: str, through: Callable[[str], AbstractContextManager[str]]
) -> None:
    """Whoever tries again would find all beside it that was given up."""
    try:
        with through(postgres_url) as url, psycopg.connect(postgres.url("postgres")) as other:
            other.autocommit = True

            def sleeps() -> bool:
                rows = other.execute("SELECT wait_event = 'PgSleep' FROM pg_stat_activity")
                return (True,) in rows.fetchall()

            engine = engine_of(checked_address(url))
            with engine.connect() as connection:
                raw: Any = connection.connection.dbapi_connection
                raw.pgconn.send_query(b"SET statement_timeout TO 0; SELECT pg_sleep(86400)")
                wait_for(sleeps, "the statement runs")
                raw.close()
            wait_for(lambda: not sleeps(), "the statement has ended")
            engine.dispose()
    except NoPgbouncer as error:
        pytest.skip(str(error))


def test_the_shipped_pgbouncer_sets_what_the_lottery_sets_itself() -> None:
    query = CONFIG.read_text(encoding="utf-8").partition("connect_query='")[2].partition("'")[0]

    names = [each.split()[1] for each in query.split("; ")]
    assert names == [*database.SETTINGS, database.CLIENT_CHECK[0]]


def test_other_modes_of_a_pooler_are_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="pooler=transaction, and leave it out"):
        checked_address("postgresql://lottery@localhost/lottery?pooler=session")


def test_an_address_is_a_poolers_only_if_it_says_so() -> None:
    assert not database.is_pooled(make_url("postgresql://lottery@localhost/lottery"))
    assert database.is_pooled(make_url("postgresql://lottery@localhost/lottery?pooler=transaction"))
