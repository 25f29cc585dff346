"""The public beacon drand: a day's round, and the verification of its signature.

Round, period, genesis, chain hash and signature are drand's terms (docs.drand.love). Only its
scheme `bls-unchained-g1-rfc9380` is supported: signatures in G1, public keys in G2 of BLS12-381,
messages hashed to the curve as in RFC 9380. `py-arkworks-bls12381` is imported only when a
signature is checked.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from lottery_system.fairness.note import CryptographyMissing

SCHEME = "bls-unchained-g1-rfc9380"
DST = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
SIGNATURE_BYTES = 48
PUBLIC_KEY_BYTES = 96


class ChainInfo(NamedTuple):
    """What is fixed for the life of a drand network, all of it named by its chain hash."""

    #: 96 bytes, a compressed point of G2
    public_key: bytes
    #: seconds between two rounds
    period: int
    #: the time of round 1, in seconds since 1970
    genesis_time: int
    group_hash: bytes
    scheme_id: str
    beacon_id: str

    @property
    def chain_hash(self) -> bytes:
        """Return the name that fixes all of it, 32 bytes.

        SHA-256(u32be(period) || i64be(genesis_time) || public_key || group_hash || beacon_id)

        Raises:
            ValueError: a number does not fit.
        """
        try:
            period = self.period.to_bytes(4, "big")
            genesis_time = self.genesis_time.to_bytes(8, "big", signed=True)
        except OverflowError:
            raise ValueError("period or genesis time do not fit into their fields") from None
        beacon_id = self.beacon_id.encode()
        return sha256(
            period + genesis_time + self.public_key + self.group_hash + beacon_id
        ).digest()


#: drand's mainnet of three-second rounds
QUICKNET = ChainInfo(
    public_key=bytes.fromhex(
        "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"
        "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"
        "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
    ),
    period=3,
    genesis_time=1692803367,
    group_hash=bytes.fromhex("f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e"),
    scheme_id=SCHEME,
    beacon_id="quicknet",
)


def due_time(closes: datetime, frozen: datetime, gap: int) -> datetime:
    """Return from when on a day's round is due: the gap after closing, or after a late freezing.

    A day is frozen late where its first round's time had come when it was frozen, since the number
    might have been known by then.
    """
    delay = timedelta(seconds=gap)
    return frozen + delay if frozen >= closes + delay else closes + delay


def is_late(closes: datetime, frozen: datetime, gap: int) -> bool:
    """Return whether a day was frozen so late that its round had to move."""
    return frozen >= closes + timedelta(seconds=gap)


def round_at(info: ChainInfo, at: datetime) -> int:
    """Return the first round at an instant or after it: ceil((t - genesis_time) / period) + 1."""
    seconds = round(at.timestamp()) - info.genesis_time
    return max(1, -(-seconds // info.period) + 1)


def time_of(info: ChainInfo, number: int) -> int:
    """Return when a round is signed, in seconds since 1970."""
    return info.genesis_time + (number - 1) * info.period


def check_signature(info: ChainInfo, number: int, signature: bytes) -> bool:
    """Return whether a signature is the network's own for a round.

    By pairing, against SHA-256(u64be(round)) hashed to G1: e(signature, -g2) e(H, key) = 1.

    Raises:
        CryptographyMissing: nothing can be checked here.
    """
    try:
        from py_arkworks_bls12381 import GT, G1Point, G2Point
    except ImportError:
        raise CryptographyMissing("BLS12-381 needs `pip install py-arkworks-bls12381`") from None
    if info.scheme_id != SCHEME or not 1 <= number < 2**64:
        return False
    if len(signature) != SIGNATURE_BYTES or len(info.public_key) != PUBLIC_KEY_BYTES:
        return False
    message = sha256(number.to_bytes(8, "big")).digest()
    try:
        point = G1Point.from_compressed_bytes(signature)
        key = G2Point.from_compressed_bytes(info.public_key)
    except ValueError:
        return False
    if point == G1Point.identity() or key == G2Point.identity():
        return False
    hashed = G1Point.hash_to_curve(message, DST)
    return bool(GT.pairing_check([point, hashed], [-G2Point(), key]))
