"""Failover of PostgreSQL: a lagging standby lacks ballots, a synchronous one none."""

import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from lottery_system.runtime.eager import COMMIT_TIMEOUT
from tests.conftest import FIRST_DAY, migrate
from tests.faults.conftest import MIDNIGHT
from tests.stand_ins.players import Player, has_winner, let_play, playing
from tests.stand_ins.postgres import Server
from tests.stand_ins.processes import Gunicorn, answer_of, wait_for
from tests.stand_ins.proxy import Proxy
from tests.stand_ins.strikes import SOON, check, complaints, until_turned_away


@pytest.fixture
def primary(durable_postgres: Server) -> Server:
    return durable_postgres


@pytest.fixture
def standby(primary: Server, database_url: str) -> Iterator[Server]:
    server = Server(durable=True, primary=primary)
    yield server
    server.remove()


@pytest.fixture
def database_url(primary: Server) -> str:
    url = primary.create("lottery")
    migrate(url)
    return url


@pytest.fixture
def proxy(primary: Server) -> Iterator[Proxy]:
    """Stand where a load balancer does: it leads to whichever server is the primary."""
    proxy = Proxy(primary.port)
    yield proxy
    proxy.close()


@pytest.fixture
def served_url(proxy: Proxy) -> str:
    return f"postgresql://lottery@127.0.0.1:{proxy.port}/lottery"


def ask(server: Server, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url("lottery")) as connection:
        return connection.execute(query).fetchall()


BALLOTS = "SELECT day, number, user_id, submitted_at FROM ballots ORDER BY day, number"


def test_a_standby_that_lags_takes_no_ballot_and_is_not_written_to(
    primary: Server, standby: Server, proxy: Proxy, server: Gunicorn, players: list[Player]
) -> None:
    with playing(players):
        let_play(players, 5)
    wait_for(lambda: ask(standby, BALLOTS) == ask(primary, BALLOTS), "the standby follows")
    standby.stop("immediate")  # so that it lags
    forms = {player: player.form() for player in players}
    with playing(players):
        let_play(players, 2)
    acknowledged = sum(len(player.receipts) for player in players)

    primary.stop("immediate")
    standby.start()
    standby.promote()
    proxy.fail_over(standby.port)
    left = ask(standby, BALLOTS)

    def all_are_paused() -> bool:
        # each worker finds out by itself, when it is asked to store something, and says so once
        assert not any(player.try_once(forms[player], 1) for player in players)
        said = server.log().count("paused: The database is older than what was published")
        return said == len(server.workers())

    wait_for(all_are_paused, "all workers say why")
    status, text = answer_of(f"{server.url}/readyz")
    assert status == 503
    assert "were acknowledged. Restore the newest backup" in text
    status, text = answer_of(f"{server.url}/how-it-works")
    assert (status, "The lottery is paused" in text) == (200, True)
    server.clock.run_from(MIDNIGHT + timedelta(seconds=1))
    wait_for(lambda: answer_of(f"{server.url}/readyz")[0] == 503, "it stays paused")
    for player in players:
        assert not player.try_once(forms[player], 1)
    assert ask(standby, BALLOTS) == left
    assert ask(standby, "SELECT count(*) FROM journal") == [(1,)]
    assert sum(len(player.receipts) for player in players) == acknowledged > 0


def test_with_a_synchronous_standby_nothing_is_lost_and_nothing_stops(
    primary: Server, standby: Server, proxy: Proxy, server: Gunicorn, players: list[Player]
) -> None:
    primary.wait_for_standby("standby")
    is_synchronous = "SELECT sync_state FROM pg_stat_replication"
    wait_for(lambda: ask(primary, is_synchronous) == [("sync",)], "the standby is synchronous")

    with playing(players):
        let_play(players, 5)
        primary.stop("immediate")
        until_turned_away(players)
        standby.promote()
        standby.wait_for_standby("")
        proxy.fail_over(standby.port)
        let_play(players, 3)
        server.clock.run_from(MIDNIGHT + timedelta(seconds=1))
        wait_for(lambda: has_winner(server, FIRST_DAY), "a winner", SOON)

    assert not [line for line in complaints(server) if "paused" in line]
    engine = create_engine(standby.url("lottery"))
    with Session(engine) as session:
        check(server, players, session)
    engine.dispose()


def test_without_the_standby_nobody_gets_a_receipt_nor_waits_longer_than_ten_seconds(
    primary: Server, proxy: Proxy, server: Gunicorn, players: list[Player]
) -> None:
    """PostgreSQL itself would let them wait until the standby is back."""
    forms = [(player, player.form()) for player in players[:2]]
    primary.lose_standby()
    for player, form in forms:  # the second waits for the lock that the first one's commit holds
        began = time.monotonic()
        assert player.try_once(form, 1) is None
        assert time.monotonic() - began < 10
    primary.wait_for_standby("")
    for player, form in forms:
        player.receipts.append(player.submit(form, 1))

    assert any(
        f"not confirmed within {COMMIT_TIMEOUT} seconds" in line for line in complaints(server)
    )
    engine = create_engine(primary.url("lottery"))
    with Session(engine) as session:
        check(server, players, session)
    engine.dispose()


def test_without_the_standby_commits_do_not_use_up_the_connections_of_postgresql(
    primary: Server, server: Gunicorn, players: list[Player]
) -> None:
    """Each that is given up stays there until the standby is back, so that only few may be tried.

    A worker finds out by one that is given up, with another that it had begun by then.
    """
    everybody = [*players, *(Player(server, f"other{n}") for n in range(len(players)))]
    forms = [(player, player.form()) for player in everybody]
    primary.lose_standby()

    assert {player.log_out_once(form) for player, form in forms} == {None}

    left = ask(primary, "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    assert 1 <= len(left) <= 2 * len(server.workers()) < len(everybody)
    assert any("earlier commits still wait for a standby" in line for line in complaints(server))
    primary.wait_for_standby("")
    for player, form in forms:
        wait_for(partial(player.log_out_once, form), "commits go on")
