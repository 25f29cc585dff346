"""Formatting of numbers, chances and days in each language."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from flask import Flask, g

from lottery_system.web.words import ballots, long_day, number, percent
from tests.conftest import running, settings_for

SPACE = "\u00a0"


@pytest.fixture
def page(sqlite_file: Path) -> Iterator[Flask]:
    """Write for an English page."""
    with (
        running(settings_for(f"sqlite:///{sqlite_file}")) as app,
        app.test_request_context("/", headers={"Accept-Language": "en"}),
    ):
        yield app


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    ("part", "whole", "written"),
    [(3, 120, "2.5 %"), (1, 3, "33.33 %"), (5, 5, "100 %"), (999_999, 1_000_000, "99.99 %"),
     (1, 10_000_000, "under 0.01 %"), (1, 2, "50 %")],
)  # fmt: skip
def test_a_chance_is_never_written_as_none_or_certain_where_it_is_not(
    part: int, whole: int, written: str
) -> None:
    assert percent(part, whole) == written.replace(" %", f"{SPACE}%")


@pytest.mark.usefixtures("page")
def test_one_ballot_is_singular() -> None:
    assert (ballots(1), ballots(30_000)) == ("1 ballot", "30,000 ballots")


@pytest.mark.usefixtures("page")
@pytest.mark.parametrize(
    ("code", "day", "thousands", "chance"),
    [
        ("en", "Sunday 22 November 2026", "30,000", f"2.5{SPACE}%"),
        ("de", "Sonntag, 22. November 2026", "30.000", f"2,5{SPACE}%"),
        ("es", "domingo, 22 de noviembre de 2026", "30.000", f"2,5{SPACE}%"),
        ("fr", "dimanche 22 novembre 2026", "30\u202f000", f"2,5{SPACE}%"),
    ],
)
def test_days_numbers_and_chances_are_written_as_the_language_does(
    code: str, day: str, thousands: str, chance: str
) -> None:
    g.language = code

    assert (long_day(date(2026, 11, 22)), number(30_000), percent(3, 120)) == (
        day, thousands, chance,
    )  # fmt: skip
