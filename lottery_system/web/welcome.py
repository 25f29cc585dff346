"""What strangers are told of the lottery: the prizes to be won now, and who won last."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from lottery_system.clock import day_of
from lottery_system.extensions import reading
from lottery_system.models.claim_event import LAPSED
from lottery_system.queries.claims import WAITING, Win, wins
from lottery_system.queries.lottery_page import Offered, open_ones

#: prizes that are shown
PRIZES = 12
#: places among which the latest winner is looked for
PLACES = 10


class Welcome(NamedTuple):
    """What strangers are told."""

    today: date
    #: of open lotteries, those that close first at the top
    prizes: Sequence[Offered]
    #: who has, or may claim, the prize that was drawn last
    winner: Win | None


def load_welcome(now: datetime) -> Welcome:
    """Ask for all that strangers are told, in two statements."""
    with reading() as connection:
        prizes = open_ones(connection, day_of(now), PRIZES)
        latest = wins(connection, limit=PLACES)
    winner = next((each for each in latest if each.state not in (LAPSED, WAITING)), None)
    return Welcome(day_of(now), prizes, winner)
