"""Scheduled work on claims: lapse prizes, offer to waiting reserves, delete contacts.

The database decides what is due, so any number of processes may call this at any time.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import date, datetime

from sqlalchemy.orm import Session

from lottery_system.models import claim
from lottery_system.rollback import Rollback, check_session

log = logging.getLogger(__name__)

#: changes a place of a day, unless somebody else has; tells whether it did
Act = Callable[[Session, date, int, datetime, int | None], bool]


def run_due(
    session: Session,
    now: datetime,
    claim_days: int | None = None,
    *,
    rollback: Rollback | None = None,
) -> int:
    """Let prizes lapse, offer prizes to waiting reserves, delete old contacts.

    A prize lapses if it is late, or if its holder is blocked. If the next reserve is blocked, too,
    that prize lapses with the next call.

    Each step is a transaction of its own. If nothing is due, nothing is locked.

    Args:
        session: without a transaction begun.
        claim_days: days that a reserve has to claim it after its turn began; None for no deadline.
        rollback: checks in each transaction that the database has not been rolled back.

    Returns:
        How many places this call changed.

    Raises:
        Paused: the database has forgotten what was published.
    """
    with session.begin():
        late, waiting = claim.due_to_lapse(session, now), claim.waiting(session)
        of_blocked = claim.held_by_blocked(session)

    def change(places: Iterable[tuple[date, int]], act: Act, done: str) -> int:
        count = 0
        for day, place in places:
            with session.begin():
                check_session(session, rollback)
                is_done = act(session, day, place, now, claim_days)
            if is_done:
                log.info("prize of %s, place %d: %s", day, place, done)
            count += is_done
        return count

    count = change(of_blocked, claim.lapse_blocked, "lapsed, its holder is blocked")
    count += change(late, claim.lapse_late, "lapsed unclaimed")
    moving = [(each.day, each.place) for each in waiting]
    count += change(moving, claim.move_up_waiting, "the turn is over or begun")
    with session.begin():
        claim.forget_contacts(session, now)
    return count
