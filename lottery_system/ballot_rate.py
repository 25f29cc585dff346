"""Rate limit of ballots: how many a participant may have in a day by an hour of it.

Computed from the day's count alone, which is kept anyway: it needs no write, and holds for all
workers. Each hour of the day that has begun allows the same number of ballots; unused ones can be
used later that day.
"""

from datetime import date, datetime, timedelta

from lottery_system.clock import closes_at, starts_at
from lottery_system.errors import TooManyBallots

ONE_HOUR = timedelta(hours=1)


def allowed(per_hour: int, day: date, now: datetime) -> int:
    """Return how many ballots of a day a participant may have by an instant of it."""
    return per_hour * (1 + (now - starts_at(day)) // ONE_HOUR)


def refusal(
    per_hour: int, day: date, now: datetime, held: int, count: int
) -> TooManyBallots | None:
    """Return why a participant who has some ballots of a day may not add more; None who may.

    It says from when on they may, at the end of the day at the latest: with it the next one begins.
    """
    if held + count <= allowed(per_hour, day, now):
        return None
    hours_needed = -(-(held + count) // per_hour)
    until = min(starts_at(day) + (hours_needed - 1) * ONE_HOUR, closes_at(day))
    return TooManyBallots(per_hour, held, until)
