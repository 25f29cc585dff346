"""The HTTP client for the beacon: the one call that the lottery makes to the outside.

A relay is believed in nothing. Whatever it does (lies, drips, cuts off, serves another network)
costs a few seconds and a line of the log, and the next one is asked. The standard library does:
what it lacks, a bound on the whole of a conversation, no library for it has either.
"""

import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, TypeVar
from urllib.parse import urlsplit

from lottery_system.fairness.beacon import SCHEME, SIGNATURE_BYTES, ChainInfo, check_signature
from lottery_system.fairness.certificate import Unreadable, load_strictly

log = logging.getLogger(__name__)

#: seconds that one relay may take in all
PATIENCE = 8.0
#: bytes of an answer; drand's have some hundreds
MAX_BYTES = 16 * 1024

Found = TypeVar("Found")


class BadRelay(Exception):
    """A relay did not answer with what it was asked for; the message says what it did."""


def fetch_signature(urls: Sequence[str], info: ChainInfo, number: int) -> bytes | None:
    """Ask relays in turn for the signature of a round, and verify it.

    `GET <relay>/<chain hash>/public/<round>` (drand's HTTP API).

    Returns:
        The signature, 48 bytes, which is the network's own; None where no relay has it, or not yet.
    """

    def read(answer: dict[str, Any]) -> bytes:
        if answer.get("round") != number:
            raise BadRelay(f"answered with another round than {number}")
        signature = _bytes_of(answer, "signature", SIGNATURE_BYTES)
        if not check_signature(info, number, signature):
            raise BadRelay(f"answered with a signature of round {number} that does not hold")
        return signature

    return _ask(urls, f"/{info.chain_hash.hex()}/public/{number}", read)


def fetch_info(urls: Sequence[str], chain_hash: bytes) -> ChainInfo | None:
    """Ask relays in turn what is fixed of a network; its hash shows that it is that one.

    `GET <relay>/<chain hash>/info` (drand's HTTP API).
    """

    def read(answer: dict[str, Any]) -> ChainInfo:
        metadata = answer.get("metadata")
        beacon_id = metadata.get("beaconID") if isinstance(metadata, dict) else None
        numbers = answer.get("period"), answer.get("genesis_time")
        if answer.get("schemeID") != SCHEME or not isinstance(beacon_id, str):
            raise BadRelay("answered with a network of another scheme")
        if not all(type(each) is int for each in numbers):
            raise BadRelay("answered without period and genesis time")
        info = ChainInfo(
            public_key=_bytes_of(answer, "public_key", 96),
            period=answer["period"],
            genesis_time=answer["genesis_time"],
            group_hash=_bytes_of(answer, "groupHash", 32),
            scheme_id=SCHEME,
            beacon_id=beacon_id,
        )
        try:
            is_that_one = info.chain_hash == chain_hash and info.period > 0
        except ValueError:
            is_that_one = False
        if not is_that_one:
            raise BadRelay("answered with another network")
        return info

    return _ask(urls, f"/{chain_hash.hex()}/info", read)


def _ask(urls: Sequence[str], path: str, read: Callable[[dict[str, Any]], Found]) -> Found | None:
    for url in urls:
        try:
            return read(_get(url, path))
        except (BadRelay, Unreadable, OSError, HTTPException, ValueError) as error:
            reason = str(error) or type(error).__name__
            # without what might be a name and password in the address
            log.warning("beacon: %s: %s", urlsplit(url).hostname, reason.splitlines()[0][:200])
    return None


def _get(url: str, path: str) -> dict[str, Any]:
    """Return the JSON object at an address, within the patience and size that a relay has."""
    connection = _connection(url)
    is_late = threading.Event()

    def hang_up() -> None:
        is_late.set()
        if connection.sock is not None:
            with suppress(OSError):  # it has ended by itself
                connection.sock.shutdown(2)

    # a time-out of a socket begins anew with each byte: this one does not
    timer = threading.Timer(PATIENCE, hang_up)
    timer.daemon = True
    timer.start()
    try:
        connection.request("GET", urlsplit(url).path.rstrip("/") + path)
        answer = connection.getresponse()
        if answer.status != 200:  # not yet, mostly; and a relay sends us nowhere else
            raise BadRelay(f"answered {answer.status}")
        body = answer.read(MAX_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        if is_late.is_set():
            raise BadRelay(f"gave no whole answer within {PATIENCE:g} seconds") from None
        raise error
    finally:
        timer.cancel()
        connection.close()
    if is_late.is_set():
        raise BadRelay(f"gave no whole answer within {PATIENCE:g} seconds")
    if len(body) > MAX_BYTES:
        raise BadRelay("answered with far too much")
    found = load_strictly(body)
    if not isinstance(found, dict):
        raise BadRelay("answered with something else than an object")
    return found


def _connection(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return HTTPSConnection(parts.netloc.rpartition("@")[2], timeout=PATIENCE, context=context)
    return HTTPConnection(parts.netloc.rpartition("@")[2], timeout=PATIENCE)


def _bytes_of(answer: dict[str, Any], key: str, length: int) -> bytes:
    text = answer.get(key)
    try:
        found = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        found = b""
    if len(found) != length:
        raise BadRelay(f"answered without {key}")
    return found
