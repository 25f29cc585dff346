"""Fair queue: owners take turns, however many items each has waiting (round robin)."""

import threading
from collections import Counter, deque
from collections.abc import Hashable
from queue import Full
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items by owner; an owner that had a turn goes to the end.

    Args:
        capacity: how many items may wait.
        each: how many of them may be one owner's.
    """

    def __init__(self, capacity: int, each: int) -> None:
        self._capacity = capacity
        self._each = each
        self._changed = threading.Condition()
        #: each owner's items with their sizes, in the order of the owners' turns
        self._waiting: dict[Hashable, deque[tuple[Item, int]]] = {}
        self._count = 0
        self._is_ended = False

    def __len__(self) -> int:
        """Return how many items wait."""
        return self._count

    def put(self, owner: Hashable, item: Item, size: int) -> None:
        """Let an item wait, behind those of its owner.

        Raises:
            Full: too many items wait, or too many of this owner.
        """
        with self._changed:
            mine = self._waiting.get(owner)
            if self._count >= self._capacity or (mine and len(mine) >= self._each):
                raise Full
            if mine is None:
                mine = self._waiting[owner] = deque()
            mine.append((item, size))
            self._count += 1
            self._changed.notify()

    def end(self) -> None:
        """Have `wait` tell, once nothing waits any more, that the end has come."""
        with self._changed:
            self._is_ended = True
            self._changed.notify()

    def wait(self) -> bool:
        """Wait for an item; False if there is none and the end has come, which is then past."""
        with self._changed:
            while not self._waiting and not self._is_ended:
                self._changed.wait()
            if not self._waiting:
                self._is_ended = False
                return False
            return True

    def take(self, most: int, share: int) -> list[Item]:
        """Take waiting items, one of each owner in turn, repeatedly.

        Args:
            most: nothing more is taken once the sizes of what was come to this.
            share: nor of an owner, once those of its own come to this.
        """
        taken: list[Item] = []
        total = 0
        shares: Counter[Hashable] = Counter()
        with self._changed:
            turns = deque(self._waiting)
            while turns and total < most:
                owner = turns.popleft()
                mine = self._waiting.pop(owner)
                item, size = mine.popleft()
                taken.append(item)
                total += size
                shares[owner] += size
                if mine:
                    self._waiting[owner] = mine
                    if shares[owner] < share:
                        turns.append(owner)
            self._count -= len(taken)
        return taken
