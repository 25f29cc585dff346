"""The public specification says what the code does."""

import json
import re
from pathlib import Path

import pytest

from lottery_system.fairness.checks import CHECKS, NOT_NEEDED
from lottery_system.fairness.commitment import holder_hash
from lottery_system.fairness.merkle import leaf_hash
from lottery_system.fairness.records import parse_ballot, parse_freeze, parse_genesis
from lottery_system.fairness.selection import pick_stream, seed_of, winning_ballots
from tests.fairness.test_certificate import OBJECTS
from tests.processes import ROOT

PAGE = (ROOT / "docs" / "protocol.md").read_text("utf-8")
PARSERS = {"ballot": parse_ballot, "genesis": parse_genesis, "freeze": parse_freeze}


def record(kind: str) -> str:
    found = re.search(rf"```record {kind}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize("kind", PARSERS)
def test_the_records_of_the_page_are_records(kind: str) -> None:
    PARSERS[kind](record(kind))


def test_every_check_stands_in_the_page_in_its_order_and_with_whether_it_is_needed() -> None:
    rows = re.findall(r"^\| `([a-z ]+)` \| .* \| (yes|where given) \|$", PAGE, re.MULTILINE)

    assert rows == [(name, "where given" if name in NOT_NEEDED else "yes") for name in CHECKS]


def test_every_field_of_a_certificate_stands_in_the_page() -> None:
    certificate = json.loads(
        (Path(__file__).parent / "fairness" / "data" / "certificates" / "beacon.json").read_text()
    )
    for find in OBJECTS.values():
        for key in find(certificate):
            assert f"`{key}`" in PAGE


def test_the_example_of_the_page_is_what_comes_out() -> None:
    ballot, freeze = record("ballot").encode(), record("freeze").encode()
    seed = seed_of(freeze, None)
    (pick,) = winning_ballots(seed, parse_freeze(freeze).size, 1)
    salt = bytes.fromhex("391ffedfd01489b233742d560f2b324a")

    assert leaf_hash(ballot).hex() in PAGE
    assert parse_ballot(ballot).holder == holder_hash(salt, "zoë")
    assert salt.hex() in PAGE
    assert seed.hex() in PAGE
    assert f"{next(pick_stream(seed)):#066x}" in PAGE
    assert (pick.number, pick.counter) == (parse_ballot(ballot).number, 0)
