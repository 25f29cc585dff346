"""Fault injection: when faults strike, and what must hold after all of them."""

import os
import random
import re
from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from tests.conftest import FIRST_DAY
from tests.stand_ins.audit import audit
from tests.stand_ins.players import Player, has_winner, let_play, playing, receipts
from tests.stand_ins.processes import PATIENCE, Gunicorn, wait_for

#: how often each fault strikes: `make test` asks for once, `make faults` for more
STRIKES = int(os.environ.get("STRIKES", "1"))
#: receipts that everybody gets before the next strike, at most
LONGEST_PEACE = 20
#: seconds by which the clock moves on at each strike after midnight, at most
LONGEST_LEAP = 15
#: seconds within which a draw is there, even where the ticks of midnight failed
SOON = 2 * PATIENCE
#: how each line of the log begins: what went wrong is told in one, and no traceback follows
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \d+ [A-Z]+ \w")


def suffer(server: Gunicorn, players: Sequence[Player], strike: Callable[[], None]) -> None:
    """Let everybody play while a fault strikes, and see that it all goes on by itself after it.

    The first strike comes shortly before midnight, where the clock stands; the others at random
    moments after it.
    """
    with playing(players):
        for count in range(STRIKES):
            let_play(players, random.randint(1, LONGEST_PEACE))
            strike()
            let_play(players)
            if count == 0:
                pass_midnight(server)
                let_play(players)
            else:
                leap = timedelta(seconds=random.uniform(0, LONGEST_LEAP))
                server.clock.run_from(server.clock.now() + leap)


def pass_midnight(server: Gunicorn) -> None:
    """Let the clock run from where it stands, and wait for the first day's winner."""
    server.clock.run_from(server.clock.now())
    wait_for(lambda: has_winner(server, FIRST_DAY), "a winner", SOON)


def until_turned_away(players: Sequence[Player]) -> None:
    """Wait until everybody has been told to try again."""
    counts = [player.turned_away_count for player in players]
    wait_for(
        lambda: all(
            player.turned_away_count > count for player, count in zip(players, counts, strict=True)
        ),
        "everybody has been turned away",
    )


def check(server: Gunicorn, players: Sequence[Player], session: Session) -> None:
    """Hold the receipts against the database, and the log to a line for each thing."""
    lines = server.log().splitlines()
    strange = [line for line in lines if not LINE.match(line)]
    assert not strange, f"{len(strange)} lines of the log are none of ours, like {strange[0]}"
    with session.begin():
        audit(session, receipts(players))


def complaints(server: Gunicorn) -> list[str]:
    """List what the lottery logged as going wrong."""
    return re.findall(r"(?:ERROR|WARNING) (lottery_system\..+)", server.log())
