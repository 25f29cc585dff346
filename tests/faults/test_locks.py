"""Locks held by others for longer than ballots wait."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy.orm import Session

from lottery_system.models import Draw
from tests.stand_ins.players import Player
from tests.stand_ins.processes import Gunicorn
from tests.stand_ins.strikes import check, complaints, until_turned_away


@contextmanager
def holding_the_day(session: Session, server: Gunicorn) -> Iterator[None]:
    """Hold what a transaction that admits ballots holds: on SQLite the write lock."""
    with session.begin():
        Draw.take_turn(session.connection(), server.clock.now)
        yield


@pytest.mark.parametrize("workers", [1])
def test_who_waits_too_long_for_the_lock_is_turned_away_and_plays_once_it_is_free(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    player = players[0]
    with ThreadPoolExecutor() as pool:
        with holding_the_day(session, server):
            game = pool.submit(player.play)
            until_turned_away([player])
            noted = complaints(server)
        game.result()

    assert len(noted) == 1
    assert noted[0].startswith("lottery_system.ballot_box: ballot box: 1 submissions not admitted:")
    check(server, players, session)
