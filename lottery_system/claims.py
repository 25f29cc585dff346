"""Scheduled work on claims: lapse prizes, offer to waiting reserves, delete contacts.

The database decides what is due, so any number of processes may call this at any time.
"""

import logging
from datetime import datetime

from sqlalchemy.orm import Session

from lottery_system.models import claim
from lottery_system.rollback import Rollback, check_session

log = logging.getLogger(__name__)


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
    count = 0
    with session.begin():
        late, waiting = claim.due_to_lapse(session, now), claim.waiting(session)
        of_blocked = claim.held_by_blocked(session)
    for day, place in of_blocked:
        with session.begin():
            check_session(session, rollback)
            done = claim.lapse_blocked(session, day, place, now, claim_days)
        if done:
            log.info("prize of %s, place %d: lapsed, its holder is blocked", day, place)
        count += done
    for day, place in late:
        with session.begin():
            check_session(session, rollback)
            done = claim.lapse_late(session, day, place, now, claim_days)
        if done:
            log.info("prize of %s, place %d: lapsed unclaimed", day, place)
        count += done
    for each in waiting:
        with session.begin():
            check_session(session, rollback)
            done = claim.move_up_waiting(session, each.day, each.place, now, claim_days)
        if done:
            log.info("prize of %s: the turn of place %d is over or begun", each.day, each.place)
        count += done
    with session.begin():
        claim.forget_contacts(session, now)
    return count
