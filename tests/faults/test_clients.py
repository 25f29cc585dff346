"""Clients that disconnect before the answer, and send the same form again."""

import random

from sqlalchemy.orm import Session

from tests.stand_ins.players import Player, let_play, playing
from tests.stand_ins.processes import Gunicorn
from tests.stand_ins.strikes import STRIKES, check

MOST_TIMES = 5


def test_who_hangs_up_and_sends_the_same_form_again_is_counted_once(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    hasty, *others = players
    with playing(others):
        for _ in range(STRIKES):
            form = hasty.form()
            for _ in range(random.randint(1, MOST_TIMES)):
                hasty.hang_up(form, 7)
            receipt = hasty.submit(form, 7)
            hasty.hang_up(form, 7)
            assert hasty.submit(form, 7) == receipt
            hasty.receipts.append(receipt)
        let_play(others)

    check(server, players, session)


def test_half_a_form_counts_nothing_and_fails_nothing(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    hasty, *others = players
    with playing(others):
        for _ in range(STRIKES * MOST_TIMES):
            hasty.hang_up(hasty.form(), 7, part=random.uniform(0, 0.99))
        let_play(others)
        hasty.play()

    assert not any(player.unanswered_count for player in players)
    check(server, players, session)
