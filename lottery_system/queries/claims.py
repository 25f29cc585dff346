"""Queries of claims: a user's prizes, prizes to hand over, and the public list of wins."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, FromClause, Select, bindparam, case, select

from lottery_system.models import Ballot, ClaimContact, ClaimEvent, Lottery, User, Winner
from lottery_system.models.base import table_of
from lottery_system.models.claim_event import CLAIMED, HANDED_OVER, LAPSED, OFFERED
from lottery_system.queries import LIMIT, AnyRow
from lottery_system.queries.offers import LOTTERY_NAME, PRIZE, with_offers

#: state of a reserve whose turn it is, until it is known whether a prize is left
WAITING = "waiting"
#: rows of an organisers' page
PAGE = 200


class Win(NamedTuple):
    """A place that won its day's prize, or to which it was passed on; public."""

    day: date
    place: int
    number: int
    user_id: int
    username: str
    is_organiser: bool
    lottery_id: int
    #: as they stood at the close
    lottery_name: str
    prize: str
    #: `offered`, `claimed`, `handed_over`, `lapsed` or `waiting`; None before claims were kept
    state: str | None
    #: the last day to claim it; None for no deadline
    claim_until: date | None
    #: why it lapsed; in English and translatable if it lapsed automatically
    reason: str | None
    handed_on: date | None
    note: str | None


def my_open_prizes(connection: Connection, user_id: int) -> Sequence[AnyRow]:
    """List a user's prizes that are neither handed over nor lapsed, oldest draws first.

    Columns: `day`, `place`, `number`, `state` (`offered` or `claimed`), `claim_until`,
    `offered_at`, `claimed_at`, `lottery_id`, `lottery_name` and `prize` when the day closed,
    `claim` (how the lottery's prize is claimed now), and the user's own `message` and `contact`.

    An offered prize may be past its deadline: compare `claim_until`.
    """
    return connection.execute(_MINE, {"user_id": user_id}).all()


def prizes_to_claim(connection: Connection, user_id: int, day: date) -> Sequence[AnyRow]:
    """List a user's prizes that can be claimed on a day, with the columns of `my_open_prizes`."""
    return [
        row
        for row in my_open_prizes(connection, user_id)
        if row.state == OFFERED and (row.claim_until is None or row.claim_until >= day)
    ]


def my_prizes(
    connection: Connection, user_id: int, *, before: date | None, limit: int
) -> Sequence[AnyRow]:
    """List all prizes that a user was offered, newest first, with the columns of `claim_of`."""
    parameters = {"user_id": user_id, "before": before or date.max, "limit": limit}
    return connection.execute(_MY_PRIZES, parameters).all()


def claim_of(connection: Connection, day: date, place: int) -> AnyRow | None:
    """Return the prize of a place for its winner and organisers; None if it was never offered.

    Columns: those of `to_hand_over`, and `handed_over_at`, `handed_on`, `note`, `lapsed_at` and
    `reason`.
    """
    return connection.execute(_CLAIM, {"day": day, "place": place}).one_or_none()


def my_claims_after(
    connection: Connection, user_id: int, day: date, place: int, limit: int
) -> Sequence[AnyRow]:
    """List a user's claims after one of them, oldest first, for the export."""
    parameters = {"user_id": user_id, "day": day, "place": place, "limit": limit}
    return connection.execute(_MY_CLAIMS, parameters).all()


def to_hand_over(connection: Connection, *, limit: int = PAGE, offset: int = 0) -> Sequence[AnyRow]:
    """List the prizes that are offered or claimed and not handed over, claimed ones first.

    Columns: those of `my_open_prizes`, and `user_id`, `username` and `closed_at`, which is None
    while the winner's account is open.
    """
    return connection.execute(_TO_HAND_OVER, {"limit": limit, "offset": offset}).all()


def winners_of(connection: Connection, days: Collection[date]) -> dict[date, AnyRow]:
    """Return who holds each day's prize, or held it last: place 1, or a reserve that moved up.

    Columns: `day`, `place`, `number`, `username`, `is_organiser`, `lottery_name`, `prize`, `state`
    (None before claims were kept), `claim_until`, `handed_on` and `reason`.
    """
    # ordered by place, so the last one that was offered it remains
    return {row.day: row for row in connection.execute(_WINNERS, {"days": days})}


def states_of(connection: Connection, days: Collection[date]) -> dict[date, list[Win]]:
    """Return the states of prizes of some days, by place.

    Days before claims were kept are missing, and so are reserves whose turn never came.
    """
    states: dict[date, list[Win]] = {}
    for row in connection.execute(_STATES, {"days": list(days)}):
        states.setdefault(row.day, []).append(Win._make(row))
    return states


