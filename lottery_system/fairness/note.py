"""Signed notes (C2SP signed-note) and the checkpoints of logs (C2SP tlog-checkpoint).

A note is a text that ends with a line feed, an empty line, and signature lines:

    — <key name> <base64 of 4 bytes of key id and the Ed25519 signature>

`cryptography` is imported only when a signature is made or checked.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import sha256
from typing import NamedTuple

from lottery_system.fairness.edwards25519 import is_public_key
from lottery_system.fairness.merkle import HASH_BYTES
from lottery_system.fairness.records import NAME

ED25519 = b"\x01"
KEY_BYTES = 32
KEY_ID_BYTES = 4
SIGNATURE_BYTES = 64
#: a note has at most so many signature lines, lest it costs too much to read
MAX_SIGNATURES = 16

_BASE64 = r"[A-Za-z0-9+/]+={0,2}"
_VKEY = re.compile(rf"(?P<name>{NAME})\+(?P<id>[0-9a-f]{{8}})\+(?P<key>{_BASE64})", re.ASCII)
_PRIVATE = "PRIVATE+KEY+"
#: what no note has (C2SP signed-note): control characters but the line feed
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
#: a key id, and a signature of one byte at least
_LEAST_BLOB = KEY_ID_BYTES + 1
#: another's key name may have any characters but control ones, white space and the plus sign
KEY_NAME = r"[^\x00-\x1f\s+]+"
_SIGNATURE = re.compile(rf"— (?P<name>{KEY_NAME}) (?P<signature>{_BASE64})\n")
_CHECKPOINT = re.compile(
    rf"(?P<origin>{NAME})\n(?P<size>0|[1-9][0-9]{{0,17}})\n(?P<root>[A-Za-z0-9+/]{{43}}=)\n",
    re.ASCII,
)


class NoteError(ValueError):
    """A note, key or checkpoint is malformed, or its signature does not hold."""


class NotSigned(NoteError):
    """A note has no signature, or more than one, by the key in question."""


class CryptographyMissing(RuntimeError):
    """A library that checks signatures is not installed, so that nothing can be said of them."""


class VerifierKey(NamedTuple):
    """Whose signatures to believe: a name and an Ed25519 public key."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        r"""Return the first 4 bytes of SHA-256(name || "\n" || 0x01 || public key)."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:4]


class SigningKey(NamedTuple):
    """What signs: a name and an Ed25519 private key (the seed of RFC 8032, section 5.1.5)."""

    name: str
    seed: bytes

    def __repr__(self) -> str:
        """Name the key and nothing that is secret."""
        return f"SigningKey({self.name!r})"

    @property
    def verifier(self) -> VerifierKey:
        """Return the key that checks what this one signs."""
        key = _private_key(self.seed).public_key()
        return VerifierKey(self.name, key.public_bytes_raw())


class Signature(NamedTuple):
    """What one line below a note says: whose signature it is, and the signature."""

    name: str
    key_id: bytes
    signature: bytes


class Checkpoint(NamedTuple):
    """The head of a log: whose it is, how many leaves it has, and their root."""

    origin: str
    size: int
    root: bytes


def format_vkey(key: VerifierKey) -> str:
    """Write a verifier key: `name+keyid+base64(0x01 || public key)`."""
    return f"{key.name}+{key.key_id.hex()}+{encode_base64(ED25519 + key.public_key)}"


def parse_vkey(text: str) -> VerifierKey:
    """Read a verifier key.

    Raises:
        NoteError: it is none, or its id is not that of its key.
    """
    match = _VKEY.fullmatch(text)
    data = decode_base64(match["key"]) if match else b""
    if not match or len(data) != 1 + KEY_BYTES or data[:1] != ED25519:
        raise NoteError("this is not a verifier key: name+keyid+base64 of an Ed25519 key")
    key = VerifierKey(match["name"], data[1:])
    if key.key_id.hex() != match["id"]:
        raise NoteError("the id of this verifier key is not that of its name and key")
    if not is_public_key(key.public_key):
        raise NoteError("this verifier key is weak: its point is not of prime order")
    return key


def format_signing_key(key: SigningKey) -> str:
    """Write a signing key: `PRIVATE+KEY+name+keyid+base64(0x01 || seed)`, as Go's sumdb/note."""
    return f"{_PRIVATE}{key.name}+{key.verifier.key_id.hex()}+{encode_base64(ED25519 + key.seed)}"


def parse_signing_key(text: str) -> SigningKey:
    """Read a signing key.

    Raises:
        NoteError: it is none, or its id is not that of its key. The text is not repeated.
    """
    match = _VKEY.fullmatch(text.removeprefix(_PRIVATE)) if text.startswith(_PRIVATE) else None
    data = decode_base64(match["key"]) if match else b""
    if not match or len(data) != 1 + KEY_BYTES or data[:1] != ED25519:
        raise NoteError("this is not a signing key: PRIVATE+KEY+name+keyid+base64")
    key = SigningKey(match["name"], data[1:])
    if key.verifier.key_id.hex() != match["id"]:
        raise NoteError("the id of this signing key is not that of its name and key")
    return key


