"""Fair queue: owners take turns, however many items each has waiting."""

from queue import Full

import pytest

from lottery_system.runtime.fair_queue import FairQueue

PLENTY = 10_000


def filled(*items: tuple[str, int], each: int = 100) -> FairQueue[str]:
    """Return a queue in which items wait, each an owner's letter and its size."""
    queue = FairQueue[str](capacity=100, each=each)
    for number, (owner, size) in enumerate(items):
        queue.put(owner, f"{owner}{number}", size)
    return queue


def test_owners_take_turns_and_each_ones_items_keep_their_order() -> None:
    queue = filled(("a", 1), ("a", 1), ("a", 1), ("b", 1), ("c", 1), ("c", 1))

    assert queue.take(PLENTY, PLENTY) == ["a0", "b3", "c4", "a1", "c5", "a2"]
    assert len(queue) == 0


def test_what_is_taken_at_once_is_bounded_by_its_size_and_the_rest_comes_next() -> None:
    queue = filled(*[(owner, 6) for owner in "abcd"])

    assert queue.take(10, PLENTY) == ["a0", "b1"]
    assert queue.take(10, PLENTY) == ["c2", "d3"]


def test_an_owner_gets_no_more_than_a_share_of_what_is_taken_at_once() -> None:
    queue = filled(("a", 5), ("a", 5), ("a", 5), ("b", 1), ("b", 1))

    assert queue.take(PLENTY, 6) == ["a0", "b3", "a1", "b4"]
    assert queue.take(PLENTY, 6) == ["a2"]


def test_whoever_had_a_turn_goes_behind_all_others() -> None:
    queue = filled(("a", 6), ("a", 6), ("b", 6), ("c", 6))

    assert queue.take(5, PLENTY) == ["a0"]
    assert queue.take(5, PLENTY) == ["b2"]
    queue.put("d", "d", 6)
    assert queue.take(PLENTY, PLENTY) == ["c3", "a1", "d"]


def test_one_that_is_larger_than_all_bounds_is_taken_too() -> None:
    assert filled(("a", PLENTY)).take(5, 5) == ["a0"]


def test_one_owner_cannot_fill_the_queue() -> None:
    queue = filled(("a", 1), ("a", 1), each=2)

    with pytest.raises(Full):
        queue.put("a", "a2", 1)

    queue.put("b", "b", 1)
    assert queue.take(PLENTY, PLENTY) == ["a0", "b", "a1"]


def test_the_end_comes_once_nothing_waits_and_is_past_then() -> None:
    queue = filled(("a", 1))
    queue.end()

    assert queue.wait()
    queue.take(PLENTY, PLENTY)
    assert not queue.wait()
    queue.put("a", "again", 1)
    assert queue.wait()
