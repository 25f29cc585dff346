"""Content of the welcome page: prizes of open lotteries, and the latest winner."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from lottery_system.clock import day_of
from lottery_system.extensions import reading
from lottery_system.models.claim_event import LAPSED
from lottery_system.queries.claims import WAITING, Win, wins
from lottery_system.queries.lottery_page import Offered, open_ones

#: most prizes shown
PRIZES = 12
#: latest places that are searched for a winner
PLACES = 10


class Welcome(NamedTuple):
    """The content of the welcome page."""

    today: date
    #: of open lotteries, those that close first at the top
    prizes: Sequence[Offered]
    #: the latest place that holds its prize or can claim it
    winner: Win | None


def load_welcome(now: datetime) -> Welcome:
    """Query the content of the welcome page, in two statements."""
    with reading() as connection:
        prizes = open_ones(connection, day_of(now), PRIZES)
        latest = wins(connection, limit=PLACES)
    winner = next((each for each in latest if each.state not in (LAPSED, WAITING)), None)
    return Welcome(day_of(now), prizes, winner)
