"""Every check passes for an honest certificate and fails for its forged twin."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lottery_system.fairness.beacon import QUICKNET
from lottery_system.fairness.certificate import Unreadable
from lottery_system.fairness.checks import CHECKS, Check, Verdict, holds
from lottery_system.fairness.commitment import reveal
from lottery_system.fairness.note import SigningKey, VerifierKey, format_vkey, parse_vkey
from lottery_system.fairness.offers import format_signed_offers
from lottery_system.fairness.records import BEACON, OPERATOR
from lottery_system.fairness.verify import verify
from tests.fairness.forge import (
    KEY,
    TIP,
    Day,
    day_of_an_own_network,
    day_of_network,
    places_to_change,
)
from tests.stand_ins.rounds import BEACON_ROUND, SIGNATURES

CERTIFICATES = sorted((Path(__file__).parent / "data" / "certificates").glob("*.json"))
OTHER_KEY = SigningKey("forge.example", b"\x09" * 32)
RECEIPT_CHECKS = ["receipt signed", "receipt included", "receipt kept"]


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if check.verdict is Verdict.FAILED]


def not_made(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if check.verdict is Verdict.NOT_MADE]


def detail(checks: list[Check], name: str) -> str:
    return next(check.detail for check in checks if check.name == name)


def key_of(certificate: bytes) -> VerifierKey:
    return parse_vkey(json.loads(certificate)["log_key"])


@pytest.mark.parametrize("path", CERTIFICATES, ids=lambda path: path.stem)
@pytest.mark.parametrize("is_pinned", [False, True])
def test_the_protocols_own_certificates_hold(path: Path, is_pinned: bool) -> None:
    certificate = path.read_bytes()

    checks = verify(certificate, key=key_of(certificate) if is_pinned else None)

    assert [check.name for check in checks] == list(CHECKS)
    assert holds(checks)
    assert not_made(checks) == ["offers", "witnessed", "list", *RECEIPT_CHECKS]
    assert ("this certificate alone cannot tell" in detail(checks, "checkpoint")) != is_pinned


@pytest.mark.parametrize("mode", [OPERATOR, BEACON])
@pytest.mark.parametrize("size", [0, 1, 13, 300])
def test_an_honest_day_holds_with_its_lists_and_a_receipt(mode: str, size: int) -> None:
    day = Day(mode=mode, size=size)
    receipt = day.receipt(1, (size + 1) // 2) if size else None
    offers = format_signed_offers(day.offers()).encode()

    checks = verify(
        day.certificate(),
        key=KEY.verifier,
        ballots=day.log.records,
        receipt=receipt,
        offers=offers,
    )

    assert failed(checks) == []
    assert not_made(checks) == ["witnessed", *([] if size else RECEIPT_CHECKS)]
    assert holds(checks)


@dataclass
class Forgery:
    """A certificate that is wrong at one place, and the checks that say so."""

    fails: list[str]
    day: Callable[[], Day] = Day
    change: Callable[[dict[str, Any]], object] = lambda certificate: None
    key: SigningKey = KEY


def late(**changes: Any) -> Callable[[], Day]:
    return lambda: Day(freeze_as=lambda freeze: freeze._replace(**changes))


def in_beacon(**changes: Any) -> Callable[[], Day]:
    return lambda: Day(mode=BEACON, freeze_as=lambda freeze: freeze._replace(**changes))


def set_in(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Return what sets a value, the last of a path of keys."""
    *keys, last, value = path

    def change(certificate: Any) -> None:
        for key in keys:
            certificate = certificate[key]
        certificate[last] = value

    return change


def swap_winners(certificate: dict[str, Any]) -> None:
    one, other = certificate["winners"]
    one["place"], other["place"] = 2, 1
    certificate["winners"] = [other, one]


def drop_winner(certificate: dict[str, Any]) -> None:
    certificate["winners"].pop()


def other_ballot(certificate: dict[str, Any]) -> None:
    """Put one winner's ballot, proof and all, in the place of the other."""
    one, other = certificate["winners"]
    one["ballot"], one["proof"], one["holder"] = other["ballot"], other["proof"], other["holder"]


MIDNIGHT = Day().freeze.closes
SECOND = timedelta(seconds=1)