def wins(
    connection: Connection,
    *,
    before: date | None = None,
    lottery_id: int | None = None,
    limit: int,
) -> Sequence[Win]:
    """List who won, newest day first, with the reserves that the prize was passed on to.

    Args:
        before: days before this one.
        lottery_id: only wins of this lottery; None for all.
        limit: of rows; a day may have several.
    """
    query = _WINS if lottery_id is None else _WINS_OF_LOTTERY
    parameters = {"before": before or date.max, "lottery_id": lottery_id, "limit": limit}
    return [Win._make(row) for row in connection.execute(query, parameters)]


def page_of(rows: Sequence[Win], limit: int) -> tuple[Sequence[Win], date | None]:
    """Return the wins of a page, and `before` of the next page; None if this is the last.

    Args:
        rows: of `wins`, with a limit of one more.
        limit: rows of a page; a day that does not fit moves to the next page.
    """
    if len(rows) <= limit:
        return rows, None
    whole = [row for row in rows[:limit] if row.day != rows[limit].day] or rows[:limit]
    return whole, whole[-1].day


_winner, _ballot, _user, _lottery, _contact = (
    table_of(model).c for model in (Winner, Ballot, User, Lottery, ClaimContact)
)
_offered, _claimed, _handed_over, _lapsed = (
    table_of(ClaimEvent).alias(kind) for kind in (OFFERED, CLAIMED, HANDED_OVER, LAPSED)
)
_EVENTS = {OFFERED: _offered, CLAIMED: _claimed, HANDED_OVER: _handed_over, LAPSED: _lapsed}
_before = table_of(ClaimEvent).alias("before")
_states = (
    (_lapsed.c.at.is_not(None), LAPSED),
    (_handed_over.c.at.is_not(None), HANDED_OVER),
    (_claimed.c.at.is_not(None), CLAIMED),
    (_offered.c.at.is_not(None), OFFERED),
)
#: state of a place's prize; None before claims were kept, and for reserves not offered it
OUTCOME = case(*_states).label("state")
#: details of the state: deadline, day of the hand-over, reason of the lapse
OUTCOME_DETAILS = (_offered.c.claim_until, _handed_over.c.handed_on, _lapsed.c.reason)


def with_claims(
    rows: FromClause,
    day: ColumnElement[date],
    place: ColumnElement[int],
    *,
    is_offered: bool = False,
) -> FromClause:
    """Join rows that have a day and a place with the events that `OUTCOME` needs.

    The number of rows stays the same; the joins use primary keys.

    Args:
        is_offered: the rows contain the event `offered` already.
    """
    for kind, event in _EVENTS.items():
        if kind != OFFERED or not is_offered:
            rows = rows.outerjoin(
                event, (event.c.day == day) & (event.c.place == place) & (event.c.kind == kind)
            )
    return rows


def _places(rows: FromClause, *, is_outer: bool = False) -> FromClause:
    """Join winners with their ballots, users and offers."""
    is_ballot = (_ballot.day == _winner.day) & (_ballot.number == _winner.number)
    return with_offers(
        rows.join(table_of(Ballot), is_ballot, isouter=is_outer).join(
            table_of(User), _user.id == _ballot.user_id, isouter=is_outer
        ),
        _winner.day,
        _ballot.lottery_id,
    )


_place_of_offer = (_winner.day == _offered.c.day) & (_winner.place == _offered.c.place)
_with_events = with_claims(
    _places(_offered.join(table_of(Winner), _place_of_offer)),
    _winner.day,
    _winner.place,
    is_offered=True,
).outerjoin(
    table_of(ClaimContact), (_contact.day == _winner.day) & (_contact.place == _winner.place)
)
_STATE = case(*_states, else_=WAITING)


def _claims(*conditions: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            _winner.day,
            _winner.place,
            _winner.number,
            _STATE.label("state"),
            _offered.c.at.label("offered_at"),
            _offered.c.claim_until,
            _claimed.c.at.label("claimed_at"),
            _handed_over.c.at.label("handed_over_at"),
            _handed_over.c.handed_on,
            _handed_over.c.note,
            _lapsed.c.at.label("lapsed_at"),
            _lapsed.c.reason,
            _ballot.lottery_id,
            LOTTERY_NAME,
            PRIZE,
            _lottery.claim,
            _contact.message,
            _contact.contact,
            _user.id.label("user_id"),
            _user.username,
            _user.closed_at,
        )
        .select_from(_with_events)
        .where(_offered.c.kind == OFFERED, *conditions)
    )


