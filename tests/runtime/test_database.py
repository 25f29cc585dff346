"""Connections to PostgreSQL."""

import os
import socket
from _thread import interrupt_main
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from config.database_address import checked_address
from lottery_system.extensions import db
from lottery_system.runtime.database import (
    CLIENT_CHECK,
    CONNECT_TIMEOUT,
    CONNECT_TIMEOUT_EACH,
    READING,
    engine_options,
)
from tests.stand_ins.postgres import Server
from tests.stand_ins.processes import PATIENCE, wait_for


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_database_host_that_vanishes_is_noticed_within_seconds(engine: Engine) -> None:
    """The kernel asks it for signs of life; `make ha` cuts a link."""
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        with socket.socket(fileno=os.dup(raw.fileno())) as line:

            def option(number: int) -> int:
                return line.getsockopt(socket.IPPROTO_TCP, number)

            patience = option(socket.TCP_KEEPIDLE) + option(socket.TCP_KEEPINTVL) * option(
                socket.TCP_KEEPCNT
            )
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert patience <= 5
            assert option(socket.TCP_USER_TIMEOUT) <= 5_000


@pytest.mark.parametrize(
    ("hosts", "seconds"), [("h1", CONNECT_TIMEOUT), ("h1:5432,h2:5432", CONNECT_TIMEOUT_EACH)]
)
def test_each_of_several_hosts_has_less_time_to_answer_than_one_alone(
    hosts: str, seconds: int
) -> None:
    """They are tried one after the other, while somebody waits."""
    url = checked_address(f"postgresql://{hosts}/lottery?target_session_attrs=read-write")

    assert engine_options(url)["connect_args"]["connect_timeout"] == seconds


@pytest.fixture
def no_standby(postgres: Server, engine: Engine) -> Iterator[psycopg.Connection]:
    """Let commits wait for a standby that there is not; yield a connection of an administrator."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        try:
            postgres.lose_standby()
            yield connection
        finally:
            postgres.wait_for_standby("")


def write(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_logical_emit_message(true, 'written', '')"))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_ctrl_c_in_a_command_does_not_cancel_a_commit_that_waits_for_a_standby(
    engine: Engine, no_standby: psycopg.Connection
) -> None:
    """PostgreSQL would commit, and show what one host alone has."""

    def those_that_wait() -> list[tuple[int]]:
        return no_standby.execute(
            "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        ).fetchall()

    def interrupt() -> list[tuple[int]]:
        found = wait_for(those_that_wait, "a commit waits for the standby")
        interrupt_main()
        return found

    with ThreadPoolExecutor(1) as pool:
        interrupted = pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            write(engine)
        assert those_that_wait() == interrupted.result(PATIENCE)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_commit_whose_wait_for_a_standby_was_cancelled_is_no_success(
    engine: Engine, no_standby: psycopg.Connection
) -> None:
    """PostgreSQL answers COMMIT and warns: the standby, which may take over, lacks it."""

    def cancel() -> bool:
        return bool(
            no_standby.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            ).fetchall()
        )

    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(write, engine)
        wait_for(cancel, "a commit waits for the standby")
        with pytest.raises(OperationalError, match="not confirmed by a standby"):
            written.result(PATIENCE)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_commit_that_was_given_up_goes_on_waiting_for_its_standby(
    engine: Engine, no_standby: psycopg.Connection
) -> None:
    """If PostgreSQL ended it with its connection, others would see what one host alone has."""

    def waited() -> float:
        """Return how long it has waited, in milliseconds; 0 if it does not."""
        found = no_standby.execute(
            "SELECT 1000 * extract(epoch FROM clock_timestamp() - query_start)::float"
            " FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        ).fetchone()
        return float(found[0]) if found else 0

    with engine.connect() as connection:
        connection.execute(text("SELECT pg_logical_emit_message(true, 'written', '')"))
        raw: Any = connection.connection.dbapi_connection
        raw.pgconn.send_query(b"COMMIT")
        wait_for(waited, "the commit waits for the standby")
        connection.invalidate()  # which closes it
    checked_twice = waited() + 2 * CLIENT_CHECK[1]

    wait_for(lambda: not 0 < waited() < checked_twice, "PostgreSQL checks twice, or ends it")
    assert waited()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("loser", ["that writes", "that reads"])
def test_an_engine_that_loses_its_host_lets_the_other_connect_anew(
    app: Flask, postgres: Server, loser: str
) -> None:
    """A host that hangs and was replaced would answer it with pages of before."""
    with app.app_context():
        engines = {"that writes": db.engine, "that reads": db.engines[READING]}
    lost = engines.pop(loser)
    (other,) = engines.values()
    before = backend(other)
    assert backend(other) == before

    with lost.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with psycopg.connect(postgres.url("postgres")) as administrator:
            administrator.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT 1"))

    assert backend(other) != before


def backend(engine: Engine) -> int:
    """Return the process of PostgreSQL that an engine's connection leads to."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
