"""Odd keys and signatures of Ed25519, over which libraries differ."""

from hashlib import sha512
from typing import NamedTuple

from lottery_system.fairness.edwards25519 import IDENTITY, L, P, Point, decode

MESSAGE = b"lottery.example\n5\n"
#: the base point (RFC 8032, section 5.1)
_BASE = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
assert _BASE is not None
BASE = _BASE


class OddKey(NamedTuple):
    """A public key, and whether it is taken."""

    name: str
    encoded: bytes
    is_taken: bool


class OddSignature(NamedTuple):
    """A signature of `MESSAGE`, and whether it holds."""

    name: str
    public_key: bytes
    signature: bytes
    holds: bool


def torsion() -> Point:
    """Return a point of order 8."""
    for y in range(2, 1000):
        point = decode(y.to_bytes(32, "little"))
        found = point.times(L) if point else IDENTITY
        if not found.times(4).is_identity:
            return found
    raise AssertionError("there is one")


def public_keys() -> list[OddKey]:
    """Return keys of every kind."""
    secret = 0x1234567890ABCDEF
    key, odd = BASE.times(secret), torsion()
    small = [odd.times(number) for number in range(8)]
    return [
        OddKey("of prime order", key.encode(), True),
        *(OddKey(f"of small order, {number}", each.encode(), False)
          for number, each in enumerate(small)),
        *(OddKey(f"of mixed order, {number}", (key + each).encode(), False)
          for number, each in enumerate(small) if number),
        *(OddKey(f"not canonical, {y}", (y + P | sign << 255).to_bytes(32, "little"), False)
          for y in range(19) for sign in (0, 1)),
        OddKey("x of 0 with a sign", (1 | 1 << 255).to_bytes(32, "little"), False),
        OddKey("no point", _no_point(), False),
    ]  # fmt: skip


def signed() -> list[OddSignature]:
    """Return signatures of every kind, by a key of prime order."""
    secret, nonce = 0x1234567890ABCDEF, 0xFEDCBA0987654321
    key, odd = BASE.times(secret), torsion()
    shown = key.encode()

    def sign(commitment: Point, more: int = 0) -> bytes:
        first = commitment.encode()
        challenge = int.from_bytes(sha512(first + shown + MESSAGE).digest(), "little") % L
        response = (nonce + challenge * secret) % L + more
        return first + response.to_bytes(32, "little")

    honest = BASE.times(nonce)
    return [
        OddSignature("honest", shown, sign(honest), True),
        *(OddSignature(f"R with a part of small order, {number}", shown,
                       sign(honest + odd.times(number)), False) for number in range(1, 8)),
        OddSignature("S of L and more", shown, sign(honest, L), False),
        OddSignature("R not canonical", shown, (1 + P).to_bytes(32, "little") + bytes(32), False),
    ]  # fmt: skip


def _no_point() -> bytes:
    return next(
        encoded for y in range(2, 100) if decode(encoded := y.to_bytes(32, "little")) is None
    )
