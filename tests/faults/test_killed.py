"""`kill -9` of single workers and of the whole server, also at midnight."""

import os
import random
from datetime import timedelta
from signal import SIGKILL

from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from tests.conftest import FIRST_DAY
from tests.faults.conftest import MIDNIGHT
from tests.stand_ins.players import Player, drawn, has_winner, let_play, playing
from tests.stand_ins.processes import Gunicorn, wait_for
from tests.stand_ins.strikes import STRIKES, check, suffer

#: seconds after midnight within which the server is killed: while the day is being ended
AROUND_MIDNIGHT = 0.2


def test_what_is_acknowledged_is_stored_when_workers_are_killed(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    def kill_until_somebody_notices() -> None:
        unanswered_count = sum(player.unanswered_count for player in players)

        def kill_one() -> bool:
            os.kill(random.choice(server.workers()), SIGKILL)
            let_play(players)
            return sum(player.unanswered_count for player in players) > unanswered_count

        wait_for(kill_one, "a kill that leaves a player without an answer")

    suffer(server, players, kill_until_somebody_notices)

    check(server, players, session)


def test_a_form_sent_again_after_its_worker_was_killed_gives_the_same_receipt(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    player = players[0]
    form = player.form()
    player.receipts = [player.submit(form, 10)]

    for worker in server.workers():
        os.kill(worker, SIGKILL)

    assert player.submit(form, 10) == player.receipts[0]
    check(server, players, session)


def test_what_is_acknowledged_is_stored_when_the_whole_server_is_killed(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    def kill_and_start() -> None:
        server.kill()
        server.start()

    suffer(server, players, kill_and_start)

    assert any(player.unanswered_count for player in players)
    check(server, players, session)


def test_a_server_killed_right_at_midnight_makes_one_draw_of_each_day(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    with playing(players):
        for midnight in (MIDNIGHT + count * ONE_DAY for count in range(STRIKES)):
            let_play(players)
            struck_at = midnight + timedelta(seconds=random.uniform(0, AROUND_MIDNIGHT))
            server.clock.run_from(midnight - timedelta(seconds=1))
            wait_for(lambda: server.clock.now() > struck_at, "midnight", pause=0.001)  # noqa: B023
            server.kill()
            server.clock.stand_at(midnight + ONE_DAY - timedelta(seconds=2))
            server.start()
        let_play(players)

    assert has_winner(server, FIRST_DAY + (STRIKES - 1) * ONE_DAY)
    assert len(set(drawn(server))) == len(drawn(server))
    check(server, players, session)
