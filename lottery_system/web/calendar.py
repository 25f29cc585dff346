"""Calendar of a month, and bar chart of ballots per day. Pure."""

import calendar
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from lottery_system.clock import ONE_DAY
from lottery_system.queries.days import CalendarDay

#: days of the chart
SPAN = 30
#: units of the drawing; it is stretched to the page's width
WIDTH, HEIGHT = 600, 120


class Month(NamedTuple):
    """A month as it hangs on a wall."""

    first: date
    last: date
    #: weeks from Monday on; None if a day is of another month
    weeks: list[list[date | None]]


class Bar(NamedTuple):
    """A day in the chart: where its bar stands, in units of the drawing, and what it stands for."""

    day: date
    ballot_count: int
    number: int | None
    is_mine: bool
    x: float
    y: float
    width: float
    height: float


class Chart(NamedTuple):
    """Bars for days, and the count that the top of the drawing stands for."""

    bars: list[Bar]
    top: int
    #: the day at the left end
    begins: date


def month_of(day: date) -> Month:
    """Return the month of a day."""
    _, length = calendar.monthrange(day.year, day.month)
    first, last = day.replace(day=1), day.replace(day=length)
    weeks = [
        [day.replace(day=number) if number else None for number in week]
        for week in calendar.Calendar().monthdayscalendar(day.year, day.month)
    ]
    return Month(first, last, weeks)


def chart_of(rows: Iterable[CalendarDay], until: date) -> Chart:
    """Draw a bar for each of the last days up to one that has a draw, today's included.

    Args:
        rows: of `calendar.days_between`.
        until: the day at the right end.
    """
    shown = [row for row in rows if (until - row.day).days in range(SPAN)]
    top = _round_up(max((row.ballot_count for row in shown), default=0))
    step = WIDTH / SPAN
    bars = []
    for row in shown:
        height = HEIGHT * row.ballot_count / top
        x = (SPAN - 1 - (until - row.day).days) * step
        bars.append(
            Bar(
                row.day,
                row.ballot_count,
                row.number,
                bool(row.is_mine),
                round(x + step * 0.12, 2),
                round(HEIGHT - height, 2),
                round(step * 0.76, 2),
                round(height, 2),
            )
        )
    return Chart(bars, top, chart_begins(until))


def by_day(rows: Iterable[CalendarDay]) -> Mapping[date, CalendarDay]:
    """Return rows by their day."""
    return {row.day: row for row in rows}


def chart_begins(until: date) -> date:
    """Return the day at the left end of a chart."""
    ordinal = max(until.toordinal() - SPAN + 1, date.min.toordinal())
    return date.fromordinal(ordinal)


def neighbour_months(
    month: Month, first: date | None, today: date
) -> tuple[date | None, date | None]:
    """Return the last day of the month before and the first of the month after, with a draw."""
    before = month.first - ONE_DAY if first is not None and month.first > first else None
    after = month.last + ONE_DAY if month.last < today else None
    return before, after


def _round_up(count: int) -> int:
    """Return the next number of a kind that people like to read at a scale: 1, 2 or 5 and zeros."""
    steps: Sequence[int] = (1, 2, 5)
    scale = 1
    while True:
        for step in steps:
            if step * scale >= count:
                return step * scale
        scale *= 10
