"""Calendar and chart: the place of each day."""

from datetime import date
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery_system.clock import ONE_DAY
from lottery_system.web.calendar import (
    HEIGHT,
    SPAN,
    WIDTH,
    chart_begins,
    chart_of,
    month_of,
    neighbour_months,
)


class Day(NamedTuple):
    """A row as `days_between` lists it."""

    day: date
    ballot_count: int
    number: int | None = None
    is_mine: bool = False


@given(st.dates())
def test_a_month_has_each_of_its_days_once_under_its_weekday(day: date) -> None:
    month = month_of(day)

    days = [each for week in month.weeks for each in week if each]
    assert days == sorted(set(days))
    assert (days[0], days[-1]) == (month.first, month.last)
    assert day in days
    for week in month.weeks:
        assert len(week) == 7
        assert all(each is None or each.weekday() == place for place, each in enumerate(week))


@given(st.lists(st.integers(0, 10**9), max_size=SPAN), st.dates(date(2000, 1, 1)))
def test_bars_stand_within_the_drawing_in_the_order_of_their_days(
    counts: list[int], until: date
) -> None:
    rows: Any = [Day(until - place * ONE_DAY, count) for place, count in enumerate(counts)][::-1]

    chart = chart_of(rows, until)

    assert [bar.day for bar in chart.bars] == [row.day for row in rows]
    assert [bar.x for bar in chart.bars] == sorted(bar.x for bar in chart.bars)
    for bar in chart.bars:
        assert bar.x >= 0
        assert bar.x + bar.width <= WIDTH
        assert bar.y >= 0
        assert bar.y + bar.height == pytest.approx(HEIGHT)
        assert bar.ballot_count <= chart.top


def test_the_scale_ends_at_a_number_that_one_likes_to_read() -> None:
    day = date(2026, 11, 22)
    tops = {count: chart_of([Day(day, count)], day).top for count in (0, 1, 3, 7, 12, 120, 2001)}  # type: ignore[list-item]

    assert tops == {0: 1, 1: 1, 3: 5, 7: 10, 12: 20, 120: 200, 2001: 5000}


def test_days_outside_of_the_chart_are_left_out() -> None:
    day = date(2026, 11, 22)
    rows: Any = [Day(day - SPAN * ONE_DAY, 1), Day(chart_begins(day), 2), Day(day + ONE_DAY, 3)]

    assert [bar.ballot_count for bar in chart_of(rows, day).bars] == [2]


@pytest.mark.parametrize("day", [date.min, date.max])
def test_the_ends_of_the_calendar_are_months_like_any_other(day: date) -> None:
    assert day in [each for week in month_of(day).weeks for each in week]
    assert chart_begins(day) >= date.min


def test_the_calendar_turns_as_far_as_there_are_draws() -> None:
    november = month_of(date(2026, 11, 22))

    assert neighbour_months(november, date(2026, 11, 3), date(2026, 11, 22)) == (None, None)
    assert neighbour_months(november, date(2026, 10, 31), date(2026, 12, 1)) == (
        date(2026, 10, 31), date(2026, 12, 1),
    )  # fmt: skip
    assert neighbour_months(november, None, date(2026, 11, 22)) == (None, None)
