"""A served lottery whose PostgreSQL allows few connections, or that reaches it by pgbouncer."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from lottery_system.clock import closes_at
from tests.bench.load import load
from tests.conftest import FIRST_DAY
from tests.stand_ins.pgbouncer import NoPgbouncer, pgbouncer
from tests.stand_ins.players import Player, drawn, let_play, open_lottery, playing
from tests.stand_ins.processes import Gunicorn, wait_for

LATE = closes_at(FIRST_DAY) - timedelta(seconds=2)
#: hosts that share the 200 connections of the tests' server: the least are left for each worker
HOSTS = "19"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_crowd_waits_for_few_connections_and_nobody_is_turned_away(
    database_url: str, tmp_path: Path
) -> None:
    """Short for 240 readers and 8 workers, with the connections that PostgreSQL has by default."""
    with Gunicorn(database_url, tmp_path, LOTTERY_HOSTS=HOSTS) as server:
        player = Player(server, "bob")
        cookies = f"Cookie: {player._headers()['Cookie']}\r\n"
        pages = [
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{cookie}\r\n".encode()
            for path in ("/", "/winners", "/winners/2026-11-19", "/ballots", "/account", "/welcome")
            for cookie in (cookies, "")
        ]
        asked = 0

        def page() -> bytes:
            nonlocal asked
            asked += 1
            return pages[asked % len(pages)]

        measured = load(server.port, page, seconds=3, connections=30)

    assert set(measured.statuses) <= {200, 302, 303, 404}, measured.statuses


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_too_many_workers_do_not_start(database_url: str, tmp_path: Path) -> None:
    server = Gunicorn(database_url, tmp_path, LOTTERY_HOSTS="20")

    with pytest.raises(AssertionError, match="gunicorn ended"):
        server.start()

    assert "or 4 for each of 1 workers on each of 20 hosts" in server.log()


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none", "sqlite:////nowhere/db"])
def test_a_start_is_not_refused_while_nobody_knows_how_many_connections_there_are(
    url: str, tmp_path: Path
) -> None:
    server = Gunicorn(url, tmp_path, LOTTERY_HOSTS="20")

    server.start("/healthz")
    server.kill()

    assert ("connections: assuming 5 for each worker" in server.log()) == url.startswith("postgres")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_people_play_and_days_are_drawn_behind_pgbouncer(
    database_url: str, tmp_path: Path, session: Session
) -> None:
    open_lottery(session)
    try:
        with pgbouncer(database_url, default_pool_size="4") as url:
            server = Gunicorn(url, tmp_path, workers=2, at=LATE)
            server.clock.stand_at(LATE)
            with server:
                players = [Player(server, f"player{number}") for number in range(3)]
                with playing(players):
                    let_play(players)
                    server.clock.run_from(LATE)
                    wait_for(lambda: drawn(server), "the day is drawn")
                    let_play(players)
    except NoPgbouncer as error:
        pytest.skip(str(error))
    assert drawn(server) == ["2026-11-19"]
    assert all(player.turned_away_count == 0 for player in players)
    assert "ERROR" not in server.log()
