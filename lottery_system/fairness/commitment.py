"""Commitments: the secret chain, and the salted hash of a ballot's holder."""

from hashlib import sha256

from lottery_system.fairness.records import NAMESPACE

SECRET_BYTES = 32
SALT_BYTES = 16
HOLDER_BYTES = 32
#: links of the chain: a draw a day for a hundred years (daily-draw/v1, section 7: secret chain)
DRAWS = 36525

_HOLDER = NAMESPACE + b"holder\n"
_CHAIN = NAMESPACE + b"chain\n"


def holder_hash(salt: bytes, username: str) -> bytes:
    r"""Return H(NS || "holder\n" || salt || username), which names nobody without the salt.

    Args:
        salt: 16 random bytes of this ballot alone.
        username: as stored; hashed as UTF-8.

    Raises:
        ValueError: the salt has another length.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return sha256(_HOLDER + salt + username.encode()).digest()


def holder_hashes(salts: bytes, username: str) -> bytes:
    """Return the `holder_hash` of each salt, one after the other, for the ballots of one click.

    Raises:
        ValueError: the last salt is cut off.
    """
    if len(salts) % SALT_BYTES:
        raise ValueError(f"{len(salts)} bytes are no salts of {SALT_BYTES} bytes")
    name = username.encode()
    return b"".join(
        [
            sha256(_HOLDER + salts[at : at + SALT_BYTES] + name).digest()
            for at in range(0, len(salts), SALT_BYTES)
        ]
    )


def follow_chain(link: bytes, steps: int) -> bytes:
    r"""Go along the secret chain: c_(i+1) = H(NS || "chain\n" || c_i)."""
    for _ in range(steps):
        link = sha256(_CHAIN + link).digest()
    return link


def anchor_of(tip: bytes) -> bytes:
    """Return the end of the chain that begins with a tip: what the genesis promises."""
    return follow_chain(tip, DRAWS)


def reveal(tip: bytes, draw: int) -> bytes:
    """Return the link that a draw reveals.

    Raises:
        ValueError: the chain is used up, or there is no such draw.
    """
    if not 0 <= draw < DRAWS:
        raise ValueError(f"a chain of secrets is for draws 0 to {DRAWS - 1}, not for draw {draw}")
    return follow_chain(tip, DRAWS - 1 - draw)


def check_secret(secret: bytes, draw: int, anchor: bytes) -> bool:
    """Return whether a draw's secret is the one that the anchor promised."""
    return 0 <= draw < DRAWS and follow_chain(secret, draw + 1) == anchor
