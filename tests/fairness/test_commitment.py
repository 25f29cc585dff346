"""The secret chain and the holder hashes, against the protocol's vectors."""

import json
from pathlib import Path
from typing import Any

import pytest

from lottery_system.fairness.commitment import (
    DRAWS,
    anchor_of,
    check_secret,
    follow_chain,
    holder_hash,
    reveal,
)

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "daily_draw_v1_vectors.json").read_text("utf-8")
)
CHAIN = VECTORS["secret_chain"]
TIP = bytes.fromhex(CHAIN["tip"])


@pytest.mark.parametrize(("steps", "link"), CHAIN["steps"].items())
def test_the_chain_has_the_links_of_the_vectors(steps: str, link: str) -> None:
    assert follow_chain(TIP, int(steps)).hex() == link


@pytest.mark.parametrize(("draw", "secret"), CHAIN["secret_of_draw"].items())
def test_each_draw_reveals_the_secret_of_the_vectors(draw: str, secret: str) -> None:
    assert reveal(TIP, int(draw)).hex() == secret
    assert check_secret(bytes.fromhex(secret), int(draw), anchor_of(TIP))


def test_a_secret_fits_its_own_draw_alone() -> None:
    anchor = anchor_of(TIP)
    secret = reveal(TIP, 7)

    assert not any(check_secret(secret, draw, anchor) for draw in (0, 6, 8, -1, DRAWS))
    assert not check_secret(bytes(32), 7, anchor)
    assert not check_secret(secret, 7, bytes(32))


def test_the_last_draw_of_a_hundred_years_reveals_the_tip() -> None:
    assert reveal(TIP, DRAWS - 1) == TIP
    assert check_secret(TIP, DRAWS - 1, anchor_of(TIP))


@pytest.mark.parametrize("draw", [-1, DRAWS])
def test_beyond_its_draws_a_chain_reveals_nothing(draw: int) -> None:
    with pytest.raises(ValueError, match="a chain of secrets is for draws"):
        reveal(TIP, draw)


@pytest.mark.parametrize("vector", VECTORS["holder"], ids=lambda vector: vector["username"])
def test_holder_hashes_are_those_of_the_vectors(vector: dict[str, str]) -> None:
    salt = bytes.fromhex(vector["salt"])

    assert holder_hash(salt, vector["username"]).hex() == vector["holder"]
    assert holder_hash(salt, vector["username"] + " ").hex() != vector["holder"]
    assert holder_hash(bytes(15) + b"\1", vector["username"]).hex() != vector["holder"]


def test_the_holders_of_the_ballots_open_them() -> None:
    records = VECTORS["records"]
    for ballot, holder in zip(records["ballots"], records["holders"], strict=True):
        opened = holder_hash(bytes.fromhex(holder["salt"]), holder["username"])
        assert f"holder {opened.hex()}\n" in ballot


def test_a_salt_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a salt has 16 bytes, not 15"):
        holder_hash(bytes(15), "alice")