FORGERIES = {
    "format, an unknown key": Forgery(["format"], change=set_in("more", 1)),
    "format, a malformed freeze": Forgery(
        ["format"], change=lambda each: each.update(freeze=each["freeze"] + "\n")
    ),
    "format, a malformed ballot": Forgery(
        ["format"], change=set_in("winners", 0, "ballot", "no ballot")
    ),
    "format, a malformed key": Forgery(["format"], change=set_in("log_key", "forge.example")),
    "checkpoint, signed by another key": Forgery(["checkpoint"], lambda: Day(key=OTHER_KEY)),
    "checkpoint, of another name": Forgery(
        ["checkpoint"], lambda: Day(genesis_as=lambda each: each._replace(name="other.example"))
    ),
    "checkpoint, another key named": Forgery(
        ["checkpoint"], change=set_in("log_key", format_vkey(OTHER_KEY.verifier))
    ),
    "genesis, of another name": Forgery(
        ["checkpoint"],
        change=lambda each: each.update(genesis=each["genesis"].replace("forge", "other")),
    ),
    "genesis, a proof of another": Forgery(
        ["genesis"], change=set_in("journal", "genesis_proof", [])
    ),
    "freeze, at another place": Forgery(["freeze"], change=set_in("journal", "index", 2)),
    "freeze, a proof of another": Forgery(["freeze"], change=set_in("journal", "proof", [])),
    "freeze, well proved but at another draw's place": Forgery(["freeze"], lambda: Day(strays=1)),
    "freeze, not after the genesis": Forgery(
        ["freeze"], lambda: Day(draw=0, freeze_as=lambda each: each._replace(previous=b"\1" * 32))
    ),
    "day, another draw's": Forgery(
        ["day"], lambda: Day(genesis_as=lambda each: each._replace(first=each.first + timedelta(1)))
    ),
    "day, another with all its ballots": Forgery(
        ["day"],
        lambda: Day(
            ballot_as=lambda each: each._replace(
                day=each.day + timedelta(1), time=each.time + timedelta(1)
            ),
            freeze_as=lambda each: each._replace(day=each.day + timedelta(1)),
        ),
    ),
    "day, closed at another midnight": Forgery(["day"], late(closes=MIDNIGHT - timedelta(1))),
    "day, frozen too early": Forgery(["day"], late(frozen=MIDNIGHT - SECOND)),
    "secret, another draw's": Forgery(["secret"], late(secret=reveal(TIP, 3))),
    "secret, made up": Forgery(["secret"], late(secret=b"\1" * 32)),
    "round, in mode operator": Forgery(["round"], late(round=7)),
    "round, a beacon in mode operator": Forgery(
        ["round"],
        change=lambda each: each.update(
            beacon=json.loads(Day(mode=BEACON).certificate())["beacon"]
        ),
    ),
    "round, another than the day's": Forgery(["round"], in_beacon(round=2)),
    "round, frozen late but not moved": Forgery(
        ["round"], in_beacon(frozen=MIDNIGHT + timedelta(seconds=Day().gap))
    ),
    "round, of another chain": Forgery(
        ["round"],
        lambda: Day(mode=BEACON, genesis_as=lambda each: each._replace(chain=b"\1" * 32)),
    ),
    "beacon, of another chain": Forgery(
        ["round"],
        lambda: Day(mode=BEACON),
        set_in("beacon", "chain_info", "beacon_id", "othernet"),
    ),
    "round, another's number and signature": Forgery(
        ["round"], lambda: day_of_network(QUICKNET, 2, SIGNATURES[2])
    ),
    "round, of a network without time": Forgery(
        ["round"],
        lambda: day_of_network(
            QUICKNET._replace(period=0), BEACON_ROUND, SIGNATURES[BEACON_ROUND]
        ),
    ),
    "round, of another scheme": Forgery(
        ["round", "beacon"],
        lambda: Day(mode=BEACON),
        set_in("beacon", "chain_info", "scheme_id", "bls-unchained-on-g1"),
    ),
    "beacon, none": Forgery(
        ["round", "beacon", "winners"], lambda: Day(mode=BEACON), set_in("beacon", None)
    ),
    "beacon, another round's signature": Forgery(
        ["beacon", "winners"],
        lambda: Day(mode=BEACON),
        set_in("beacon", "signature", SIGNATURES[2].hex()),
    ),
    "winners, swapped": Forgery(["winners"], change=swap_winners),
    "winners, one too few": Forgery(["winners"], change=drop_winner),
    "winners, another counter": Forgery(["winners"], change=set_in("winners", 0, "counter", 99)),
    "winners, another number": Forgery(
        ["winners", "ballots"], change=set_in("winners", 0, "number", 99)
    ),
    "ballots, another in the place of the winner": Forgery(["ballots"], change=other_ballot),
    "ballots, a proof of another": Forgery(["ballots"], change=set_in("winners", 0, "proof", [])),
    "ballots, of another day": Forgery(
        ["ballots"], lambda: Day(ballot_as=lambda each: each._replace(day=each.day - timedelta(1)))
    ),
    "ballots, of another day's time": Forgery(
        ["ballots"], lambda: Day(ballot_as=lambda each: each._replace(time=MIDNIGHT))
    ),
    "ballots, none but a root": Forgery(
        ["ballots"], lambda: Day(size=0, freeze_as=lambda each: each._replace(root=b"\1" * 32))
    ),
    "holders, another name": Forgery(
        ["holders"], change=set_in("winners", 0, "holder", "username", "mallory")
    ),
    "holders, another salt": Forgery(
        ["holders"], change=set_in("winners", 0, "holder", "salt", "00" * 16)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found_by_the_check_for_it_and_by_no_other(name: str) -> None:
    forgery = FORGERIES[name]
    certificate = forgery.day().certificate(forgery.change)

    checks = verify(certificate, key=KEY.verifier)

    assert failed(checks) == forgery.fails
    assert not holds(checks)


def test_every_check_of_a_certificate_has_its_forgery() -> None:
    found = {name for forgery in FORGERIES.values() for name in forgery.fails}

    assert found == set(CHECKS) - {"offers", "witnessed", "list", *RECEIPT_CHECKS}


def test_a_checkpoint_that_is_not_believed_leaves_open_what_rests_on_it() -> None:
    checks = verify(Day(key=OTHER_KEY).certificate(), key=KEY.verifier)

    assert not_made(checks)[:2] == ["genesis", "freeze"]


def test_a_network_that_is_not_quicknet_is_told() -> None:
    """Its signatures hold, but whoever runs it knows its numbers beforehand."""
    checks = verify(day_of_an_own_network().certificate(), key=KEY.verifier)

    assert failed(checks) == []
    assert "a network that is not drand's quicknet" in detail(checks, "round")
    assert "not drand's" not in detail(verify(Day(mode=BEACON).certificate()), "round")


# The list of ballots


@pytest.mark.parametrize(
    ("ballots", "fault"),
    [
        (lambda records: records[:-1], "ends after 12 of 13"),
        (lambda records: [*records, records[0]], "has more than 13"),
        (lambda records: [records[1], records[0], *records[2:]], "1 of the list has the number 2"),
        (lambda records: [records[0].replace(b"lottery 2", b"lottery 3"), *records[1:]],
         "is not the one that was frozen"),
        (lambda records: [records[0] + b"\n", *records[1:]], "1 of the list is not that of a ball"),
        (lambda records: [], "ends after 0 of 13"),
    ],
)  # fmt: skip
def test_a_list_that_is_not_the_frozen_one_is_found(
    ballots: Callable[[list[bytes]], list[bytes]], fault: str
) -> None:
    day = Day()

    checks = verify(day.certificate(), ballots=ballots(day.log.records))

    assert failed(checks) == ["list"]
    assert fault in detail(checks, "list")
    assert not holds(checks)


def test_whoever_reads_a_list_is_told_how_far_it_is() -> None:
    day, told = Day(size=300), []

    verify(
        day.certificate(), ballots=day.log.records,
        progress=lambda done, size: told.append((done, size)),
    )  # fmt: skip

    assert told == [(300, 300)]


# Receipts


@pytest.mark.parametrize("size", [3, 7, 13])
def test_a_receipt_of_any_size_holds_with_the_list(size: int) -> None:
    day = Day()

    checks = verify(day.certificate(), ballots=day.log.records, receipt=day.receipt(3, size))

    assert failed(checks) == []
    assert not_made(checks) == ["offers", "witnessed"]


def test_without_the_list_an_early_receipt_leaves_open_whether_it_was_kept() -> None:
    day = Day()

    checks = verify(day.certificate(), receipt=day.receipt(3, 7))

    assert not_made(checks) == ["offers", "witnessed", "list", "receipt kept"]
    assert holds(checks)


def test_a_list_that_is_not_the_frozen_one_says_nothing_of_a_receipt() -> None:
    day = Day()
    others = [*day.log.records[:-1], day.log.records[0]]

    checks = verify(day.certificate(), ballots=others, receipt=day.receipt(3, 7))

    assert failed(checks) == ["list"]
    assert not_made(checks) == ["offers", "witnessed", "receipt kept"]


@pytest.mark.parametrize(
    ("receipt", "fails"),
    [
        (lambda: Day(day=Day().day - timedelta(1)).receipt(3, 13), ["receipt signed"]),
        (lambda: Day(key=OTHER_KEY).receipt(3, 13), ["receipt signed"]),
        (lambda: Day(size=20).receipt(3, 20), ["receipt kept"]),  # seven were dropped
        (
            lambda: Day(ballot_as=lambda each: each._replace(lottery=9)).receipt(3, 13),
            ["receipt kept"],  # they were changed
        ),
        (
            lambda: Day(ballot_as=lambda each: each._replace(number=each.number + 1)).receipt(
                3, 13
            ),
            ["receipt included", "receipt kept"],
        ),
        (
            lambda: Day(ballot_as=lambda each: each._replace(time=MIDNIGHT)).receipt(3, 13),
            ["receipt included", "receipt kept"],
        ),
        (lambda: Day().receipt(3, 13, set_in("index", 3)), ["receipt included"]),
        (lambda: Day().receipt(3, 13, set_in("proof", [])), ["receipt included"]),
        (lambda: Day().receipt(3, 13, set_in("ballot", "")), ["receipt included"]),
        (lambda: Day().receipt(3, 13, set_in("holder", "username", "x")), ["receipt included"]),
        (lambda: Day().receipt(3, 13, set_in("more", 1)), RECEIPT_CHECKS),
        (lambda: b'{"format": "daily-draw/v1 certificate"}', RECEIPT_CHECKS),
    ],
)
def test_a_receipt_without_proof_or_of_a_dropped_ballot_fails_its_check(
    receipt: Callable[[], bytes], fails: list[str]
) -> None:
    checks = verify(Day().certificate(), key=KEY.verifier, receipt=receipt())

    assert failed(checks) == fails


def test_a_receipt_that_is_no_json_cannot_be_read() -> None:
    with pytest.raises(Unreadable, match="not JSON"):
        verify(Day().certificate(), receipt=b"{")


# What cannot be checked


@pytest.mark.parametrize(
    ("module", "mode", "open_checks", "sentence"),
    [
        ("cryptography.exceptions", OPERATOR, ["checkpoint", "genesis", "freeze"],
         "pip install cryptography"),
        ("py_arkworks_bls12381", BEACON, ["beacon"], "pip install py-arkworks-bls12381"),
    ],
)  # fmt: skip
def test_where_a_library_is_missing_nothing_is_said_to_hold(
    monkeypatch: pytest.MonkeyPatch, module: str, mode: str, open_checks: list[str], sentence: str
) -> None:
    certificate = Day(mode=mode).certificate()
    monkeypatch.setitem(sys.modules, module, None)

    checks = verify(certificate)

    assert not_made(checks)[: len(open_checks)] == open_checks
    assert sentence in detail(checks, open_checks[0])
    assert failed(checks) == []
    assert not holds(checks)


# One character


@pytest.mark.parametrize("path", CERTIFICATES, ids=lambda path: path.stem)
def test_no_certificate_holds_with_one_character_changed(path: Path) -> None:
    """Only white space and other spellings of the same JSON may change."""
    original = path.read_text("utf-8")
    means = json.loads(original)
    for at in places_to_change(original):
        character = original[at]
        for other in {chr(ord(character) ^ 1), "0" if character != "0" else "7", ""}:
            changed = original[:at] + other + original[at + 1 :]
            if holds_quietly(changed.encode()):
                assert json.loads(changed) == means, (at, character, other)


def holds_quietly(certificate: bytes) -> bool:
    try:
        return holds(verify(certificate))
    except Unreadable:
        return False


@settings(derandomize=True, deadline=None, max_examples=400)
@given(st.data())
def test_whatever_is_done_to_a_certificate_it_does_not_hold(data: st.DataObject) -> None:
    """Parts are cut out, doubled and moved; nothing but `Unreadable` is ever raised."""
    path = data.draw(st.sampled_from(CERTIFICATES))
    original = path.read_bytes()
    start = data.draw(st.integers(0, len(original)))
    end = data.draw(st.integers(start, min(len(original), start + 200)))
    put = data.draw(st.binary(max_size=8) | st.just(original[start:end] * 2))
    changed = original[:start] + put + original[end:]

    if holds_quietly(changed):
        assert json.loads(changed) == json.loads(original)


def test_a_beacon_of_quicknet_is_what_the_certificates_have() -> None:
    info = json.loads(Day(mode=BEACON).certificate())["beacon"]["chain_info"]

    assert info["public_key"] == QUICKNET.public_key.hex()
