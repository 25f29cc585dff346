"""Request coalescing: concurrent queries share a statement, and each gets its own answer."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest

from lottery_system.runtime.gathering import Gathering
from tests.stand_ins.processes import PATIENCE, wait_for


class Oracle:
    """Answers with the square; waits for a nod before each answer, and knows no odd number."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.nods = [Event() for _ in range(10)]

    def __call__(self, questions: Sequence[int]) -> dict[int, int]:
        nod = self.nods[len(self.asked)]
        self.asked.append(sorted(questions))
        assert nod.wait(PATIENCE)
        if 13 in questions:
            raise ValueError("13")
        return {each: each * each for each in questions if each % 2 == 0}


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as pool:
        yield pool


def ask(
    pool: ThreadPoolExecutor, oracle: Oracle, first: int, meanwhile: Sequence[int] = ()
) -> list[Future[int | None]]:
    """Ask a question and, while it is on its way, some more."""
    gathering = Gathering(oracle)
    futures = [pool.submit(gathering.ask, first)]
    wait_for(lambda: oracle.asked, "the first is asked")
    futures += [pool.submit(gathering.ask, each) for each in meanwhile]
    wait_for(lambda: len(gathering._waiting) == len(meanwhile), "the others wait")
    for nod in oracle.nods:
        nod.set()
    return futures


def test_whoever_comes_alone_asks_at_once(pool: ThreadPoolExecutor) -> None:
    oracle = Oracle()

    (future,) = ask(pool, oracle, 4)

    assert future.result(PATIENCE) == 16
    assert oracle.asked == [[4]]


def test_those_who_come_meanwhile_are_asked_for_together(pool: ThreadPoolExecutor) -> None:
    oracle = Oracle()

    futures = ask(pool, oracle, 2, [4, 5, 6, 6])

    assert [each.result(PATIENCE) for each in futures] == [4, 16, None, 36, 36]
    assert oracle.asked == [[2], [4, 5, 6, 6]]


def test_an_error_reaches_all_who_asked_together_and_nobody_else(pool: ThreadPoolExecutor) -> None:
    oracle = Oracle()

    first, *together = ask(pool, oracle, 2, [13, 4])

    assert first.result(PATIENCE) == 4
    for each in together:
        with pytest.raises(ValueError, match="13"):
            each.result(PATIENCE)


@pytest.mark.parametrize("is_long", [True, False])
def test_a_long_outage_reaches_those_who_came_meanwhile_and_nobody_later(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, is_long: bool
) -> None:
    """They have waited for one statement that failed, and would for the next."""
    monkeypatch.setattr("lottery_system.runtime.gathering.LONG", 0 if is_long else 3600)
    nod = Event()

    def ask_all(questions: Sequence[int]) -> dict[int, int]:
        if 13 not in questions:
            return {each: each for each in questions}
        assert nod.wait(PATIENCE)
        raise ConnectionError("the database does not answer")

    gathering = Gathering(ask_all, (ConnectionError,))
    first = pool.submit(gathering.ask, 13)
    wait_for(lambda: gathering._is_asking and not gathering._waiting, "the first is asked")
    meanwhile = pool.submit(gathering.ask, 4)
    wait_for(lambda: gathering._waiting, "another waits")
    nod.set()

    with pytest.raises(ConnectionError):
        first.result(PATIENCE)
    if is_long:
        with pytest.raises(ConnectionError):
            meanwhile.result(PATIENCE)
    else:
        assert meanwhile.result(PATIENCE) == 4
    assert gathering.ask(6) == 6


def test_after_an_error_others_are_answered(pool: ThreadPoolExecutor) -> None:
    oracle = Oracle()
    gathering = Gathering(oracle)
    for nod in oracle.nods:
        nod.set()
    with pytest.raises(ValueError, match="13"):
        gathering.ask(13)

    assert gathering.ask(2) == 4
