"""Time zones: which there are, and names that are none."""

import pytest

from lottery_system.time_zones import NAME_LENGTH, time_zones, zone_of


def test_every_time_zone_that_is_offered_is_there_and_fits_its_column() -> None:
    names = time_zones()

    assert len(names) > 400
    assert {"UTC", "Europe/Berlin", "Asia/Kathmandu", "Asia/Calcutta"} <= set(names)
    assert all(zone_of(name) is not None for name in names)
    assert max(map(len, names)) <= NAME_LENGTH


@pytest.mark.parametrize(
    "name", [None, "", "Europe/Atlantis", "Europe", "../../etc/passwd", "/etc/passwd", "a\0b", "ü"]
)
def test_a_name_that_is_none_is_no_error(name: str | None) -> None:
    assert zone_of(name) is None
