"""Selection of winners from a seed, against the protocol's vectors."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery_system.fairness.selection import pick_stream, seed_of, select, winning_ballots

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "daily_draw_v1_vectors.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("vector", VECTORS["pick"])
def test_winning_ballots_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    picks = winning_ballots(bytes.fromhex(vector["seed"]), vector["size"], vector["places"])

    assert [list(pick) for pick in picks] == vector["winners"]


def test_numbers_above_the_last_multiple_are_refused_and_repeats_passed_over() -> None:
    vector = VECTORS["pick_refusal"]

    picks = select(vector["stream"], vector["size"], vector["places"], vector["bits"])

    assert [list(pick) for pick in picks] == vector["winners"]


def test_every_number_is_exactly_as_likely_as_any_other() -> None:
    """Over all 256 values of an 8-bit stream, those not refused share out without a remainder."""
    firsts = Counter(pick.number for x in range(256) for pick in select([x], 100, 1, bits=8))

    assert firsts == dict.fromkeys(range(1, 101), 2)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 200), st.integers(1, 12))
def test_there_are_as_many_different_winners_as_places_or_ballots(
    seed: bytes, size: int, places: int
) -> None:
    picks = winning_ballots(seed, size, places)

    assert [pick.place for pick in picks] == list(range(1, min(places, size) + 1))
    assert len({pick.number for pick in picks}) == len(picks)
    assert all(1 <= pick.number <= size for pick in picks)


def test_the_seed_of_a_day_without_a_beacon_is_that_of_the_vectors() -> None:
    records = VECTORS["records"]

    assert seed_of(records["freeze"].encode(), None).hex() == records["seed"]


def test_the_seed_depends_on_freeze_signature_and_mode() -> None:
    seeds = {
        seed_of(freeze, signature)
        for freeze in (b"one", b"other")
        for signature in (None, b"", b"signature", bytes(48))
    }

    assert len(seeds) == 8


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a seed has 32 bytes, not 31"):
        next(pick_stream(b"x" * 31))


@pytest.mark.parametrize(("size", "places"), [(-1, 1), (3, 0)])
def test_sizes_and_places_that_make_no_sense_are_refused(size: int, places: int) -> None:
    with pytest.raises(ValueError, match="size must not be negative"):
        select([], size, places)
