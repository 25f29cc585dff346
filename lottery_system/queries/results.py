"""Query of a user's results since the last visit: days played, and places that ballots took."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select, true

from lottery_system.models import LOST, Ballot, Draw, Holding, Winner
from lottery_system.models.base import table_of
from lottery_system.queries import LIMIT
from lottery_system.queries.claims import OUTCOME, with_claims
from lottery_system.queries.offers import LOTTERY_NAME, PRIZE, with_offers

#: places that a page names; further ones are under My ballots
SHOWN = 5


class MyPlace(NamedTuple):
    """A place that a ballot of the user took."""

    day: date
    place: int
    number: int
    #: as they stood at the close
    lottery_name: str
    prize: str
    #: see `claims.OUTCOME`
    state: str | None

    @property
    def has_won(self) -> bool:
        """Tell whether the prize is, or was, this place's."""
        return self.place == 1 or self.state is not None


class Results(NamedTuple):
    """Summary of the drawn days on which a user played and that they have not seen yet."""

    day_count: int
    latest: date
    #: winning ones first, then newest first
    places: Sequence[MyPlace]


def results_of(connection: Connection, user_id: int, *, after: date, until: date) -> Results | None:
    """Summarise the drawn days in a range (`after` < day <= `until`); None if none was played."""
    parameters = {"user_id": user_id, "after": after, "until": until, "limit": SHOWN}
    rows = connection.execute(_RESULTS, parameters).all()
    if not rows[0].day_count:
        return None
    places = [MyPlace._make(row[2:]) for row in rows if row.place is not None]
    return Results(rows[0].day_count, rows[0].latest, places)


_draw, _holding, _winner, _ballot = (table_of(model).c for model in (Draw, Holding, Winner, Ballot))

_total = (
    select(
        func.count(_holding.day.distinct()).label("day_count"),
        func.max(_holding.day).label("latest"),
    )
    .where(
        _holding.user_id == bindparam("user_id"),
        _holding.day > bindparam("after"),
        _holding.day <= bindparam("until"),
        # the outcome of a day whose records were lost is unknown
        ~select(_draw.day).where(_draw.day == _holding.day, _draw.status == LOST).exists(),
    )
    .subquery()
)
#: a subquery by primary key; with a join, a database may read all ballots instead
_holder = (
    select(_ballot.user_id)
    .where(_ballot.day == _winner.day, _ballot.number == _winner.number)
    .scalar_subquery()
)
_taken = (
    select(_winner.day, _winner.place, _winner.number)
    .where(
        _winner.day > bindparam("after"),
        _winner.day <= bindparam("until"),
        _holder == bindparam("user_id"),
    )
    .order_by(_winner.place > 1, _winner.day.desc(), _winner.place)
    .limit(LIMIT)
    .subquery()
)
_places = (
    select(_taken.c.day, _taken.c.place, _taken.c.number, LOTTERY_NAME, PRIZE, OUTCOME)
    .select_from(
        with_claims(
            with_offers(
                _taken.outerjoin(
                    table_of(Ballot),
                    (_ballot.day == _taken.c.day) & (_ballot.number == _taken.c.number),
                ),
                _taken.c.day,
                _ballot.lottery_id,
            ),
            _taken.c.day,
            _taken.c.place,
        )
    )
    .subquery()
)
#: the totals with each place, or one row without a place
_RESULTS = (
    select(_total, _places)
    .select_from(_total.outerjoin(_places, true()))
    .order_by(_places.c.place > 1, _places.c.day.desc(), _places.c.place)
)
