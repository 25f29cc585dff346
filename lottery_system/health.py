"""Whether the lottery can serve, and what it stands at, for whoever operates it."""

from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lottery_system.clock import closes_at, day_of
from lottery_system.models import DRAWN, Draw

#: how long after midnight a draw may wait before it is overdue: five ticks
GRACE = timedelta(minutes=5)


class Standing(NamedTuple):
    """What the draws stand at."""

    today_ballot_count: int
    #: days that are over and not drawn, oldest first
    undrawn: list[date]
    last_drawn: date | None

    def overdue(self, now: datetime) -> list[date]:
        """List the days whose draw should have been made by now."""
        return [day for day in self.undrawn if closes_at(day) + GRACE <= now]


def standing(session: Session, now: datetime) -> Standing:
    """Ask the database what the draws stand at."""
    today = day_of(now)
    rows = session.execute(
        select(Draw.day, Draw.ballot_count).where(Draw.status != DRAWN).order_by(Draw.day)
    ).all()
    return Standing(
        today_ballot_count=sum(row.ballot_count for row in rows if row.day == today),
        undrawn=[row.day for row in rows if row.day < today],
        last_drawn=session.scalar(select(func.max(Draw.day)).where(Draw.status == DRAWN)),
    )
