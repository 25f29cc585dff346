"""Cosignatures of witnesses (C2SP tlog-cosignature): a log's checkpoint, signed with the time.

A witness says that at this time the checkpoint was the newest of the log that it had seen, and that
it contradicts no older one. Its line below the checkpoint is like any of a note:

    — <key name> <base64 of 4 bytes of key id, u64be(time) and the signature>

Keys are Ed25519 or ML-DSA-44. Where `cryptography` is too old to have the latter, the cosignatures
of such a key cannot be checked.
"""

import re
from hashlib import sha256
from typing import NamedTuple

from lottery_system.fairness.edwards25519 import is_public_key
from lottery_system.fairness.note import (
    KEY_ID_BYTES,
    KEY_NAME,
    MAX_SIGNATURES,
    CryptographyMissing,
    NoteError,
    Signature,
    decode_base64,
    encode_base64,
    is_signed,
    parse_checkpoint,
)

ED25519, ML_DSA_44 = b"\x04", b"\x06"
#: bytes of a public key and of a signature
_BYTES = {ED25519: (32, 64), ML_DSA_44: (1312, 2420)}
TIME_BYTES = 8
#: lines below a checkpoint, beside the log's own
MAX_COSIGNATURES = MAX_SIGNATURES - 1
MAX_TIME = 2**63 - 1
#: of a key name in UTF-8, since one byte says how many there are
MAX_NAME_BYTES = 255

_VKEY = re.compile(
    rf"(?P<name>{KEY_NAME})\+(?P<id>[0-9a-f]{{{2 * KEY_ID_BYTES}}})\+(?P<key>[A-Za-z0-9+/]+=*)",
)


class WitnessKey(NamedTuple):
    """Whose cosignatures to believe: a name, `ED25519` or `ML_DSA_44`, and a public key."""

    name: str
    algorithm: bytes
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        r"""Return the first 4 bytes of SHA-256(name || "\n" || algorithm || public key)."""
        named = self.name.encode() + b"\n" + self.algorithm + self.public_key
        return sha256(named).digest()[:KEY_ID_BYTES]


def format_witness_key(key: WitnessKey) -> str:
    """Write a witness's key: `name+keyid+base64(algorithm || public key)`."""
    return f"{key.name}+{key.key_id.hex()}+{encode_base64(key.algorithm + key.public_key)}"


def parse_witness_key(text: str) -> WitnessKey:
    """Read a witness's key.

    Raises:
        NoteError: it is none, or its id is not that of its key, or the key is weak.
    """
    match = _VKEY.fullmatch(text)
    data = decode_base64(match["key"]) if match else b""
    key_bytes, _ = _BYTES.get(data[:1], (None, None))
    if (
        not match
        or len(data) - 1 != key_bytes
        or len(match["name"].encode("utf-8", "replace")) > MAX_NAME_BYTES
    ):
        raise NoteError(
            "this is not a witness's key: name+keyid+base64 of an Ed25519 key of type 4, "
            "or of an ML-DSA-44 key of type 6"
        )
    key = WitnessKey(match["name"], data[:1], data[1:])
    if key.key_id.hex() != match["id"]:
        raise NoteError("the id of this witness's key is not that of its name and key")
    if key.algorithm == ED25519 and not is_public_key(key.public_key):
        raise NoteError("this witness's key is weak: its point is not of prime order")
    return key


def is_by(signature: Signature, key: WitnessKey) -> bool:
    """Tell whether a signature line says that it is by a witness: its name, and its key's id."""
    return signature.name == key.name and signature.key_id == key.key_id


def time_of(signature: Signature, key: WitnessKey) -> int:
    """Return the time that a witness's signature line states, in seconds since 1970; unchecked.

    Raises:
        NoteError: the line has another length than one by this key, or no time.
    """
    time = int.from_bytes(signature.signature[:TIME_BYTES], "big")
    _, signature_bytes = _BYTES[key.algorithm]
    if len(signature.signature) != TIME_BYTES + signature_bytes or not 0 < time <= MAX_TIME:
        raise NoteError(f"the cosignature by {key.name} is malformed")
    return time


def check_cosignature(signature: Signature, key: WitnessKey, text: str) -> int:
    """Check a witness's signature line, and return when it was made, in seconds since 1970.

    Args:
        signature: a line for which `is_by` holds.
        key: the witness's.
        text: of the checkpoint, without its signatures.

    Raises:
        NoteError: the signature does not hold, or the text is no checkpoint.
        CryptographyMissing: signatures of this kind cannot be checked here.
    """
    time = time_of(signature, key)
    holds = is_signed if key.algorithm == ED25519 else _is_signed_ml_dsa
    message = signed_message(key, time, text)
    if not holds(key.public_key, signature.signature[TIME_BYTES:], message):
        raise NoteError(f"the cosignature by {key.name} does not hold")
    return time


def signed_message(key: WitnessKey, time: int, text: str) -> bytes:
    """Return what a witness signs.

    Args:
        key: the witness's.
        time: seconds since 1970.
        text: of the checkpoint, without its signatures.

    Raises:
        NoteError: the text is no checkpoint.
    """
    checkpoint = parse_checkpoint(text)
    if key.algorithm == ED25519:
        return f"cosignature/v1\ntime {time}\n{text}".encode()
    name, origin = key.name.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            b"subtree/v1\n\x00",
            bytes([len(name)]) + name,
            time.to_bytes(8, "big"),
            bytes([len(origin)]) + origin,
            bytes(8),  # from the first leaf on
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def _is_signed_ml_dsa(public_key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
    except ImportError:
        raise CryptographyMissing(_NO_ML_DSA) from None
    try:
        MLDSA44PublicKey.from_public_bytes(public_key).verify(signature, message)
    except UnsupportedAlgorithm:
        raise CryptographyMissing(_NO_ML_DSA) from None
    except (InvalidSignature, ValueError):
        return False
    return True


_NO_ML_DSA = "ML-DSA-44 needs `pip install --upgrade cryptography`"
