"""Certificates and receipts, as JSON (daily-draw/v1, section 11: certificate, receipt).

The texts inside the JSON are hashed, so spacing and key order of the JSON do not matter. Everything
else is strict: missing, unknown or repeated keys, numbers that are not integers, and other
spellings of hex or base64 are refused.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, TypeVar

from lottery_system.fairness.beacon import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, ChainInfo
from lottery_system.fairness.commitment import SALT_BYTES
from lottery_system.fairness.merkle import HASH_BYTES

CERTIFICATE = "daily-draw/v1 certificate"
RECEIPT = "daily-draw/v1 receipt"
#: bytes of a JSON file; that of a thousand winners among a billion ballots has half of it
MAX_BYTES = 8 * 1024 * 1024
#: nothing that a certificate or receipt counts is greater
MAX_INTEGER = 10**18
#: a proof is no longer than the height of a tree
MAX_PROOF = 64

T = TypeVar("T")


class Unreadable(ValueError):
    """A file is no JSON that could be a certificate or a receipt."""


class FormatError(ValueError):
    """JSON does not have the form of a certificate or a receipt; the message says where."""


class Holder(NamedTuple):
    """What opens a ballot's holder hash."""

    username: str
    salt: bytes

    def __repr__(self) -> str:
        """Name the holder and nothing that others may not know."""
        return f"Holder({self.username!r})"


@dataclass(frozen=True)
class Journal:
    """How genesis and freeze stand in the journal."""

    #: a signed note
    checkpoint: str
    genesis_proof: Sequence[bytes]
    #: the freeze's leaf
    index: int
    proof: Sequence[bytes]


class Beacon(NamedTuple):
    """The round of the beacon that the day fixed."""

    round: int
    signature: bytes
    chain_info: ChainInfo


class Winner(NamedTuple):
    """A winning ballot and its proof."""

    place: int
    number: int
    #: the i of the x_i that gave it
    counter: int
    #: the record, verbatim
    ballot: str
    proof: Sequence[bytes]
    holder: Holder


class Certificate(NamedTuple):
    """All that shows how the winning ballots of a day follow from what was fixed before."""

    #: the records, verbatim
    genesis: str
    freeze: str
    journal: Journal
    beacon: Beacon | None
    winners: Sequence[Winner]
    #: a hint, which never replaces the key that the verifier was given
    log_key: str


@dataclass(frozen=True)
class Receipt:
    """What shows that a ballot was taken: it stands in the day's log that a checkpoint signs."""

    #: the record, verbatim
    ballot: str
    holder: Holder
    index: int
    proof: Sequence[bytes]
    #: of the day's log, a signed note
    checkpoint: str


def format_certificate(certificate: Certificate) -> str:
    """Write a certificate as JSON."""
    beacon = certificate.beacon
    return write_json(
        {
            "format": CERTIFICATE,
            "genesis": certificate.genesis,
            "freeze": certificate.freeze,
            "journal": {
                "checkpoint": certificate.journal.checkpoint,
                "genesis_proof": _hexes(certificate.journal.genesis_proof),
                "index": certificate.journal.index,
                "proof": _hexes(certificate.journal.proof),
            },
            "beacon": beacon and {
                "round": beacon.round,
                "signature": beacon.signature.hex(),
                "chain_info": _chain_info_json(beacon.chain_info),
            },
            "winners": [
                {
                    "place": winner.place,
                    "number": winner.number,
                    "counter": winner.counter,
                    "ballot": winner.ballot,
                    "proof": _hexes(winner.proof),
                    "holder": _holder_json(winner.holder),
                }
                for winner in certificate.winners
            ],
            "log_key": certificate.log_key,
        }
    )  # fmt: skip


def format_receipt(receipt: Receipt) -> str:
    """Write a receipt as JSON."""
    return write_json(
        {
            "format": RECEIPT,
            "ballot": receipt.ballot,
            "holder": _holder_json(receipt.holder),
            "index": receipt.index,
            "proof": _hexes(receipt.proof),
            "checkpoint": receipt.checkpoint,
        }
    )


