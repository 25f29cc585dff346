"""Clocks that are set over midnight and back, and hosts whose clocks differ."""

import random
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.keys import CHAIN_TIP, LOG_KEY
from lottery_system.models import Draw
from tests.conftest import FIRST_DAY
from tests.faults.conftest import LATE, MIDNIGHT
from tests.faults.strikes import SOON, STRIKES, check
from tests.players import Player, drawn, has_winner, let_play, playing
from tests.processes import Gunicorn, wait_for

NEXT_DAY = FIRST_DAY + ONE_DAY


def draw_of_first_day(session: Session) -> tuple[object, ...]:
    with session.begin():
        draw = session.get_one(Draw, FIRST_DAY, populate_existing=True)
        return draw.status, draw.ballot_count, draw.seed, draw.closed_at, draw.drawn_at


def test_a_clock_set_over_midnight_and_back_leaves_a_closed_day_closed(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    with playing(players):
        let_play(players)
        server.clock.run_from(MIDNIGHT + timedelta(seconds=1))
        wait_for(lambda: has_winner(server, FIRST_DAY) and drawn(server), "a winner", SOON)
        ended = draw_of_first_day(session)
        for _ in range(STRIKES):
            back = timedelta(seconds=random.uniform(0, 3600))
            server.clock.run_from(LATE - back)
            let_play(players, 2)
            before = [player.receipts[-1] for player in players]
            server.clock.run_from(MIDNIGHT + back)
            let_play(players, 2)

    assert {text.split()[3] for text in before} == {str(NEXT_DAY)}
    assert draw_of_first_day(session) == ended
    assert drawn(server) == [str(FIRST_DAY)]
    assert not any(player.unanswered_count + player.turned_away_count for player in players)
    check(server, players, session)


@pytest.fixture
def host_ahead(server: Gunicorn, database_url: str, tmp_path: Path) -> Iterator[Gunicorn]:
    """Serve the same lottery from a second host, which takes part in midnight some seconds early.

    Hosts share the database, the key that signs cookies and those of the logs, and nothing else.
    """
    storage = tmp_path / "host ahead"
    storage.mkdir()
    for name in ("secret_key", LOG_KEY, CHAIN_TIP):
        shutil.copy(tmp_path / name, storage)
    host = Gunicorn(database_url, storage, at=LATE)
    host.clock.stand_at(LATE)
    with host:
        yield host


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("seconds", [0.5, 4])
def test_two_hosts_whose_clocks_differ_make_one_draw_and_lose_nothing(
    server: Gunicorn,
    host_ahead: Gunicorn,
    players: list[Player],
    session: Session,
    seconds: float,
) -> None:
    hosts = server, host_ahead
    with playing(players):
        let_play(players)
        host_ahead.clock.run_from(LATE + timedelta(seconds=seconds))
        server.clock.run_from(LATE)
        while not has_winner(server, FIRST_DAY):
            assert server.clock.now() < MIDNIGHT + timedelta(seconds=SOON)
            random.choice(players).server = random.choice(hosts)
            let_play(players)
        for player in players:
            player.server = random.choice(hosts)
        let_play(players)

    wait_for(lambda: drawn(server) + drawn(host_ahead), "the line that says who drew")
    assert drawn(server) + drawn(host_ahead) == [str(FIRST_DAY)]
    assert not any(player.unanswered_count + player.turned_away_count for player in players)
    check(server, players, session)
    check(host_ahead, players, session)
