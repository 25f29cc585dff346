"""Selection of winners from a seed, without bias (daily-draw/v1, section 10: winning ballots)."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import count
from typing import NamedTuple

from lottery_system.fairness.records import NAMESPACE

SEED_BYTES = 32
PICK_BITS = 256


class Pick(NamedTuple):
    """One winning ballot: its place from 1, its number from 1, and the counter that gave it."""

    place: int
    number: int
    counter: int


def seed_of(freeze: bytes, signature: bytes | None) -> bytes:
    r"""Return the seed of a day, 32 bytes.

        H(NS || "seed beacon\n"   || H(freeze) || H(signature))      mode beacon
        H(NS || "seed operator\n" || H(freeze))                      mode operator

    Args:
        freeze: the record, verbatim.
        signature: of the day's round of the beacon; None in mode operator.
    """
    if signature is None:
        return sha256(NAMESPACE + b"seed operator\n" + sha256(freeze).digest()).digest()
    beacon = sha256(freeze).digest() + sha256(signature).digest()
    return sha256(NAMESPACE + b"seed beacon\n" + beacon).digest()


def pick_stream(seed: bytes) -> Iterator[int]:
    r"""Yield x_0, x_1, ...: x_i is H(NS || "pick\n" || seed || u64be(i)) as a big-endian integer.

    Raises:
        ValueError: the seed is not 32 bytes long.
    """
    if len(seed) != SEED_BYTES:
        raise ValueError(f"a seed has {SEED_BYTES} bytes, not {len(seed)}")
    for counter in count():
        digest = sha256(NAMESPACE + b"pick\n" + seed + counter.to_bytes(8, "big")).digest()
        yield int.from_bytes(digest, "big")


def select(stream: Iterable[int], size: int, places: int, bits: int = PICK_BITS) -> list[Pick]:
    """Take min(places, size) different numbers of 1..size from a stream of `bits`-bit integers.

    Integers at or above the greatest multiple of `size` are refused, so that no remainder is
    likelier than another; a number that has a place already is skipped.

    Raises:
        ValueError: `size` is negative or `places` is not positive.
    """
    if size < 0 or places < 1:
        raise ValueError("size must not be negative and places must be positive")
    picks: dict[int, Pick] = {}
    wanted = min(places, size)
    if not wanted:
        return []
    limit = 2**bits - 2**bits % size
    for counter, x in enumerate(stream):
        number = x % size + 1
        if x < limit and number not in picks:
            picks[number] = Pick(len(picks) + 1, number, counter)
            if len(picks) == wanted:
                break
    return list(picks.values())


def winning_ballots(seed: bytes, size: int, places: int) -> list[Pick]:
    """Draw a day: the winning ballots of `size` ballots, in the order of their places."""
    return select(pick_stream(seed), size, places)
