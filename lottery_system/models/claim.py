"""Claims of prizes: claim, hand over, let lapse, and offer a lapsed prize to the next reserve.

Each function locks the place's row of `winners`, reads its events again and adds one. If another
request was faster, it refuses with a sentence. If a prize lapses, the same transaction offers the
next reserve the prize of its own ballot's lottery. Nothing is ever drawn again.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, NewType

from sqlalchemy import Connection, CursorResult, Row, delete, insert, or_, select
from sqlalchemy.orm import Session, aliased

from lottery_system.clock import day_of
from lottery_system.errors import (
    AlreadyClaimed,
    AlreadyHandedOver,
    AlreadyLapsed,
    ClaimOver,
    LotteryError,
    NoPrize,
    NotClaimed,
    NotYourPrize,
)
from lottery_system.models.ballot import Ballot
from lottery_system.models.base import table_of
from lottery_system.models.claim_event import (
    CLAIMED,
    CONTACT_LENGTH,
    HANDED_OVER,
    LAPSED,
    MESSAGE_LENGTH,
    NOTE_LENGTH,
    OFFERED,
    REASON_LENGTH,
    ClaimContact,
    ClaimEvent,
)
from lottery_system.models.draw import Draw
from lottery_system.models.lottery import Lottery
from lottery_system.models.lottery_edit import demand_organiser
from lottery_system.models.prizes import Waiting, finish_won, latest_standing, waiting_places
from lottery_system.models.user import User
from lottery_system.models.winner import Winner
from lottery_system.text_input import BadText, enforce_paragraphs

#: how long contacts are kept after the prize was handed over or lapsed
CONTACT_KEPT = timedelta(days=30)
Reason = NewType("Reason", str)
#: reasons of automatic lapses; stored in English, translated by the catalogues when shown
NOT_CLAIMED_IN_TIME = Reason("The prize was not claimed in time.")
ALL_WON = Reason("All prizes of this lottery are won.")
#: the organiser's own reason is for the participant and organisers alone
BLOCKED = Reason("The winner’s account is blocked.")
LAPSED_BY_ITSELF = frozenset({NOT_CLAIMED_IN_TIME, ALL_WON, BLOCKED})


class BadHandOver(LotteryError):
    """A prize cannot have been handed over on that day."""


def enforce_message(text: str) -> str:
    """Validate a winner's message to the organisers and return it normalised.

    Raises:
        BadText: with a sentence for its author; so do the functions below.
    """
    return _enforce(text, MESSAGE_LENGTH)


def enforce_contact(text: str) -> str:
    """Validate how a winner can be reached and return it normalised."""
    return _enforce(text, CONTACT_LENGTH)


def enforce_note(text: str) -> str:
    """Validate the note of a hand-over and return it normalised."""
    return _enforce(text, NOTE_LENGTH)


def enforce_reason(text: str) -> str:
    """Validate the reason why a prize lapses, which is required, and return it normalised."""
    reason = _enforce(text, REASON_LENGTH)
    if not reason:
        raise BadText("Enter a reason. Everyone can read it.")
    return reason


class Place(NamedTuple):
    """A place of a drawn day, whose row is locked, with the events of its prize."""

    day: date
    number: int
    place: int
    user_id: int
    lottery_id: int
    #: by kind
    events: dict[str, Row[Any]]

    @property
    def is_open(self) -> bool:
        """Tell whether the prize is offered or claimed, and neither handed over nor lapsed."""
        return OFFERED in self.events and not self.events.keys() & {HANDED_OVER, LAPSED}

    @property
    def latest(self) -> datetime:
        """Return the time of the latest event."""
        latest: datetime = max(event.at for event in self.events.values())
        return latest

    def is_over(self, day: date) -> bool:
        """Tell whether the deadline to claim the prize is before a day."""
        until = self.events[OFFERED].claim_until
        return until is not None and until < day


def claim(
    session: Session,
    day: date,
    place: int,
    user_id: int,
    *,
    message: str = "",
    contact: str = "",
    now: datetime,
) -> None:
    """Claim a prize for its winner, with an optional message and contact for the organisers.

    Raises:
        NotYourPrize: the place is another user's, or was not offered to its holder, or the account
            is closed.
        AlreadyClaimed: it was claimed before.
        ClaimOver: it lapsed, or its deadline is over, even if no tick has let it lapse yet.
        BadText: message or contact is invalid.
    """
    connection = session.connection()
    message, contact = enforce_message(message), enforce_contact(contact)
    locked = _lock_place(connection, day, place)
    if locked is None or locked.user_id != user_id or OFFERED not in locked.events:
        raise NotYourPrize
    # locked until the commit: closing an account deletes the contact that is written here
    is_open = select(User.id).where(User.id == user_id, User.closed_at.is_(None))
    if session.scalar(is_open.with_for_update(read=True)) is None:
        raise NotYourPrize
    if CLAIMED in locked.events and LAPSED not in locked.events:
        raise AlreadyClaimed
    if not locked.is_open or locked.is_over(day_of(now)):
        raise ClaimOver
    _add(connection, locked, CLAIMED, now, user_id)
    if message or contact:
        connection.execute(
            insert(table_of(ClaimContact)),
            {"day": day, "place": place, "message": message, "contact": contact},
        )


def hand_over(
    session: Session,
    day: date,
    place: int,
    by: int | None = None,
    *,
    handed_on: date,
    note: str = "",
    now: datetime,
) -> None:
    """Record that a claimed prize was handed over.

    Args:
        by: the organiser; None for the operator.
        note: everyone can read it.

    Raises:
        NotAnOrganiser: `by` is not an organiser.
        NoPrize: nobody was offered the prize of that place.
        AlreadyHandedOver: it was handed over before.
        AlreadyLapsed: it lapsed.
        NotClaimed: its winner has not claimed it.
        BadHandOver: that day is in the future, or before the prize was offered.
        BadText: the note is invalid.
    """
    demand_organiser(session, by)
    note = enforce_note(note)
    locked = _lock_open_prize(session.connection(), day, place)
    if CLAIMED not in locked.events:
        raise NotClaimed
    if not day_of(locked.events[OFFERED].at) <= handed_on <= day_of(max(now, locked.latest)):
        raise BadHandOver("Choose a day from the draw up to today.")
    _add(session.connection(), locked, HANDED_OVER, now, by, handed_on=handed_on, note=note)


def lapse(
    session: Session,
    day: date,
    place: int,
    by: int | None = None,
    *,
    reason: str,
    now: datetime,
    claim_days: int | None = None,
) -> None:
    """Let a prize lapse, claimed or not, and offer it to the next reserve.

    Args:
        by: the organiser; None for the operator.
        reason: everyone can read it.
        claim_days: days that the reserve has to claim it after today; None for no deadline.

    Raises:
        NotAnOrganiser: `by` is not an organiser.
        NoPrize: nobody was offered the prize of that place.
        AlreadyHandedOver: it was handed over before.
        AlreadyLapsed: it lapsed before.
        BadText: the reason is missing or invalid.
    """
    connection = session.connection()
    Draw.hold_all(connection)
    demand_organiser(session, by)
    reason = enforce_reason(reason)
    locked = _lock_open_prize(connection, day, place)
    _add(connection, locked, LAPSED, now, by, reason=reason)
    _move_up(connection, day, place + 1, now, claim_days)


def due_to_lapse(session: Session, now: datetime) -> Sequence[tuple[date, int]]:
    """List the places whose prize was not claimed in time, oldest draws first."""
    other = aliased(ClaimEvent)
    rows = session.execute(
        select(ClaimEvent.day, ClaimEvent.place)
        .where(
            ClaimEvent.kind == OFFERED,
            ClaimEvent.claim_until < day_of(now),
            ~select(other.day)
            .where(
                other.day == ClaimEvent.day, other.place == ClaimEvent.place, other.kind != OFFERED
            )
            .exists(),
        )
        .order_by(ClaimEvent.day, ClaimEvent.place)
    )
    return [(row.day, row.place) for row in rows]


def lapse_late(
    session: Session, day: date, place: int, now: datetime, claim_days: int | None = None
) -> bool:
    """Let a prize lapse if it was not claimed in time; tell whether this call did it."""
    connection = session.connection()
    Draw.hold_all(connection)
    locked = _lock_place(connection, day, place)
    if locked is None or locked.events.keys() != {OFFERED} or not locked.is_over(day_of(now)):
        return False
    _add(connection, locked, LAPSED, now, reason=NOT_CLAIMED_IN_TIME)
    _move_up(connection, day, place + 1, now, claim_days)
    return True


def held_by_blocked(session: Session) -> Sequence[tuple[date, int]]:
    """List the places whose prize is not handed over, and whose holder is blocked, oldest first."""
    end = aliased(ClaimEvent)
    rows = session.execute(
        select(ClaimEvent.day, ClaimEvent.place)
        .join(User, User.id == ClaimEvent.holder_id)
        .where(
            User.blocked_at.is_not(None),
            ClaimEvent.kind == OFFERED,
            ~select(end.day)
            .where(
                end.day == ClaimEvent.day,
                end.place == ClaimEvent.place,
                end.kind.in_((HANDED_OVER, LAPSED)),
            )
            .exists(),
        )
        .order_by(ClaimEvent.day, ClaimEvent.place)
    )
    return [(row.day, row.place) for row in rows]


def lapse_blocked(
    session: Session, day: date, place: int, now: datetime, claim_days: int | None = None
) -> bool:
    """Let a prize lapse, claimed or not, if its holder is blocked; tell whether this call did it.

    The same decision for all: the organiser who blocks somebody does not choose which prizes lapse.
    """
    connection = session.connection()
    Draw.hold_all(connection)
    locked = _lock_place(connection, day, place)
    if locked is None or not locked.is_open:
        return False
    if session.scalar(select(User.blocked_at).where(User.id == locked.user_id)) is None:
        return False
    _add(connection, locked, LAPSED, now, reason=BLOCKED)
    _move_up(connection, day, place + 1, now, claim_days)
    return True


def waiting(session: Session) -> Sequence[Waiting]:
    """List the reserves that wait until it is known whether a prize is left for them."""
    return waiting_places(session.connection())


def move_up_waiting(
    session: Session, day: date, place: int, now: datetime, claim_days: int | None = None
) -> bool:
    """Offer a prize to a waiting reserve, or skip the reserve; tell whether this call did so."""
    connection = session.connection()
    Draw.hold_all(connection)
    if not any((each.day, each.place) == (day, place) for each in waiting_places(connection)):
        return False
    return _move_up(connection, day, place, now, claim_days)


def forget_contacts(session: Session, now: datetime) -> int:
    """Delete contacts of prizes that ended 30 days ago, and of closed accounts.

    Returns:
        How many were deleted.
    """
    ended = (
        select(ClaimEvent.day)
        .where(
            ClaimEvent.day == ClaimContact.day,
            ClaimEvent.place == ClaimContact.place,
            ClaimEvent.kind.in_((HANDED_OVER, LAPSED)),
            ClaimEvent.at <= now - CONTACT_KEPT,
        )
        .exists()
    )
    return _delete_contacts(session, or_(ended, _is_of(User.closed_at.is_not(None))))


def forget_contacts_of(session: Session, user_id: int) -> int:
    """Delete the contacts of a user, who closes the account."""
    return _delete_contacts(session, _is_of(User.id == user_id))


def _is_of(which: Any) -> Any:
    """Return the condition that a contact belongs to one of some users."""
    return (
        select(ClaimEvent.day)
        .join(User, User.id == ClaimEvent.holder_id)
        .where(
            ClaimEvent.day == ClaimContact.day,
            ClaimEvent.place == ClaimContact.place,
            ClaimEvent.kind == CLAIMED,
            which,
        )
        .exists()
    )


def _delete_contacts(session: Session, which: Any) -> int:
    deleted = session.execute(
        delete(ClaimContact).where(which).execution_options(synchronize_session=False)
    )
    assert isinstance(deleted, CursorResult)
    return deleted.rowcount


def _move_up(
    connection: Connection, day: date, place: int, now: datetime, claim_days: int | None
) -> bool:
    """Offer the prize to the reserve whose turn it is, unless it has to wait.

    A reserve is skipped if its ballot's lottery has no prize left. It waits if accepted ballots,
    or reserves that have waited longer, may win the last prize.

    Returns:
        Whether anything was added.
    """
    moved = False
    while (locked := _lock_place(connection, day, place)) is not None:
        lottery = table_of(Lottery).c
        winnable = connection.scalar(
            select(lottery.winnable).where(lottery.id == locked.lottery_id)
        )
        gone = False
        if winnable is not None:
            standing = latest_standing(connection, locked.lottery_id)
            behind = [
                each
                for each in waiting_places(connection)
                if each.lottery_id == locked.lottery_id and each[:2] >= (day, place)
            ]
            gone = standing.won >= winnable
            if not gone and standing.bound - len(behind) >= winnable:
                return moved
        at = max(now, _latest_before(connection, day, place))
        deadline = None if gone else claim_days
        ClaimEvent.offer(connection, day, place, at, deadline, tells=not gone)
        moved = True
        if not gone:
            finish_won(connection, locked.lottery_id, now)
            return moved
        offered = _lock_place(connection, day, place)
        assert offered is not None
        _add(connection, offered, LAPSED, now, reason=ALL_WON)
        place += 1
    return moved


def _latest_before(connection: Connection, day: date, place: int) -> datetime:
    """Return when the place before lapsed, maybe by the clock of another host, which is ahead."""
    event = table_of(ClaimEvent).c
    at: datetime = connection.execute(
        select(event.at).where(event.day == day, event.place == place - 1, event.kind == LAPSED)
    ).scalar_one()
    return at


def _lock_open_prize(connection: Connection, day: date, place: int) -> Place:
    """Lock a place whose prize can still be handed over or lapse.

    Raises:
        NoPrize: nobody was offered the prize of that place.
        AlreadyHandedOver: it was handed over before.
        AlreadyLapsed: it lapsed before.
    """
    locked = _lock_place(connection, day, place)
    if locked is None or OFFERED not in locked.events:
        raise NoPrize
    if HANDED_OVER in locked.events:
        raise AlreadyHandedOver
    if LAPSED in locked.events:
        raise AlreadyLapsed
    return locked


def _lock_place(connection: Connection, day: date, place: int) -> Place | None:
    """Lock a place, and only then read the events of its prize."""
    winner, ballot, event = (table_of(model).c for model in (Winner, Ballot, ClaimEvent))
    number = connection.scalar(
        select(winner.number).where(winner.day == day, winner.place == place).with_for_update()
    )
    if number is None:
        return None
    held = connection.execute(
        select(ballot.user_id, ballot.lottery_id).where(ballot.day == day, ballot.number == number)
    ).one()
    events = connection.execute(
        select(table_of(ClaimEvent)).where(event.day == day, event.place == place)
    )
    return Place(
        day, number, place, held.user_id, held.lottery_id, {each.kind: each for each in events}
    )


def _add(
    connection: Connection,
    locked: Place,
    kind: str,
    now: datetime,
    by: int | None = None,
    **values: object,
) -> None:
    connection.execute(
        insert(table_of(ClaimEvent)),
        {
            "day": locked.day,
            "place": locked.place,
            "kind": kind,
            "lottery_id": locked.lottery_id,
            "holder_id": locked.user_id,
            # another host's clock may have been ahead
            "at": max(now, locked.latest),
            "done_by": by,
            **values,
        },
    )


def _enforce(text: str, most: int) -> str:
    too_long = BadText("This can be at most %(most)s characters long.", most=most)
    return enforce_paragraphs(text, most, too_long)