def sign(text: str, key: SigningKey) -> str:
    """Sign a text, which ends with a line feed, and return the note."""
    if not text.endswith("\n"):
        raise NoteError("the text of a note ends with a line feed")
    signature = _private_key(key.seed).sign(text.encode())
    return f"{text}\n{format_signature(Signature(key.name, key.verifier.key_id, signature))}"


def open_note(note: str, key: VerifierKey) -> str:
    """Return the text of a note whose signature by a key holds.

    Signatures by other keys are skipped, as those of witnesses.

    Raises:
        NotSigned: the note has no signature by this key.
        NoteError: it is malformed, or the signature does not hold.
        CryptographyMissing: nothing can be checked here.
    """
    text, signed = split_note(note)
    mine = [
        each.signature for each in signed if each.name == key.name and each.key_id == key.key_id
    ]
    if len(mine) != 1:
        raise NotSigned(f"this note is not signed by the key {key.name}+{key.key_id.hex()}")
    if not is_signed(key.public_key, mine[0], text.encode()):
        raise NoteError("the signature of this note does not hold")
    return text


def note_text(note: str) -> str:
    """Return the text of a note, whoever signed it.

    Raises:
        NoteError: the note is malformed.
    """
    return split_note(note)[0]


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """Write the text of a checkpoint.

    lottery.example/2026-11-22
    13
    <base64 of the root>
    """
    return f"{checkpoint.origin}\n{checkpoint.size}\n{encode_base64(checkpoint.root)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint; ours have no extension lines, so none are taken.

    Raises:
        NoteError: it is none.
    """
    match = _CHECKPOINT.fullmatch(text)
    root = decode_base64(match["root"]) if match else b""
    if not match or len(root) != HASH_BYTES:
        raise NoteError("this is not a checkpoint: origin, size and root, a line each")
    return Checkpoint(match["origin"], int(match["size"]), root)


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> str:
    """Return a checkpoint as a signed note."""
    return sign(format_checkpoint(checkpoint), key)


def open_checkpoint(note: str, key: VerifierKey) -> Checkpoint:
    """Return a checkpoint whose signature by a key holds.

    Raises:
        NoteError: as `open_note` and `parse_checkpoint`.
        CryptographyMissing: nothing can be checked here.
    """
    return parse_checkpoint(open_note(note, key))


def split_note(note: str) -> tuple[str, list[Signature]]:
    """Part a note into its text and its signatures, which nothing here has checked.

    Raises:
        NoteError: the note is malformed.
    """
    text, separator, lines = note.rpartition("\n\n")
    if not separator:
        raise NoteError(_NO_NOTE)
    if _CONTROL.search(note):
        raise NoteError("this note has control characters")
    return text + "\n", parse_signatures(lines)


def parse_signatures(text: str) -> list[Signature]:
    """Read signature lines, as they stand below a note, or as a witness answers.

    Raises:
        NoteError: a line is malformed, or there are none, or more than `MAX_SIGNATURES`.
    """
    lines = [line + "\n" for line in text.split("\n")]
    if lines.pop() != "\n" or not 1 <= len(lines) <= MAX_SIGNATURES:
        raise NoteError(_NO_NOTE)
    matches = [_SIGNATURE.fullmatch(line) for line in lines]
    signed = [(each["name"], decode_base64(each["signature"])) for each in matches if each]
    if len(signed) != len(lines) or any(len(blob) < _LEAST_BLOB for _, blob in signed):
        raise NoteError("a signature line of this note is malformed")
    return [Signature(name, blob[:KEY_ID_BYTES], blob[KEY_ID_BYTES:]) for name, blob in signed]


_NO_NOTE = "this is not a signed note: a text, an empty line, signature lines"


def format_signature(signature: Signature) -> str:
    """Write a signature as a line below a note."""
    return f"— {signature.name} {encode_base64(signature.key_id + signature.signature)}\n"


def encode_base64(data: bytes) -> str:
    """Write base64 as notes and keys have it (RFC 4648, section 4)."""
    return b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Decode base64 that is written in the one right way; anything else gives nothing."""
    try:
        data = b64decode(text, validate=True)
    except Base64Error:
        return b""
    return data if encode_base64(data) == text else b""


def _private_key(seed: bytes):  # type: ignore[no-untyped-def]  # a type of what may be missing
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise CryptographyMissing("Ed25519 needs `pip install cryptography`") from None
    return Ed25519PrivateKey.from_private_bytes(seed)


def is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether an Ed25519 signature holds.

    Raises:
        CryptographyMissing: nothing can be checked here.
    """
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise CryptographyMissing("Ed25519 needs `pip install cryptography`") from None
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
