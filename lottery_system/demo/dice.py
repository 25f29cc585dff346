"""Dice of the demo: numbers that look random and are the same in every demo. Pure."""

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

Thing = TypeVar("Thing")

SIDES = 1 << 48


def roll(*what: object) -> float:
    """Return a number from 0 up to 1 that depends on its arguments alone."""
    return int.from_bytes(sha256(repr(what).encode()).digest()[:6]) / SIDES


def choice(things: Sequence[Thing], *what: object) -> Thing:
    """Return one of some things, which depends on the other arguments alone."""
    return things[int(roll(*what) * len(things))]
