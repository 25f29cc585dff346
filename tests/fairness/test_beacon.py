"""drand's rounds: their arithmetic, recorded signatures and forged ones."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lottery_system.fairness.beacon import (
    QUICKNET,
    check_signature,
    due_time,
    is_late,
    round_at,
    time_of,
)
from tests.stand_ins.rounds import RECORDED, SIGNATURES

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "daily_draw_v1_vectors.json").read_text("utf-8")
)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
GAP = 600


def test_the_chain_hash_names_quicknet() -> None:
    assert QUICKNET.chain_hash.hex() == RECORDED["info"]["hash"]
    assert QUICKNET.public_key.hex() == RECORDED["info"]["public_key"]


@pytest.mark.parametrize(
    "change", [{"period": 4}, {"genesis_time": 1}, {"public_key": bytes(96)},
               {"group_hash": bytes(32)}, {"beacon_id": "default"}],
)  # fmt: skip
def test_whatever_is_changed_of_a_chain_changes_its_hash(change: dict[str, Any]) -> None:
    assert QUICKNET._replace(**change).chain_hash != QUICKNET.chain_hash


@pytest.mark.parametrize("change", [{"period": 2**32}, {"period": -1}, {"genesis_time": 2**63}])
def test_numbers_that_do_not_fit_their_fields_have_no_hash(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        _ = QUICKNET._replace(**change).chain_hash


@pytest.mark.parametrize("vector", VECTORS["rounds"], ids=lambda vector: vector["utc"])
def test_the_first_round_at_an_instant_is_that_of_the_vectors(vector: dict[str, Any]) -> None:
    at = datetime.fromtimestamp(vector["time"], UTC)

    assert round_at(QUICKNET, at) == vector["first_round_at_or_after"]
    assert time_of(QUICKNET, vector["first_round_at_or_after"]) == vector["round_time"]


def test_every_midnight_is_itself_a_rounds_time() -> None:
    """Hence the gap: the number of midnight would be out while the list is being closed."""
    for days in range(400):
        midnight = MIDNIGHT + timedelta(days=days)
        assert time_of(QUICKNET, round_at(QUICKNET, midnight)) == midnight.timestamp()


@pytest.mark.parametrize(
    ("frozen", "due", "late"),
    [
        (0, GAP, False),
        (1, GAP, False),
        (GAP - 1, GAP, False),
        (GAP, 2 * GAP, True),  # at that very second the number is out
        (86_400, 86_400 + GAP, True),
    ],
)
def test_a_day_frozen_late_takes_a_later_round(frozen: int, due: int, late: bool) -> None:
    at = MIDNIGHT + timedelta(seconds=frozen)

    assert due_time(MIDNIGHT, at, GAP) == MIDNIGHT + timedelta(seconds=due)
    assert is_late(MIDNIGHT, at, GAP) == late


@pytest.mark.parametrize("number", SIGNATURES)
def test_a_recorded_round_holds_and_its_forged_twins_do_not(number: int) -> None:
    signature = SIGNATURES[number]

    assert check_signature(QUICKNET, number, signature)
    assert not check_signature(QUICKNET, number + 1, signature)
    assert not check_signature(QUICKNET, number, other_sign(signature))
    for at in range(0, 48, 5):
        changed = signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :]
        assert not check_signature(QUICKNET, number, changed)


def other_sign(signature: bytes) -> bytes:
    """Return the same point's opposite, which is on the curve and in the group, too."""
    return bytes([signature[0] ^ 0x20]) + signature[1:]


@pytest.mark.parametrize(
    "signature",
    [b"", bytes(48), b"\xc0" + bytes(47), b"\xff" * 48, SIGNATURES[2][:47], SIGNATURES[2] + b"\0"],
)
def test_what_is_no_point_of_the_group_is_no_signature(signature: bytes) -> None:
    assert not check_signature(QUICKNET, 2, signature)


@pytest.mark.parametrize("number", [0, -1, 2**64])
def test_there_are_no_such_rounds(number: int) -> None:
    assert not check_signature(QUICKNET, number, SIGNATURES[2])


@pytest.mark.parametrize(
    "change",
    [
        {"scheme_id": "pedersen-bls-chained"},
        {"public_key": bytes(96)},
        {"public_key": b"\xc0" + bytes(95)},
        {"public_key": QUICKNET.public_key[:48]},
    ],
)
def test_another_scheme_or_key_signs_nothing_here(change: dict[str, Any]) -> None:
    assert not check_signature(QUICKNET._replace(**change), 2, SIGNATURES[2])


def test_a_key_that_is_the_identity_signs_nothing() -> None:
    """To the pairing, the identity would be its signature for every round."""
    nobody = QUICKNET._replace(public_key=b"\xc0" + bytes(95))

    assert not check_signature(nobody, 2, b"\xc0" + bytes(47))
