"""Signed offers: names and prizes of the lotteries when a day closed.

See daily-draw/v1, section 17: offers. The list is a canonical JSON text, so one list has exactly
one text. A note signed with the log's key contains its hash and an origin that names lottery and
day. A checkpoint has one line more, so neither can be mistaken for the other.
"""

import re
from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from typing import NamedTuple

from lottery_system.fairness.certificate import Fields, FormatError, load_strictly, write_json
from lottery_system.fairness.merkle import HASH_BYTES
from lottery_system.fairness.note import (
    NoteError,
    SigningKey,
    VerifierKey,
    decode_base64,
    encode_base64,
    open_note,
    sign,
)
from lottery_system.fairness.records import DAY, NAME, RecordError, read_day

OFFERS = "daily-draw/v1 offers"
SIGNED_OFFERS = "daily-draw/v1 signed offers"
#: bytes of a list, and of the file that contains it; 3,000 of the longest prizes
MAX_OFFERS_BYTES = 64 * 1024 * 1024

_HEAD = re.compile(rf"(?P<origin>{NAME}/offers/{DAY})\n(?P<hash>[A-Za-z0-9+/]{{43}}=)\n", re.ASCII)
_DAY = re.compile(DAY, re.ASCII)


class Offered(NamedTuple):
    """A lottery's name and prize when the day closed."""

    #: the lottery's id, as ballots name it
    lottery: int
    name: str
    prize: str


class Offers(NamedTuple):
    """The list of a day's offers."""

    day: date
    #: ordered by id
    lotteries: Sequence[Offered]


class OffersHead(NamedTuple):
    """The content of a note of offers: lottery, day, and hash of the list."""

    #: `<name>/offers/<day>`
    origin: str
    #: of the list's text, 32 bytes
    digest: bytes


class SignedOffers(NamedTuple):
    """A list of offers and the note that signs it."""

    #: the list, verbatim, as it is hashed
    text: str
    #: a signed note
    note: str


def format_offers(offers: Offers) -> str:
    """Write a list of offers as its canonical text, which ends with a line feed."""
    return write_json(
        {
            "format": OFFERS,
            "day": offers.day.isoformat(),
            "lotteries": [
                {"id": each.lottery, "name": each.name, "prize": each.prize}
                for each in offers.lotteries
            ],
        }
    )


def parse_offers(text: str) -> Offers:
    """Read the canonical text of a list of offers.

    Raises:
        Unreadable: it is not JSON, or too large.
        FormatError: it is not a list of offers, its lotteries are out of order, or the text is
            not canonical.
        RecordError: the day does not exist.
    """
    root = Fields(load_strictly(text.encode(), MAX_OFFERS_BYTES), "the list of offers")
    root.constant("format", OFFERS)
    day = root.text("day")
    if not _DAY.fullmatch(day):
        raise RecordError("the day of the list of offers is none")
    lotteries = root.children("lotteries", _offered)
    root.end()
    ids = [each.lottery for each in lotteries]
    if any(number <= before for before, number in zip([0, *ids], ids, strict=False)):
        raise FormatError("the lotteries of the list of offers are not in the order of their ids")
    offers = Offers(read_day(day), lotteries)
    if format_offers(offers) != text:
        raise FormatError("the list of offers is not written in the one canonical way")
    return offers


def hash_offers(text: str) -> bytes:
    """Return the hash H of a list's text."""
    return sha256(text.encode()).digest()


def offers_origin(name: str, day: date) -> str:
    """Return the first line of the note of a day's offers."""
    return f"{name}/offers/{day}"


def format_head(head: OffersHead) -> str:
    """Write the text of a note of offers: two lines, origin and hash."""
    return f"{head.origin}\n{encode_base64(head.digest)}\n"


def parse_head(text: str) -> OffersHead:
    """Read the text of a note of offers.

    Raises:
        NoteError: it is not a note of offers.
    """
    head = _HEAD.fullmatch(text)
    digest = decode_base64(head["hash"]) if head else b""
    if not head or len(digest) != HASH_BYTES:
        raise NoteError("this is not a note of offers: origin and hash, a line each")
    return OffersHead(head["origin"], digest)


def sign_offers(offers: Offers, key: SigningKey) -> SignedOffers:
    """Return a list of offers with its note, signed with the lottery's key and name."""
    text = format_offers(offers)
    head = OffersHead(offers_origin(key.name, offers.day), hash_offers(text))
    return SignedOffers(text, sign(format_head(head), key))


def open_head(note: str, key: VerifierKey) -> OffersHead:
    """Verify the signature of a note of offers and return its content.

    Raises:
        NoteError: as `open_note` and `parse_head`.
        CryptographyMissing: the library that checks signatures is not installed.
    """
    return parse_head(open_note(note, key))


def open_offers(signed: SignedOffers, key: VerifierKey, name: str, day: date) -> Offers:
    """Verify note, hash and text, and return the offers of a lottery's day.

    Args:
        key: of the journal that has the day's freeze.
        name: of the lottery, from its genesis.

    Raises:
        NoteError: the note is malformed, not signed by the key, for another lottery or day, or its
            hash is not that of the text.
        FormatError, RecordError, Unreadable: the text is not canonical, or for another day.
        CryptographyMissing: the library that checks signatures is not installed.
    """
    head, origin = open_head(signed.note, key), offers_origin(name, day)
    if head.origin != origin:
        raise NoteError(f"the note is of {head.origin}, not of {origin}")
    if hash_offers(signed.text) != head.digest:
        raise NoteError("the list of offers is not the one that was signed")
    offers = parse_offers(signed.text)
    if offers.day != day:
        raise FormatError(f"the list of offers is of {offers.day}, not of {day}")
    return offers


def format_signed_offers(signed: SignedOffers) -> str:
    """Write a list of offers with its note as JSON."""
    return write_json({"format": SIGNED_OFFERS, "text": signed.text, "note": signed.note})


def parse_signed_offers(json_text: bytes) -> SignedOffers:
    """Read a list of offers with its note, without verifying either.

    Raises:
        Unreadable: it is not JSON, or too large.
        FormatError: it does not have these fields.
    """
    root = Fields(load_strictly(json_text, MAX_OFFERS_BYTES), "the signed list of offers")
    root.constant("format", SIGNED_OFFERS)
    signed = SignedOffers(text=root.text("text"), note=root.text("note"))
    root.end()
    return signed


def _offered(fields: Fields) -> Offered:
    return Offered(fields.integer("id"), fields.text("name"), fields.text("prize"))
