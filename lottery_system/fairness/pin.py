"""Pin: a lottery's key and H of its genesis, to be noted (daily-draw/v1, section 5: signed notes).

    lottery.example+f7a1ca9c+<base64>@<64 hex digits of H(genesis)>

A key alone would let its owner begin another journal under it, with other secrets.
"""

import re
from typing import NamedTuple

from lottery_system.fairness.merkle import HASH_BYTES
from lottery_system.fairness.note import NoteError, VerifierKey, format_vkey, parse_vkey

_GENESIS = re.compile(rf"[0-9a-f]{{{2 * HASH_BYTES}}}", re.ASCII)


class Pin(NamedTuple):
    """Whose journal to believe."""

    key: VerifierKey
    #: H of the genesis, 32 bytes; None if the key was noted alone
    genesis: bytes | None


def format_pin(key: VerifierKey, genesis: bytes) -> str:
    """Write a key and H of the genesis of its journal as one line."""
    return f"{format_vkey(key)}@{genesis.hex()}"


def parse_pin(text: str) -> Pin:
    """Read a pin, or a key that was noted alone.

    Raises:
        NoteError: it is neither.
    """
    vkey, separator, genesis = text.partition("@")
    if separator and not _GENESIS.fullmatch(genesis):
        raise NoteError("behind the @ of a key there are 64 hex digits, in lower case")
    return Pin(parse_vkey(vkey), bytes.fromhex(genesis) if separator else None)
