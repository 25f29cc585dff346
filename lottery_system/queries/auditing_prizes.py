"""Queries of the audit for prizes: events of claims with the ballots that won them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, ScalarSelect, bindparam, func, select, tuple_

from lottery_system.models import DRAWN, Ballot, ClaimEvent, Draw, Winner
from lottery_system.models.base import table_of
from lottery_system.models.claim_event import OFFERED
from lottery_system.queries import at_most

#: events that are read together
STEP = 4096


class AuditedEvent(NamedTuple):
    """An event of a prize, and what is stored of its place and day; None if it is missing."""

    day: date
    place: int
    kind: str
    lottery_id: int
    holder_id: int
    at: datetime
    done_by: int | None
    claim_until: date | None
    reason: str | None
    handed_on: date | None
    note: str | None
    #: number, lottery and owner of the ballot that took the place
    number: int | None
    ballot_lottery: int | None
    ballot_user: int | None
    #: of the day's draw
    status: str | None


def events_after(
    connection: Connection, day: date, place: int, kind: str, last: date
) -> Sequence[AuditedEvent]:
    """List events behind one of them, up to a day, by day, place and kind."""
    parameters = {"day": day, "place": place, "kind": kind, "last": last}
    return [AuditedEvent._make(row) for row in connection.execute(_EVENTS, parameters)]


def not_offered(connection: Connection, first: date, last: date) -> Sequence[tuple[date, date]]:
    """List drawn days of some with a winner, but no offer, and the first day that has one.

    Days before that one had their draws before claims were kept, and are left out.
    """
    parameters = {"first": first, "last": last}
    return [(row.day, row.since) for row in connection.execute(_NOT_OFFERED, parameters)]


_event, _winner, _ballot, _draw = (
    table_of(model).c for model in (ClaimEvent, Winner, Ballot, Draw)
)


def _of_ballot(column: Any) -> ScalarSelect[Any]:
    """Select a column of the ballot in a place, by primary key: a join may read all ballots."""
    return (
        select(column)
        .where(_ballot.day == _winner.day, _ballot.number == _winner.number)
        .correlate(table_of(Winner))
        .scalar_subquery()
    )


_is_winner = (_winner.day == _event.day) & (_winner.place == _event.place)
_EVENTS = (
    select(
        *(_event[name] for name in AuditedEvent._fields[:11]),
        _winner.number,
        _of_ballot(_ballot.lottery_id),
        _of_ballot(_ballot.user_id),
        select(_draw.status).where(_draw.day == _event.day).scalar_subquery(),
    )
    .select_from(table_of(ClaimEvent).outerjoin(table_of(Winner), _is_winner))
    .where(
        _event.day <= bindparam("last"),
        tuple_(_event.day, _event.place, _event.kind)
        > tuple_(bindparam("day", type_=_event.day.type), bindparam("place"), bindparam("kind")),
    )
    .order_by(_event.day, _event.place, _event.kind)
    .limit(at_most(STEP))
)
_first_offer = table_of(ClaimEvent).alias("first_offer")
_since = (
    select(func.min(_first_offer.c.day))
    .where(_first_offer.c.place == 1, _first_offer.c.kind == OFFERED)
    .scalar_subquery()
)
_NOT_OFFERED = (
    select(_draw.day, _since.label("since"))
    .where(
        _draw.status == DRAWN,
        _draw.day.between(bindparam("first"), bindparam("last")),
        _draw.day > _since,
        select(_winner.day).where(_winner.day == _draw.day, _winner.place == 1).exists(),
        ~select(_event.day)
        .where(_event.day == _draw.day, _event.place == 1, _event.kind == OFFERED)
        .exists(),
    )
    .order_by(_draw.day)
)
