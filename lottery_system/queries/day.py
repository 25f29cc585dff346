"""Query of one day: its draw's status, and the winners."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from lottery_system.models import DRAWN, Ballot, Draw, DrawStatus, Holding, Recovery, User, Winner
from lottery_system.models.base import table_of
from lottery_system.queries.claims import CLAIM, with_turns
from lottery_system.queries.offers import LOTTERY_NAME, PRIZE, with_offers


class DrawOfDay(NamedTuple):
    """A day's draw, and what is asked for along with it."""

    day: date
    status: DrawStatus
    ballot_count: int
    frontier: bytes
    seed: bytes | None
    beacon_signature: bytes | None
    closed_at: datetime | None
    drawn_at: datetime | None
    #: the day on which the days begin
    first: date
    #: how many of the day's ballots are the asker's
    mine: int
    #: the timeline of the present journal, where a recovery began it; None where none was
    recovered: int | None

    def __repr__(self) -> str:
        """Name the day, and nothing that decides its draw."""
        return f"DrawOfDay({self.day}, {self.status})"


class PlaceTaken(NamedTuple):
    """A place of a draw and the ballot that took it."""

    place: int
    number: int
    submitted_at: datetime
    user_id: int
    username: str
    is_organiser: bool
    lottery_id: int
    #: as they stood at the close
    lottery_name: str
    prize: str
    #: state of the prize, see `claims.Win`
    state: str | None = None
    claim_until: date | None = None
    reason: str | None = None
    handed_on: date | None = None
    note: str | None = None


class Day(NamedTuple):
    """A day's draw and its winners."""

    #: None where the day has none yet
    draw: DrawOfDay | None
    #: by place
    winners: Sequence[PlaceTaken]


def look_up(connection: Connection, day: date, user_id: int | None) -> Day:
    """Query everything about a day, in one statement."""
    rows = connection.execute(_DAY, {"day": day, "asker_id": user_id}).all()
    width = len(DrawOfDay._fields)
    draw = DrawOfDay._make(rows[0][:width]) if rows else None
    return Day(draw, [PlaceTaken._make(row[width:]) for row in rows if row.place is not None])


def first_day(connection: Connection) -> date | None:
    """Return the day on which this lottery's days begin."""
    day: date | None = connection.scalar(_FIRST_DAY)
    return day


_draw, _holding, _winner, _ballot, _user = (
    table_of(model).c for model in (Draw, Holding, Winner, Ballot, User)
)

_FIRST_DAY = select(func.min(_draw.day))
LATEST_DRAWN = select(_draw.day).where(_draw.status == DRAWN).order_by(_draw.day.desc()).limit(1)

#: the timeline of the present journal, where a recovery began it
_RECOVERED = select(func.max(table_of(Recovery).c.timeline)).scalar_subquery()
_mine = select(func.coalesce(func.sum(_holding.ballot_count), 0)).where(
    _holding.user_id == bindparam("asker_id"), _holding.day == bindparam("day")
)
#: each draw with its winners by place, their ballots, users and what these could win; without,
#: with none
DRAWS_WITH_WINNERS = with_offers(
    table_of(Draw)
    .outerjoin(table_of(Winner), _winner.day == _draw.day)
    .outerjoin(table_of(Ballot), (_ballot.day == _winner.day) & (_ballot.number == _winner.number))
    .outerjoin(table_of(User), _user.id == _ballot.user_id),
    _ballot.day,
    _ballot.lottery_id,
)
_DAY = (
    select(
        _draw.day,
        _draw.status,
        _draw.ballot_count,
        _draw.frontier,
        _draw.seed,
        _draw.beacon_signature,
        _draw.closed_at,
        _draw.drawn_at,
        _FIRST_DAY.scalar_subquery().label("first"),
        _mine.scalar_subquery().label("mine"),
        _RECOVERED.label("recovered"),
        _winner.place,
        _winner.number,
        _ballot.submitted_at,
        _user.id.label("user_id"),
        _user.username,
        _user.is_organiser,
        _ballot.lottery_id,
        LOTTERY_NAME,
        PRIZE,
        *CLAIM,
    )
    .select_from(with_turns(DRAWS_WITH_WINNERS))
    .where(_draw.day == bindparam("day"))
    .order_by(_winner.place)
)
