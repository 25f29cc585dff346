"""Midnight with four gunicorn workers, forms over HTTP and a moved clock."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY, closes_at, starts_at
from tests.conftest import FIRST_DAY
from tests.stand_ins.audit import audit
from tests.stand_ins.players import (
    Player,
    drawn,
    has_winner,
    let_play,
    open_lottery,
    playing,
    receipts,
)
from tests.stand_ins.processes import Gunicorn, wait_for

MIDNIGHT = closes_at(FIRST_DAY)
LATE = MIDNIGHT - timedelta(seconds=2)
#: seconds within which a draw is there without waiting for a second tick
AT_ONCE = 20
WORKERS = 4
PLAYERS = 6


@pytest.fixture
def lottery(session: Session) -> None:
    open_lottery(session)


@pytest.fixture
def server(database_url: str, tmp_path: Path, lottery: None) -> Iterator[Gunicorn]:
    """Serve by a clock that stands still, shortly before midnight, until a test lets it run."""
    server = Gunicorn(database_url, tmp_path, workers=WORKERS, at=LATE)
    server.clock.stand_at(LATE)
    with server:
        yield server


@pytest.fixture
def players(server: Gunicorn) -> list[Player]:
    return [Player(server, f"player{n}") for n in range(PLAYERS)]


def check(server: Gunicorn, players: Sequence[Player], session: Session) -> None:
    """Hold the receipts against the database, and see that nothing had to be tried again."""
    assert "ERROR lottery_system" not in server.log()
    with session.begin():
        audit(session, receipts(players))


def test_at_midnight_one_of_four_workers_draws_while_ballots_pour_in(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    with playing(players):
        let_play(players)
        server.clock.run_from(LATE)
        wait_for(lambda: has_winner(server, FIRST_DAY) and drawn(server), "a winner", AT_ONCE)

    assert len(server.workers()) == WORKERS
    assert drawn(server) == [str(FIRST_DAY)]
    days = set().union(*(player.days() for player in players))
    assert days == {str(FIRST_DAY), str(FIRST_DAY + ONE_DAY)}
    check(server, players, session)


@pytest.mark.parametrize("midnights", [1, 3])
def test_what_was_missed_while_down_is_drawn_at_start(
    server: Gunicorn, players: list[Player], session: Session, midnights: int
) -> None:
    players[0].play()
    # gunicorn measures its patience by the wall clock: one that stands would never end it
    server.clock.run_from(LATE - timedelta(hours=1))
    assert server.stop() == 0
    today = FIRST_DAY + midnights * ONE_DAY
    server.clock.run_from(starts_at(today) + timedelta(hours=9))

    server.start()
    wait_for(lambda: has_winner(server, FIRST_DAY) and drawn(server), "a winner", AT_ONCE)
    players[0].play()

    # each once; two workers may note in another order what the database let them do in turn
    assert sorted(drawn(server)) == [str(FIRST_DAY + n * ONE_DAY) for n in range(midnights)]
    assert players[0].days() == {str(FIRST_DAY), str(today)}
    check(server, players, session)


def test_a_server_that_hangs_over_midnight_draws_when_it_goes_on(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    players[0].play()
    server.signal(SIGSTOP)
    server.clock.run_from(LATE)
    wait_for(lambda: server.clock.now() > MIDNIGHT + timedelta(seconds=3), "past midnight")

    server.signal(SIGCONT)
    wait_for(lambda: has_winner(server, FIRST_DAY) and drawn(server), "a winner", AT_ONCE)

    assert drawn(server) == [str(FIRST_DAY)]
    check(server, players, session)


def test_what_is_acknowledged_is_stored_when_the_server_is_told_to_stop(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    with playing(players):
        let_play(players)
        server.clock.run_from(LATE)  # as above
        assert server.stop() == 0
        server.start()
    # midnight comes in this very moment: a day that is over must be drawn before it is looked at
    wait_for(lambda: has_winner(server, FIRST_DAY), "a winner", AT_ONCE)

    check(server, players, session)