def parse_certificate(json_text: bytes) -> Certificate:
    """Read a certificate.

    Raises:
        Unreadable: this is no JSON of a sensible size.
        FormatError: it is, but has not the form of a certificate.
    """
    root = Fields(load_strictly(json_text), "the certificate")
    root.constant("format", CERTIFICATE)
    certificate = Certificate(
        genesis=root.text("genesis"),
        freeze=root.text("freeze"),
        journal=root.child("journal", _journal),
        beacon=root.optional("beacon", _beacon),
        winners=root.children("winners", _winner),
        log_key=root.text("log_key"),
    )
    root.end()
    return certificate


def parse_receipt(json_text: bytes) -> Receipt:
    """Read a receipt.

    Raises:
        Unreadable: this is no JSON of a sensible size.
        FormatError: it is, but has not the form of a receipt.
    """
    root = Fields(load_strictly(json_text), "the receipt")
    root.constant("format", RECEIPT)
    receipt = Receipt(
        ballot=root.text("ballot"),
        holder=root.child("holder", _holder),
        index=root.integer("index"),
        proof=root.hashes("proof"),
        checkpoint=root.text("checkpoint"),
    )
    root.end()
    return receipt


def format_chain_info(info: ChainInfo) -> str:
    """Write a beacon's chain info as JSON, as it stands in certificates."""
    return write_json(_chain_info_json(info))


def parse_chain_info(value: object) -> ChainInfo:
    """Read a beacon's chain info out of loaded JSON.

    Raises:
        FormatError: it has another form.
    """
    info = Fields(value, "chain_info")
    chain = _chain_info(info)
    info.end()
    return chain


def load_strictly(json_text: bytes, most: int = MAX_BYTES) -> object:
    """Load JSON in which no key is repeated and every number is an integer.

    Args:
        most: bytes that it may have.

    Raises:
        Unreadable: it is something else, or larger.
    """
    if len(json_text) > most:
        raise Unreadable(f"this is larger than {most // 2**20} MiB")
    try:
        return json.loads(
            json_text.decode("utf-8"),
            object_pairs_hook=_without_repeats,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
            parse_int=_integer,
        )
    except Unreadable:
        raise
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"this is not JSON ({str(error)[:100]})") from None


class Fields:
    """An object of loaded JSON, of which each key is asked for once."""

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, dict):
            raise FormatError(f"{what} is not an object")
        self._rest: dict[str, Any] = dict(value)
        self._what = what

    def take(self, key: str) -> Any:
        """Return a value of any type; each method raises `FormatError` where it is another."""
        if key not in self._rest:
            raise FormatError(f"{self._what} lacks {key!r}")
        return self._rest.pop(key)

    def end(self) -> None:
        """Demand that nothing is left over."""
        if self._rest:
            raise FormatError(f"{self._what} has an unknown key {next(iter(self._rest))[:40]!r}")

    def text(self, key: str) -> str:
        """Return a text of Unicode."""
        value = self.take(key)
        if not isinstance(value, str):
            self._refuse(key, "a text")
        try:
            value.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            self._refuse(key, "a text of Unicode")
        return value

    def constant(self, key: str, expected: str) -> None:
        """Demand one text."""
        if self.text(key) != expected:
            self._refuse(key, repr(expected))

    def integer(self, key: str) -> int:
        """Return an integer from 0 to 10^18."""
        value = self.take(key)
        if type(value) is not int or not 0 <= value <= MAX_INTEGER:  # True is an int, too
            self._refuse(key, "an integer from 0 on")
        return value

    def bytes_of(self, key: str, length: int) -> bytes:
        """Return so many bytes that are written in lower-case hex."""
        value = self.text(key)
        if not re.fullmatch(rf"[0-9a-f]{{{2 * length}}}", value, re.ASCII):
            self._refuse(key, f"{length} bytes in lower-case hex")
        return bytes.fromhex(value)

    def hashes(self, key: str) -> list[bytes]:
        """Return the hashes of a proof."""
        values = self._list(key)
        if len(values) > MAX_PROOF:
            self._refuse(key, f"at most {MAX_PROOF} hashes")
        return [Fields({key: value}, self._what).bytes_of(key, HASH_BYTES) for value in values]

    def child(self, key: str, read: "Callable[[Fields], T]") -> T:
        """Return what an object is read as."""
        return _read(self.take(key), key, read)

    def optional(self, key: str, read: "Callable[[Fields], T]") -> T | None:
        """Return what an object is read as; None for null."""
        value = self.take(key)
        return None if value is None else _read(value, key, read)

    def children(self, key: str, read: "Callable[[Fields], T]") -> list[T]:
        """Return what each object of a list is read as."""
        return [_read(value, f"{key}[{at}]", read) for at, value in enumerate(self._list(key))]

    def _list(self, key: str) -> list[Any]:
        value = self.take(key)
        if not isinstance(value, list):
            self._refuse(key, "a list")
        return value

    def _refuse(self, key: str, expected: str) -> NoReturn:
        raise FormatError(f"{key!r} of {self._what} is not {expected}")


