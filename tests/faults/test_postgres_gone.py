"""PostgreSQL crashes, as by a power cut, and comes back."""

import time
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy.orm import Session

from tests.conftest import FIRST_DAY, migrate
from tests.faults.conftest import MIDNIGHT
from tests.stand_ins.players import Player, has_winner, let_play, playing
from tests.stand_ins.postgres import Server
from tests.stand_ins.processes import Gunicorn, answer_of, wait_for
from tests.stand_ins.strikes import SOON, check, complaints, suffer, until_turned_away


@pytest.fixture
def database_url(durable_postgres: Server) -> str:
    url = durable_postgres.create("lottery")
    migrate(url)
    return url


def test_what_is_acknowledged_is_stored_when_postgresql_falls_over(
    durable_postgres: Server, server: Gunicorn, players: list[Player], session: Session
) -> None:
    def fall_over() -> None:
        durable_postgres.stop("immediate")
        until_turned_away(players)
        durable_postgres.start()

    suffer(server, players, fall_over)

    assert not any(player.unanswered_count for player in players)
    check(server, players, session)


def test_a_midnight_without_postgresql_is_made_up_within_a_minute_of_its_return(
    durable_postgres: Server, server: Gunicorn, players: list[Player], session: Session
) -> None:
    with playing(players):
        let_play(players)
        durable_postgres.stop("immediate")
        server.clock.run_from(MIDNIGHT + timedelta(seconds=45))
        wait_for(lambda: "tick: " in server.log(), "a tick that fails")
        until_turned_away(players)
        durable_postgres.start()
        let_play(players)
        wait_for(lambda: has_winner(server, FIRST_DAY), "a winner", SOON)

    check(server, players, session)


def test_a_postgresql_that_hangs_keeps_nobody_longer_than_ten_seconds(
    durable_postgres: Server, server: Gunicorn, players: list[Player], session: Session
) -> None:
    """Its kernel still answers, so neither keepalives nor `statement_timeout` tell."""
    player = players[0]
    player.play()
    form = player.form()
    with durable_postgres.frozen():
        took = []
        for _ in range(2):  # on connections that are open, and on new ones
            began = time.monotonic()
            assert player.try_once(form, 1) is None
            took.append(time.monotonic() - began)
            began = time.monotonic()
            assert answer_of(f"{server.url}/winners?q=player")[0] == 503
            took.append(time.monotonic() - began)
    assert max(took) < 10, took
    assert any("did not answer within 8 seconds" in line for line in complaints(server))
    player.play()

    check(server, players, session)


def test_the_comparison_finds_what_is_acknowledged_and_not_stored(
    durable_postgres: Server, server: Gunicorn, players: list[Player], session: Session
) -> None:
    """So it would be if the answer were given before the disk has it."""
    with psycopg.connect(durable_postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_commit = off")
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
    durable_postgres.stop("fast")
    durable_postgres.start()
    players[0].play()

    durable_postgres.stop("immediate")
    durable_postgres.start()

    with pytest.raises(AssertionError, match="submissions: 1 are missing"):
        check(server, players, session)
