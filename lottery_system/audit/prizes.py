"""Audit of prizes: events of claims against winners, ballots, and each other."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby, pairwise

from sqlalchemy import Connection

from lottery_system.audit.heads import Fault
from lottery_system.clock import day_of
from lottery_system.models import DRAWN
from lottery_system.models.claim_event import CLAIMED, HANDED_OVER, LAPSED, OFFERED
from lottery_system.queries.auditing_prizes import AuditedEvent, events_after, not_offered

#: in the order in which they happen; a prize ends once, by one of the last two
KINDS = (OFFERED, CLAIMED, HANDED_OVER, LAPSED)
#: what each kind says of the prize of a place
_SAYS = {
    OFFERED: "was offered",
    CLAIMED: "was claimed",
    HANDED_OVER: "was handed over",
    LAPSED: "has lapsed",
}
#: what needs which event before it
_NEEDS = ((CLAIMED, OFFERED), (HANDED_OVER, CLAIMED), (LAPSED, OFFERED))

Events = Mapping[str, AuditedEvent]


def check_prizes(
    connection: Connection, first: date | None = None, last: date | None = None
) -> Iterator[Fault]:
    """Check what became of the prizes of some days, in bounded memory.

    The events must be those that the triggers of migration 0009 allow.

    Args:
        connection: all its statements see the same state.
        first: the first day to be checked; None for all.
        last: the last day to be checked.
    """
    first, last = first or date.min, last or date.max
    try:
        for day, events in groupby(_events(connection, first, last), lambda event: event.day):
            yield from _day(day, events)
        for day, since in not_offered(connection, first, last):
            yield f"{day}: nobody was offered its prize, and that of {since} was offered"
    except (TypeError, ValueError) as error:
        yield f"the events of prizes cannot be read ({error})"


def _events(connection: Connection, first: date, last: date) -> Iterator[AuditedEvent]:
    """Yield the events of days by day, place and kind; each piece is read by the primary key."""
    key: tuple[date, int, str] = (first, 0, "")
    while piece := events_after(connection, *key, last):
        yield from piece
        key = (piece[-1].day, piece[-1].place, piece[-1].kind)


def _day(day: date, events: Iterator[AuditedEvent]) -> Iterator[Fault]:
    """Check the events of a day, sorted by place."""
    places: dict[int, Events] = {
        place: {event.kind: event for event in of_place}
        for place, of_place in groupby(events, lambda event: event.place)
    }
    for place, of_place in places.items():
        yield from (f"{day}: the prize of place {place} {says}" for says in _place(of_place))
        if OFFERED in of_place and place > 1 and LAPSED not in places.get(place - 1, {}):
            yield (
                f"{day}: the prize of place {place} was offered, but that of place {place - 1} "
                f"has not lapsed"
            )
    held = [place for place, each in places.items() if OFFERED in each and LAPSED not in each]
    if len(held) > 1:
        yield f"{day}: places {held[0]} and {held[1]} have the prize at the same time"
    yield from _order(day, places)


def _place(events: Events) -> Iterator[str]:
    """Say what is wrong with the events of one place, after "the prize of place 1"."""
    some = next(iter(events.values()))
    if some.number is None:
        yield f"{_SAYS.get(some.kind, 'has events')}, but nobody took that place"
        return
    if some.status != DRAWN:
        yield f"{_SAYS.get(some.kind, 'has events')}, but the day is {some.status or 'missing'}"
    if any(
        (event.lottery_id, event.holder_id) != (event.ballot_lottery, event.ballot_user)
        for event in events.values()
    ):
        yield f"is not that of ballot {some.number}"
    for kind, before in _NEEDS:
        if kind in events and before not in events:
            yield f"{_SAYS[kind]}, but was never {before}"
    if HANDED_OVER in events and LAPSED in events:
        yield "was handed over, and has lapsed"
    if not all(map(_fits, events.values())):
        yield "has an event with values that do not fit"
    if CLAIMED in events and events[CLAIMED].done_by != some.ballot_user:
        yield "was claimed by someone other than its winner"
    if CLAIMED in events and OFFERED in events:
        until = events[OFFERED].claim_until
        if until is not None and until < day_of(events[CLAIMED].at):
            yield f"was claimed after its last day, {until}"


def _fits(event: AuditedEvent) -> bool:
    """Tell whether an event has the values of its kind, and no others."""
    return event.kind in KINDS and (
        (event.claim_until is None or event.kind == OFFERED)
        and (event.reason is not None) == (event.kind == LAPSED)
        and (event.handed_on is not None) == (event.kind == HANDED_OVER)
        and (event.note is not None) == (event.kind == HANDED_OVER)
    )


def _order(day: date, places: Mapping[int, Events]) -> Iterator[Fault]:
    """Compare the times of a day's events with the order in which they must have happened."""
    in_order: Sequence[AuditedEvent] = [
        places[place][kind] for place in sorted(places) for kind in KINDS if kind in places[place]
    ]
    for before, after in pairwise(in_order):
        if before.at > after.at:
            other = "it" if before.place == after.place else f"that of place {before.place}"
            yield (
                f"{day}: the prize of place {after.place} {_SAYS[after.kind]} before {other} "
                f"{_SAYS[before.kind]}"
            )
