"""Curve edwards25519 (RFC 8032, section 5.1): which public keys of Ed25519 are taken.

Libraries differ over keys with a part of small order: under some of those a signature holds in one
library and not in another, or holds for any message. So a key is refused when it is read unless its
encoding is canonical and its point is in the subgroup of prime order. Under the keys that are left,
libraries that compare R byte by byte, and demand S < L, agree.

Nothing here is secret, so nothing takes care to run in constant time.
"""

from typing import NamedTuple

P = 2**255 - 19
#: the order of the base point
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
_ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
_SIGN = 1 << 255


class Point(NamedTuple):
    """A point in extended coordinates: x = X/Z, y = Y/Z, xy = T/Z (RFC 8032, section 5.1.4)."""

    x: int
    y: int
    z: int
    t: int

    def __add__(self, other: "Point") -> "Point":  # type: ignore[override]
        """Add two points."""
        a = (self.y - self.x) * (other.y - other.x) % P
        b = (self.y + self.x) * (other.y + other.x) % P
        c = 2 * self.t * other.t * D % P
        d = 2 * self.z * other.z % P
        e, f, g, h = b - a, d - c, d + c, b + a
        return Point(e * f % P, g * h % P, f * g % P, e * h % P)

    def times(self, factor: int) -> "Point":
        """Multiply by a number that is not negative."""
        product, doubled = IDENTITY, self
        while factor:
            if factor & 1:
                product += doubled
            doubled += doubled
            factor >>= 1
        return product

    @property
    def is_identity(self) -> bool:
        """Tell whether this is the neutral element."""
        return self.x == 0 and self.y == self.z

    def encode(self) -> bytes:
        """Encode the point as 32 bytes (RFC 8032, section 5.1.2)."""
        inverse = pow(self.z, -1, P)
        x, y = self.x * inverse % P, self.y * inverse % P
        return (y | _SIGN * (x & 1)).to_bytes(32, "little")


IDENTITY = Point(0, 1, 1, 0)


def decode(encoded: bytes) -> Point | None:
    """Decode a point from its canonical encoding (RFC 8032, section 5.1.3); None if it is none."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number % _SIGN
    if len(encoded) != 32 or y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x - u) % P:
        x = x * _ROOT_OF_MINUS_ONE % P
        if (v * x * x - u) % P:
            return None
    if x == 0 and sign:
        return None
    if x & 1 != sign:
        x = P - x
    return Point(x, y, 1, x * y % P)


def is_public_key(encoded: bytes) -> bool:
    """Tell whether 32 bytes are a key that is taken: canonical, and of prime order."""
    point = decode(encoded)
    return point is not None and not point.is_identity and point.times(L).is_identity
