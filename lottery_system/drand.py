"""HTTP client of the beacon drand.

Imports only `fairness` and the HTTP client. Relays are not trusted: they may be slow, broken or
lying. What they send counts only with the network's signature, and each has a few seconds in all.
"""

import json
import logging
import re
from collections.abc import Callable, Collection, Sequence
from time import monotonic
from typing import TypeVar

from lottery_system.fairness.beacon import (
    PUBLIC_KEY_BYTES,
    SCHEME,
    SIGNATURE_BYTES,
    ChainInfo,
    check_signature,
)
from lottery_system.http_client import Conversation, Refused, Request, address_of

log = logging.getLogger(__name__)

#: seconds that a relay has in all, from looking up its name to the last byte of its answer
PATIENCE = 5.0
HASH_BYTES = 32

T = TypeVar("T")


def fetch_signature(
    urls: Sequence[str], info: ChainInfo, number: int, patience: float = PATIENCE
) -> bytes | None:
    """Ask relays in turn for a round until one has it, and return its signature, checked.

    `GET {url}/{chain hash}/public/{round}`, drand's HTTP API, version 1. Of the answer only round
    and signature are read; its randomness is no more than the signature's SHA-256.

    Args:
        patience: seconds that each relay has.

    Returns:
        The network's own signature, or None if no relay has it, or not yet.

    Raises:
        CryptographyMissing: nothing can be checked here.
    """

    def read(answer: object) -> bytes:
        if _take(answer, "round", int) != number:
            raise Refused("its answer is of another round")
        signature = _take_bytes(answer, "signature", SIGNATURE_BYTES)
        if not check_signature(info, number, signature):
            raise Refused("its signature is not the network's")
        return signature

    return _ask(urls, f"/{info.chain_hash.hex()}/public/{number}", read, patience)


def fetch_newest(
    urls: Sequence[str],
    info: ChainInfo,
    also: Collection[int] = (),
    patience: float = PATIENCE,
) -> int | None:
    """Ask all relays at once which round is the newest, and return the newest that is signed.

    `GET {url}/{chain hash}/public/latest`. One honest relay among those that answer is enough: the
    others can only tell of older rounds.

    Args:
        also: rounds to ask for by number, which a relay may have that holds its newest back.
        patience: seconds for all of them together.

    Returns:
        None if no relay has a round with a valid signature.

    Raises:
        CryptographyMissing: nothing can be checked here.
    """

    def read(answer: bytes) -> tuple[int, bytes]:
        fields = _load(answer)
        return _take(fields, "round", int), _take_bytes(fields, "signature", SIGNATURE_BYTES)

    conversations = [
        (name, _conversation(url, f"/{info.chain_hash.hex()}/public/{name}", patience))
        for url in urls
        for name in ("latest", *map(str, also))
    ]
    for _, conversation in conversations:
        conversation.start()
    deadline = monotonic() + patience
    claims: dict[tuple[int, bytes], Conversation] = {}
    for name, conversation in conversations:
        try:
            claims[read(_body(conversation, deadline - monotonic()))] = conversation
        except Refused as reason:
            if name == "latest":  # the others are mostly not there yet
                log.warning("beacon: %s: %s", conversation.address, reason)
    for (number, signature), conversation in sorted(claims.items(), key=_by_claim, reverse=True):
        if check_signature(info, number, signature):
            return number
        log.warning("beacon: %s: its signature is not the network's", conversation.address)
    return None


def _by_claim(item: tuple[tuple[int, bytes], object]) -> tuple[int, bytes]:
    return item[0]


def fetch_info(
    urls: Sequence[str], chain_hash: bytes, patience: float = PATIENCE
) -> ChainInfo | None:
    """Ask relays in turn for the chain info of a hash, until one matches the hash.

    `GET {url}/{chain hash}/info`. What a relay itself says the hash to be is not read.

    Args:
        patience: seconds that each relay has.
    """

    def read(answer: object) -> ChainInfo:
        # asked first, since another scheme has keys of another length
        if _take(answer, "schemeID", str) != SCHEME:
            raise Refused("its chain's scheme is not known here")
        info = ChainInfo(
            public_key=_take_bytes(answer, "public_key", PUBLIC_KEY_BYTES),
            period=_take(answer, "period", int),
            genesis_time=_take(answer, "genesis_time", int),
            group_hash=_take_bytes(answer, "groupHash", HASH_BYTES),
            scheme_id=SCHEME,
            beacon_id=_take(_take(answer, "metadata", dict), "beaconID", str),
        )
        try:
            fetched_hash = info.chain_hash
        except ValueError:  # a number out of bounds, or a text that is not Unicode
            fetched_hash = None
        if fetched_hash != chain_hash:
            raise Refused("its chain is another one")
        return info

    return _ask(urls, f"/{chain_hash.hex()}/info", read, patience)


def _ask(urls: Sequence[str], path: str, read: Callable[[object], T], patience: float) -> T | None:
    for url in urls:
        conversation = _conversation(url, path, patience)
        conversation.start()
        try:
            return read(_load(_body(conversation, patience)))
        except Refused as reason:
            log.warning("beacon: %s: %s", address_of(url), reason)
    return None


def _conversation(url: str, path: str, patience: float) -> Conversation:
    request = Request(url, path, {"Accept": "application/json"})
    return Conversation("beacon", request, patience)


def _body(conversation: Conversation, seconds: float) -> bytes:
    answer = conversation.wait(seconds)
    if answer.status != 200:
        raise Refused(f"it answered {answer.status}")
    return answer.body


def _load(answer: bytes) -> object:
    """Load JSON, no key of which is repeated.

    More lenient than `fairness.certificate.load_strictly`: if relays add fields, even with
    fractions, their answers must stay readable.
    """
    try:
        return json.loads(answer.decode("utf-8"), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise Refused("its answer is not JSON") from None


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refused("its answer has a key twice")
    return fields


def _take(answer: object, key: str, kind: type[T]) -> T:
    value = answer.get(key) if isinstance(answer, dict) else None
    if type(value) is not kind:  # True would be an instance of int
        raise Refused(f"its answer has no {key} that can be read")
    return value


def _take_bytes(answer: object, key: str, length: int) -> bytes:
    text = _take(answer, key, str)
    if not re.fullmatch(rf"[0-9a-f]{{{2 * length}}}", text):  # fromhex also takes spaces
        raise Refused(f"its answer has no {key} that can be read")
    return bytes.fromhex(text)
