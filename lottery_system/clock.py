"""Clock and UTC days: the current time, and the midnights that end days.

`utcnow` is the only reader of the wall clock; all other code gets the time as an argument. `steady`
is a monotonic clock. The two together show when the wall clock was set.
"""

import time as system
from datetime import UTC, date, datetime, time, timedelta

ONE_DAY = timedelta(days=1)

_BOOTTIME: int | None = getattr(system, "CLOCK_BOOTTIME", None)


def utcnow() -> datetime:
    """Read the wall clock, in UTC."""
    return datetime.now(UTC)


def steady() -> float:
    """Read a monotonic clock, in seconds; it goes on while the machine is suspended, where it can.

    Linux has `CLOCK_BOOTTIME` for that. Elsewhere a laptop that slept looks like one whose wall
    clock was set.
    """
    return system.monotonic() if _BOOTTIME is None else system.clock_gettime(_BOOTTIME)


def day_of(instant: datetime) -> date:
    """Return the UTC day that an aware instant lies in."""
    return instant.astimezone(UTC).date()


def starts_at(day: date) -> datetime:
    """Return the midnight that begins a day."""
    return datetime.combine(day, time(), UTC)


def closes_at(day: date) -> datetime:
    """Return the midnight that ends a day: the first instant that is no longer part of it."""
    return starts_at(day) + ONE_DAY


def parse_day(text: str) -> date | None:
    """Read `YYYY-MM-DD`, strictly, or return None if it is not a date.

    `date.fromisoformat` alone would also take `20261122` and `2026-W47-7`, and one day would have
    several addresses.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None
