"""Draw status, for operators and organisers."""

from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from lottery_system.clock import closes_at, day_of
from lottery_system.fairness.beacon import due_time
from lottery_system.models import CLOSED, DRAWN, OPEN, Draw, Submission

#: how long a draw that can be made may wait before it is overdue: five ticks
GRACE = timedelta(minutes=5)


class Standing(NamedTuple):
    """Status of the draws."""

    today_ballot_count: int
    #: days that are over and not drawn, oldest first, and from when on each can be drawn
    undrawn: list[tuple[date, datetime]]
    last_drawn: date | None

    def overdue(self, now: datetime) -> list[date]:
        """List the days whose draw should have been made by now."""
        return [day for day, due_at in self.undrawn if due_at + GRACE <= now]


def standing(session: Session, now: datetime, gap: int) -> Standing:
    """Ask the database what the draws stand at.

    Args:
        gap: seconds between the closing of a day and its beacon round; 0 in mode operator.
    """
    today = day_of(now)
    rows = session.execute(
        select(Draw.day, Draw.ballot_count, Draw.closed_at)
        .where(Draw.status.in_((OPEN, CLOSED)))
        .order_by(Draw.day)
    ).all()
    return Standing(
        today_ballot_count=sum(row.ballot_count for row in rows if row.day == today),
        undrawn=[
            (row.day, _due_at(closes_at(row.day), row.closed_at, gap))
            for row in rows
            if row.day < today
        ],
        last_drawn=session.scalar(select(func.max(Draw.day)).where(Draw.status == DRAWN)),
    )


def last_ballot_at(connection: Connection) -> datetime | None:
    """Return when the last ballot was stored; None if there is none."""
    return connection.scalar(
        select(Submission.submitted_at)
        .order_by(Submission.day.desc(), Submission.first_number.desc())
        .limit(1)
    )


def _due_at(closes: datetime, closed_at: datetime | None, gap: int) -> datetime:
    """Return from when on a day can be drawn: at its end, or at the time of its beacon round."""
    return due_time(closes, closed_at or closes, gap) if gap else closes
