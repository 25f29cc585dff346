"""How numbers and chances are written."""

import pytest

from lottery_system.web.words import ballots, percent


@pytest.mark.parametrize(
    ("part", "whole", "written"),
    [(3, 120, "2.5 %"), (1, 3, "33.33 %"), (5, 5, "100 %"), (999_999, 1_000_000, "99.99 %"),
     (1, 10_000_000, "under 0.01 %"), (1, 2, "50 %")],
)  # fmt: skip
def test_a_chance_is_never_written_as_none_or_certain_where_it_is_not(
    part: int, whole: int, written: str
) -> None:
    assert percent(part, whole) == written


def test_one_ballot_is_singular() -> None:
    assert (ballots(1), ballots(30_000)) == ("1 ballot", "30,000 ballots")
