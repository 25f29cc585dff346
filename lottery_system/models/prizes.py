"""Prize limits: how often a lottery's prize was won, and how often it may still be won.

A ballot is accepted only if fewer prizes are won, or may be won before its draw, than there are
(`winnable`). A draw never makes the sum larger: its day counts as pending before, and as won or not
after. So a transaction that reads both at one instant, under the lock of the ballot's day, can rely
on them until it ends.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    CursorResult,
    Date,
    Select,
    String,
    bindparam,
    column,
    func,
    literal,
    select,
    table,
    update,
)

from lottery_system.clock import ONE_DAY, closes_at, day_of
from lottery_system.models.ballot import Ballot
from lottery_system.models.base import table_of
from lottery_system.models.claim_event import LAPSED, OFFERED, ClaimEvent
from lottery_system.models.holding import Holding
from lottery_system.models.lottery import Lottery
from lottery_system.models.winner import Winner


class Standing(NamedTuple):
    """Counts of a lottery's prizes, won and pending, before a day."""

    #: places that hold its prize: offered and not lapsed
    won: int
    #: earlier days whose draws may still win it: not drawn, and open or with ballots in it
    undrawn: int
    #: the first of them
    first_undrawn: date | None
    #: reserves that wait until it is known whether a prize is left for them
    waiting: int
    #: whether the day itself has ballots in it
    has_ballots: bool

    @property
    def pending(self) -> int:
        """Return how often the prize may still be won before the day's own draw."""
        return self.undrawn + self.waiting

    def is_undecided(self, winnable: int) -> bool:
        """Tell whether earlier draws may win all that is left, so that no ballot is accepted."""
        return self.won + self.pending >= winnable

    def decided_at(self, now: datetime, gap: timedelta) -> datetime | None:
        """Return about when the next draw takes place; None if none is pending.

        Args:
            gap: from a day's closing to its draw.
        """
        if self.first_undrawn is None:
            return None
        # a minute for the draw itself, also if it is late
        return max(closes_at(self.first_undrawn) + gap, now) + timedelta(minutes=1)

    @property
    def bound(self) -> int:
        """Return how many prizes are won, or may be won by ballots that are accepted already."""
        return self.won + self.pending + self.has_ballots


class Waiting(NamedTuple):
    """A reserve whose turn it is, but who has not been offered the prize yet."""

    day: date
    place: int
    lottery_id: int


def standings(
    connection: Connection, lottery_ids: Collection[int], day: date
) -> dict[int, Standing]:
    """Return the counts of lotteries before a day, all as of one instant."""
    rows = connection.execute(_STANDING, {"ids": list(lottery_ids), "day": day})
    return {
        row.id: Standing(
            row.won, row.undrawn, row.first_undrawn, row.waiting, bool(row.has_ballots)
        )
        for row in rows
    }


def latest_standing(connection: Connection, lottery_id: int) -> Standing:
    """Return the counts of a lottery before the latest open day.

    Call it under `Draw.hold_all`: otherwise the counts may change at once.
    """
    latest = connection.scalar(_LATEST_OPEN)
    return standings(connection, [lottery_id], latest or date.max)[lottery_id]


def waiting_places(connection: Connection) -> list[Waiting]:
    """List the reserves whose turn it is and who wait, oldest draws first."""
    return [Waiting(*row) for row in connection.execute(_WAITING_PLACES)]


def finish_won(connection: Connection, lottery_id: int, now: datetime) -> bool:
    """Close a lottery if all its prizes are won; tell whether this call did it.

    Call it in the transaction that offers a prize.
    """
    last_day, lottery = day_of(now) - ONE_DAY, table_of(Lottery)
    finished = connection.execute(
        update(lottery)
        .where(
            lottery.c.id == lottery_id,
            lottery.c.winnable <= _won(lottery_id),
            lottery.c.closes_on > last_day,
        )
        .values(closes_on=last_day, changed_at=now, changed_by=None)
    )
    assert isinstance(finished, CursorResult)
    return finished.rowcount == 1


def _won(lottery_id: Any) -> Any:
    event = table_of(ClaimEvent).c

    def count(kind: str) -> Any:
        return (
            select(func.count())
            .select_from(table_of(ClaimEvent))
            .where(event.kind == kind, event.lottery_id == lottery_id)
            .scalar_subquery()
        )

    return count(OFFERED) - count(LAPSED)


def _standing() -> Select[Any]:
    lottery, holding = table_of(Lottery).c, table_of(Holding).c
    day = bindparam("day", type_=Date)
    draws = _draws
    # days that are not drawn all come after those that are
    newest = draws.alias("newest").c
    latest_drawn = (
        select(newest.day)
        .where(newest.status == "drawn")
        .order_by(newest.day.desc())
        .limit(1)
        .scalar_subquery()
    )
    has_ballots = (
        select(holding.day)
        .where(holding.day == draws.c.day, holding.lottery_id == lottery.id)
        .correlate(draws, table_of(Lottery))
        .exists()
    )
    undrawn = (
        draws.c.day > func.coalesce(latest_drawn, literal(date.min, Date)),
        draws.c.day < day,
        (draws.c.status == "open") | ((draws.c.status == "closed") & has_ballots),
    )

    def of_undrawn(value: Any) -> Any:
        return (
            select(value)
            .select_from(draws)
            .where(*undrawn)
            .correlate(table_of(Lottery))
            .scalar_subquery()
        )

    waiting = _WAITING_PLACES.subquery()
    return select(
        lottery.id,
        _won(lottery.id).label("won"),
        of_undrawn(func.count()).label("undrawn"),
        of_undrawn(func.min(draws.c.day)).label("first_undrawn"),
        select(func.count())
        .select_from(waiting)
        .where(waiting.c.lottery_id == lottery.id)
        .scalar_subquery()
        .label("waiting"),
        select(holding.day)
        .where(holding.day == day, holding.lottery_id == lottery.id)
        .correlate(table_of(Lottery))
        .exists()
        .label("has_ballots"),
    ).where(lottery.id.in_(bindparam("ids", expanding=True)))


def _waiting_places() -> Select[Any]:
    lapsed, offered = table_of(ClaimEvent).alias("lapsed"), table_of(ClaimEvent).alias("offered")
    winner, ballot = table_of(Winner).c, table_of(Ballot).c
    return (
        select(winner.day, winner.place, ballot.lottery_id)
        .select_from(
            lapsed.join(
                table_of(Winner),
                (winner.day == lapsed.c.day) & (winner.place == lapsed.c.place + 1),
            ).join(table_of(Ballot), (ballot.day == winner.day) & (ballot.number == winner.number))
        )
        .where(
            lapsed.c.kind == LAPSED,
            ~select(offered.c.day)
            .where(
                offered.c.day == winner.day,
                offered.c.place == winner.place,
                offered.c.kind == OFFERED,
            )
            .correlate(table_of(Winner))
            .exists(),
        )
        .order_by(winner.day, winner.place)
    )


#: `models.draw` imports this module, so the table is declared here
_draws = table("draws", column("day", Date), column("status", String))

_LATEST_OPEN = select(func.max(_draws.c.day)).where(_draws.c.status == "open")
_WAITING_PLACES = _waiting_places()
_STANDING = _standing()
