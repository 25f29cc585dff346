"""The order in which a day ends.

Whoever calls, however often, in however many processes: the database decides what is due.
"""

import logging
from datetime import date, datetime

from sqlalchemy.orm import Session

from lottery_system.clock import day_of
from lottery_system.models import Draw

log = logging.getLogger(__name__)


def run_due(session: Session, now: datetime, places: int) -> list[date]:
    """Close every day that is over and draw every day that is closed, the oldest first.

    Missed days, also days without a ballot, are made up; today gets its draw, open. Each step is a
    transaction of its own, so that whatever a crash leaves is a whole step, and the next call goes
    on from there. Nothing happens where nothing is due.

    Args:
        session: without a transaction begun.
        places: winning ballots of the days closed by this call.

    Returns:
        The days that this call drew.
    """
    with session.begin():
        Draw.open_until(session.connection(), day_of(now))
    with session.begin():
        over = Draw.due_to_close(session, now)
    for day in over:
        with session.begin():
            closed = Draw.close(session, day, now, places)
        if closed:
            log.info("draw of %s: closed", day)
    with session.begin():
        closed_days = Draw.due_to_draw(session)
    drawn = []
    for day in closed_days:
        with session.begin():
            done = Draw.draw(session, day, now)
        if done:
            log.info("draw of %s: drawn", day)
            drawn.append(day)
    return drawn