def _read(value: object, what: str, read: Callable[[Fields], T]) -> T:
    fields = Fields(value, what)
    result = read(fields)
    fields.end()
    return result


def _journal(fields: Fields) -> Journal:
    return Journal(
        checkpoint=fields.text("checkpoint"),
        genesis_proof=fields.hashes("genesis_proof"),
        index=fields.integer("index"),
        proof=fields.hashes("proof"),
    )


def _beacon(fields: Fields) -> Beacon:
    return Beacon(
        round=fields.integer("round"),
        signature=fields.bytes_of("signature", SIGNATURE_BYTES),
        chain_info=fields.child("chain_info", _chain_info),
    )


def _chain_info(fields: Fields) -> ChainInfo:
    return ChainInfo(
        public_key=fields.bytes_of("public_key", PUBLIC_KEY_BYTES),
        period=fields.integer("period"),
        genesis_time=fields.integer("genesis_time"),
        group_hash=fields.bytes_of("group_hash", HASH_BYTES),
        scheme_id=fields.text("scheme_id"),
        beacon_id=fields.text("beacon_id"),
    )


def _winner(fields: Fields) -> Winner:
    return Winner(
        place=fields.integer("place"),
        number=fields.integer("number"),
        counter=fields.integer("counter"),
        ballot=fields.text("ballot"),
        proof=fields.hashes("proof"),
        holder=fields.child("holder", _holder),
    )


def _holder(fields: Fields) -> Holder:
    return Holder(username=fields.text("username"), salt=fields.bytes_of("salt", SALT_BYTES))


def _chain_info_json(info: ChainInfo) -> dict[str, object]:
    return {
        "public_key": info.public_key.hex(),
        "period": info.period,
        "genesis_time": info.genesis_time,
        "group_hash": info.group_hash.hex(),
        "scheme_id": info.scheme_id,
        "beacon_id": info.beacon_id,
    }


def _holder_json(holder: Holder) -> dict[str, str]:
    return {"username": holder.username, "salt": holder.salt.hex()}


def _hexes(hashes: Sequence[bytes]) -> list[str]:
    return [each.hex() for each in hashes]


def write_json(value: Mapping[str, object]) -> str:
    """Write JSON in the one way of all files of this protocol, with a line feed at the end."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Unreadable("a key of this JSON is repeated")
    return members


def _integer(text: str) -> int:
    if len(text) > len(str(MAX_INTEGER)):
        raise Unreadable("a number of this JSON is too large")
    if text == "-0":  # another spelling of 0
        raise Unreadable("a number of this JSON is -0")
    return int(text)


def _refuse_number(text: str) -> NoReturn:
    raise Unreadable(f"{text[:40]} in this JSON is not an integer")