_is_open = (_handed_over.c.at.is_(None), _lapsed.c.at.is_(None))
_is_mine = _offered.c.holder_id == bindparam("user_id")
_MINE = _claims(_is_mine, *_is_open).order_by(_winner.day, _winner.place)
_MY_CLAIMS = (
    _claims(
        _is_mine,
        _offered.c.day >= bindparam("day"),
        (_offered.c.day > bindparam("day")) | (_offered.c.place > bindparam("place")),
    )
    .order_by(_winner.day, _winner.place)
    .limit(LIMIT)
)
_MY_PRIZES = (
    _claims(_is_mine, _offered.c.day < bindparam("before"))
    .order_by(_winner.day.desc(), _winner.place)
    .limit(LIMIT)
)
_CLAIM = _claims(_offered.c.day == bindparam("day"), _offered.c.place == bindparam("place"))
_TO_HAND_OVER = (
    _claims(*_is_open)
    .order_by(_claimed.c.at.is_(None), _winner.day, _winner.place)
    .limit(LIMIT)
    .offset(bindparam("offset"))
)


def with_turns(rows: FromClause) -> FromClause:
    """Join winners with the events that `CLAIM` needs; the number of rows stays the same."""
    return with_claims(rows, _winner.day, _winner.place).outerjoin(
        _before,
        (_before.c.day == _winner.day)
        & (_before.c.place == _winner.place - 1)
        & (_before.c.kind == LAPSED),
    )


#: whether it is, or was, the turn of a place; false before claims were kept
_has_turn = _offered.c.at.is_not(None) | _before.c.at.is_not(None)
#: claim of a place: state, deadline, reason of the lapse, day and note of the hand-over
CLAIM: tuple[ColumnElement[Any], ...] = (
    case((_has_turn, _STATE), else_=None).label("state"),
    _offered.c.claim_until,
    _lapsed.c.reason,
    _handed_over.c.handed_on,
    _handed_over.c.note,
)
#: columns of `Win`
_WIN: tuple[ColumnElement[Any], ...] = (
    _winner.day,
    _winner.place,
    _winner.number,
    _user.id.label("user_id"),
    _user.username,
    _user.is_organiser,
    _ballot.lottery_id,
    LOTTERY_NAME,
    PRIZE,
    *CLAIM,
)
_WINNERS = (
    select(
        _winner.day,
        _winner.place,
        _winner.number,
        _user.username,
        _user.is_organiser,
        LOTTERY_NAME,
        PRIZE,
        OUTCOME,
        *OUTCOME_DETAILS,
    )
    .select_from(with_claims(_places(table_of(Winner)), _winner.day, _winner.place))
    .where(
        _winner.day.in_(bindparam("days", expanding=True)),
        (_winner.place == 1) | _offered.c.at.is_not(None),
    )
    .order_by(_winner.day, _winner.place)
)
_STATES = (
    select(*_WIN)
    .select_from(with_turns(_places(table_of(Winner))))
    .where(_winner.day.in_(bindparam("days", expanding=True)), _has_turn)
    .order_by(_winner.day, _winner.place)
)
#: a subquery by primary key; with a join, a database may read all ballots instead
_lottery_of_winner = (
    select(_ballot.lottery_id)
    .where(_ballot.day == _winner.day, _ballot.number == _winner.number)
    .scalar_subquery()
)
_before_it = table_of(ClaimEvent).alias("before_it")
_its_turn = (
    select(_before_it.c.day)
    .where(
        _before_it.c.day == _winner.day,
        _before_it.c.place == _winner.place - 1,
        _before_it.c.kind == LAPSED,
    )
    .exists()
)


def _wins(*conditions: ColumnElement[bool]) -> Select[Any]:
    taken = (
        select(_winner.day, _winner.place, _winner.number)
        .where(_winner.day < bindparam("before"), (_winner.place == 1) | _its_turn, *conditions)
        .order_by(_winner.day.desc(), _winner.place)
        .limit(LIMIT)
        .subquery()
    )
    rows = taken.join(
        table_of(Winner), (_winner.day == taken.c.day) & (_winner.place == taken.c.place)
    )
    return (
        select(*_WIN)
        .select_from(with_turns(_places(rows, is_outer=True)))
        .order_by(_winner.day.desc(), _winner.place)
    )


_WINS = _wins()
_WINS_OF_LOTTERY = _wins(_lottery_of_winner == bindparam("lottery_id"))
