"""UTC days, and the one format of a date."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery_system.clock import closes_at, day_of, parse_day, starts_at

#: the calendar, less the days that another zone could shift out of it; Hypothesis wants them naive
FIRST, LAST = datetime(1, 1, 3), datetime(9999, 12, 28)  # noqa: DTZ001


@given(st.datetimes(timezones=st.timezones(), min_value=FIRST, max_value=LAST))
def test_an_instant_lies_in_the_day_between_two_midnights(instant: datetime) -> None:
    day = day_of(instant)

    assert starts_at(day) <= instant < closes_at(day)


def test_a_reader_far_east_is_in_the_same_utc_day() -> None:
    tokyo = timezone(timedelta(hours=9))

    assert day_of(datetime(2026, 11, 23, 8, 59, tzinfo=tokyo)) == date(2026, 11, 22)
    assert day_of(datetime(2026, 11, 23, 9, 0, tzinfo=tokyo)) == date(2026, 11, 23)


def test_a_day_closes_at_the_first_instant_that_is_no_longer_part_of_it() -> None:
    assert closes_at(date(2026, 12, 31)) == datetime(2027, 1, 1, tzinfo=UTC)


@given(st.dates())
def test_a_day_is_read_as_it_is_written(day: date) -> None:
    assert parse_day(day.isoformat()) == day


@pytest.mark.parametrize("text", ["", "20261122", "2026-W47-7", "2026-2-3", " 2026-11-22", "x"])
def test_other_ways_to_write_a_day_are_not_taken(text: str) -> None:
    assert parse_day(text) is None
