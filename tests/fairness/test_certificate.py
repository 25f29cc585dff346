"""JSON of certificates and receipts is parsed strictly, or refused with a clear message."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lottery_system.fairness.beacon import QUICKNET
from lottery_system.fairness.certificate import (
    MAX_BYTES,
    FormatError,
    Unreadable,
    format_certificate,
    format_chain_info,
    format_receipt,
    load_strictly,
    parse_certificate,
    parse_chain_info,
    parse_receipt,
)
from lottery_system.fairness.checks import Verdict, holds
from lottery_system.fairness.verify import verify
from tests.fairness.forge import Day

CERTIFICATES = sorted((Path(__file__).parent / "data" / "certificates").glob("*.json"))
BEACON = (Path(__file__).parent / "data" / "certificates" / "beacon.json").read_bytes()


@pytest.mark.parametrize("path", CERTIFICATES, ids=lambda path: path.stem)
def test_a_certificate_is_written_as_it_was_read(path: Path) -> None:
    text = path.read_bytes()

    assert json.loads(format_certificate(parse_certificate(text))) == json.loads(text)


def test_a_receipt_and_a_chain_info_are_written_as_they_were_read() -> None:
    receipt = Day().receipt(3, 7)

    assert json.loads(format_receipt(parse_receipt(receipt))) == json.loads(receipt)
    assert parse_chain_info(json.loads(format_chain_info(QUICKNET))) == QUICKNET


def test_spacing_and_the_order_of_keys_do_not_matter() -> None:
    loaded = json.loads(BEACON)
    turned = {key: loaded[key] for key in reversed(loaded)}

    assert parse_certificate(json.dumps(turned, indent=7).encode()) == parse_certificate(BEACON)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "not JSON"),
        (b"no", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"{} {}", "not JSON"),
        (b'{"a": 1, "a": 1}', "repeated"),
        (b'{"a": {"b": 1, "b": 2}}', "repeated"),
        (b'{"a": "\\u0062", "\\u0061": 1}', "repeated"),
        (b'{"a": 1.0}', "not an integer"),
        (b'{"a": 1e2}', "not an integer"),
        (b'{"a": NaN}', "not an integer"),
        (b'{"a": -Infinity}', "not an integer"),
        (b'{"a": -0}', "-0"),
        (b'{"a": 1' + b"0" * 30 + b"}", "too large"),
        (b'{"a": 01}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b" " * (MAX_BYTES + 1), "larger than 8 MiB"),
    ],
)
def test_what_is_no_json_of_ours_cannot_be_read(text: bytes, sentence: str) -> None:
    with pytest.raises(Unreadable, match=sentence):
        load_strictly(text)
    with pytest.raises(Unreadable, match=sentence):
        verify(text)


def at(*path: Any) -> Callable[[Any], Any]:
    """Return what finds the object that holds the last key of a path."""

    def find(certificate: Any) -> Any:
        for key in path:
            certificate = certificate[key]
        return certificate

    return find


OBJECTS = {
    "certificate": at(),
    "journal": at("journal"),
    "beacon": at("beacon"),
    "chain_info": at("beacon", "chain_info"),
    "winner": at("winners", 0),
    "holder": at("winners", 0, "holder"),
}


def keys() -> list[tuple[str, str]]:
    certificate = json.loads(BEACON)
    return [(name, key) for name, find in OBJECTS.items() for key in find(certificate)]


def refused(certificate: object) -> None:
    """Demand that a certificate fails its first check, by name, and nothing else is claimed."""
    text = json.dumps(certificate).encode()
    with pytest.raises(FormatError):
        parse_certificate(text)
    checks = verify(text)
    assert (checks[0].name, checks[0].verdict) == ("format", Verdict.FAILED)
    assert all(check.verdict is Verdict.NOT_MADE for check in checks[1:])
    assert not holds(checks)


@pytest.mark.parametrize(("name", "key"), keys())
def test_a_field_that_is_missing_or_of_another_kind_is_refused(name: str, key: str) -> None:
    wrongs: list[object] = [True, 1.5, [1], {"a": 1}, "\ud800"]
    original = OBJECTS[name](json.loads(BEACON))[key]
    if not isinstance(original, int):
        wrongs += [1, -1]
    else:
        wrongs += [-1, str(original), 10**18 + 1]
    if key != "beacon":
        wrongs.append(None)
    for wrong in wrongs:
        certificate = json.loads(BEACON)
        OBJECTS[name](certificate)[key] = wrong
        text = json.dumps(certificate).encode()
        try:
            assert not holds(verify(text)), wrong
        except Unreadable:
            continue

    certificate = json.loads(BEACON)
    del OBJECTS[name](certificate)[key]
    refused(certificate)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_field_too_many_is_refused(name: str) -> None:
    certificate = json.loads(BEACON)
    OBJECTS[name](certificate)["note"] = "see me"

    refused(certificate)


@pytest.mark.parametrize("certificate", [None, [], "text", 7, {}])
def test_json_that_is_no_certificate_is_refused(certificate: object) -> None:
    refused(certificate)


@pytest.mark.parametrize(
    "spoil",
    [
        str.upper,
        lambda text: text[:-1],
        lambda text: text + "00",
        lambda text: " " + text[1:],
        lambda text: "٠" + text[1:],  # another alphabet's nought
        lambda text: "０" + text[1:],
        lambda text: "0x" + text[2:],
        lambda text: text + "\n",
    ],
)
@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("beacon",), "signature"),
        (("beacon", "chain_info"), "public_key"),
        (("winners", 0, "holder"), "salt"),
        (("journal", "proof"), 0),
    ],
)
def test_hex_in_any_other_spelling_is_refused(
    path: tuple[Any, ...], key: Any, spoil: Callable[[str], str]
) -> None:
    certificate = json.loads(BEACON)
    place = at(*path)(certificate)
    place[key] = spoil(place[key])

    refused(certificate)


def test_line_ends_of_another_system_are_refused() -> None:
    for key in ("genesis", "freeze"):
        certificate = json.loads(BEACON)
        certificate[key] = certificate[key].replace("\n", "\r\n")
        assert verify(json.dumps(certificate).encode())[0].verdict is Verdict.FAILED
    certificate = json.loads(BEACON)
    journal = certificate["journal"]
    journal["checkpoint"] = journal["checkpoint"].replace("\n", "\r\n")
    assert not holds(verify(json.dumps(certificate).encode()))


def test_a_proof_longer_than_any_tree_is_refused() -> None:
    certificate = json.loads(BEACON)
    certificate["journal"]["proof"] = ["00" * 32] * 65

    refused(certificate)
