"""Broadcast: one loop polls for all listeners, and only while there are any."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import OperationalError

from lottery_system.runtime.broadcast import Broadcast
from tests.stand_ins.processes import PATIENCE, wait_for

#: polling interval in seconds, where a test waits for some
SOON = 0.01
#: polling interval in seconds, where a test shows that there is but one
NEVER = 3600


class World:
    """What is looked at; whoever looks is counted, and may find that the database is gone."""

    def __init__(self) -> None:
        self.state = 1
        self.looks = 0
        self.is_gone = False

    def look(self) -> int:
        self.looks += 1
        if self.is_gone:
            raise OperationalError("SELECT", {}, Exception("gone\nand more of it"))
        return self.state

    def wait_for_looks(self, count: int) -> None:
        """Wait until somebody has looked so many more times."""
        until = self.looks + count
        wait_for(lambda: self.looks >= until, f"{count} looks", pause=0.001)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def broadcast(world: World) -> Iterator[Broadcast[int]]:
    broadcast = Broadcast(world.look, SOON)
    yield broadcast
    broadcast.end()
    wait_until_the_loop_is_gone()


def loops() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "broadcast"]


def wait_until_the_loop_is_gone() -> None:
    wait_for(lambda: not loops(), "the loop ends", pause=0.001)


def test_nothing_is_looked_at_while_nobody_listens(world: World, broadcast: Broadcast[int]) -> None:
    broadcast.subscribe()  # which nobody iterates over

    assert not loops()
    assert world.looks == 0


def test_the_present_state_comes_first_and_then_each_that_differs(
    world: World, broadcast: Broadcast[int]
) -> None:
    states = broadcast.subscribe()

    assert next(states) == 1
    world.wait_for_looks(3)
    world.state = 2
    assert next(states) == 2


def test_the_loop_ends_with_the_last_listener_and_begins_anew_with_the_next(
    world: World, broadcast: Broadcast[int]
) -> None:
    first, second = broadcast.subscribe(), broadcast.subscribe()
    assert next(first) == next(second) == 1

    first.close()
    assert broadcast.listener_count == 1
    world.wait_for_looks(3)
    second.close()
    wait_until_the_loop_is_gone()
    looks = world.looks
    world.state = 2

    assert next(broadcast.subscribe()) == 2  # and nothing from before
    assert world.looks > looks


def test_two_who_listen_need_one_look(world: World) -> None:
    broadcast = Broadcast(world.look, interval=NEVER)
    listeners = [broadcast.subscribe() for _ in range(2)]

    assert [next(each) for each in listeners] == [1, 1]
    assert world.looks == 1
    assert len(loops()) == 1
    broadcast.end()
    wait_until_the_loop_is_gone()


def test_who_is_slow_gets_the_newest(world: World, broadcast: Broadcast[int]) -> None:
    slow, quick = broadcast.subscribe(), broadcast.subscribe()
    assert next(slow) == next(quick) == 1

    for world.state in (2, 3, 4):
        assert next(quick) == world.state

    assert next(slow) == 4


def test_silence_is_broken_now_and_then(world: World) -> None:
    broadcast = Broadcast(world.look, SOON, keep_alive=3 * SOON)
    states = broadcast.subscribe()

    assert [next(states) for _ in range(3)] == [1, None, None]
    assert world.looks > 6
    broadcast.end()
    wait_until_the_loop_is_gone()


def test_the_end_is_the_end_for_all(world: World) -> None:
    broadcast = Broadcast(world.look, interval=NEVER)

    with ThreadPoolExecutor(8) as pool:
        listening = [pool.submit(list, broadcast.subscribe()) for _ in range(8)]
        wait_for(lambda: broadcast.listener_count == 8, "all listen")
        wait_for(lambda: world.looks == 1, "the first look")
        broadcast.end()
        heard = [each.result(PATIENCE) for each in listening]

    assert all(each in ([], [1]) for each in heard)
    wait_until_the_loop_is_gone()
    assert list(broadcast.subscribe()) == []
    assert (broadcast.listener_count, world.looks) == (0, 1)


class LockAfter:
    """A lock before which something happens, once."""

    def __init__(self, lock: threading.Lock, happens: Callable[[], None]) -> None:
        self._lock, self._happens = lock, [happens]

    def __enter__(self) -> None:
        while self._happens:
            self._happens.pop()()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_an_end_that_comes_just_before_a_state_is_taken_is_heard(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcast = Broadcast(world.look, interval=NEVER)
    states = broadcast.subscribe()
    assert next(states) == 1
    (call,) = broadcast._calls
    monkeypatch.setattr(broadcast, "_lock", LockAfter(broadcast._lock, broadcast.end))
    call.set()

    heard: list[int | None] = []
    listener = threading.Thread(target=lambda: heard.extend(states), daemon=True)
    listener.start()
    listener.join(PATIENCE)

    assert not listener.is_alive()
    assert heard == []
    wait_until_the_loop_is_gone()


def test_who_comes_while_others_are_told_hears_a_state_once() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that threads meet at every line
    try:
        for _ in range(100):
            test_the_end_is_the_end_for_all(World())
    finally:
        sys.setswitchinterval(interval)


def test_the_end_does_not_wait_for_a_look() -> None:
    looking, answer = threading.Event(), threading.Event()

    def look() -> int:
        looking.set()
        answer.wait()
        return 1

    broadcast = Broadcast(look)
    with ThreadPoolExecutor(1) as pool:
        listening = pool.submit(list, broadcast.subscribe())
        looking.wait()
        broadcast.end()
        assert listening.result(PATIENCE) == []
    answer.set()
    wait_until_the_loop_is_gone()


def test_a_database_that_is_gone_is_told_once_and_asked_again(
    world: World, broadcast: Broadcast[int], caplog: pytest.LogCaptureFixture
) -> None:
    states = broadcast.subscribe()
    assert next(states) == 1

    with caplog.at_level(logging.ERROR):
        world.is_gone = True
        world.wait_for_looks(5)
    world.state, world.is_gone = 2, False

    assert next(states) == 2
    (said,) = caplog.records
    assert "gone" in said.getMessage()
    assert "\n" not in said.getMessage()
    assert not said.exc_info


def test_many_come_and_go_and_everybody_hears_the_last_state(
    world: World, broadcast: Broadcast[int]
) -> None:
    last = 200

    def listen(patience: int) -> None:
        """Go away after some states and come again, until the last one is heard."""
        while True:
            states = broadcast.subscribe()
            for _ in range(patience):
                if next(states) == last:
                    return
            states.close()

    with ThreadPoolExecutor(16) as pool:
        listening = [pool.submit(listen, 1 + n % 4) for n in range(16)]
        while world.state < last:
            world.state += 1
            world.wait_for_looks(1)
        for each in listening:
            each.result(timeout=PATIENCE)

    wait_until_the_loop_is_gone()
    assert broadcast.listener_count == 0
