"""Merkle trees of RFC 9162: standard vectors, a naive implementation, and corruption."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lottery_system.fairness import tiles
from lottery_system.fairness.merkle import (
    EMPTY_ROOT,
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    tree_root,
)
from lottery_system.fairness.tiles import Tile
from tests.fairness.forge import Log

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "merkle_vectors.json").read_text("utf-8")
)
#: sizes up to which every proof is made and every hash of it corrupted
ALL_PROOFS = 71
RECORDS = [b"%d\n" % number for number in range(700)]
LEAVES = [leaf_hash(record) for record in RECORDS]


def hashes(hexes: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(each) for each in hexes]


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, as it stands there."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def test_hashes_are_those_of_the_vectors() -> None:
    found = VECTORS["hasher"]

    assert EMPTY_ROOT.hex() == found["empty_root"]
    assert leaf_hash(b"").hex() == found["leaf_empty"]
    assert leaf_hash(b"L123456").hex() == found["leaf_L123456"]
    assert node_hash(b"N123", b"N456").hex() == found["node_N123_N456"]
    leaves = [leaf_hash(each) for each in hashes(VECTORS["leaf_inputs_hex"])]
    assert leaves == hashes(VECTORS["leaf_hashes"])
    for size, root in enumerate(VECTORS["root_hashes_by_size"]):
        assert tree_root(leaves[:size]).hex() == root


@pytest.mark.parametrize("case", VECTORS["inclusion"], ids=lambda case: case["name"])
def test_inclusion_proofs_hold_or_fail_as_the_vectors_say(case: dict[str, Any]) -> None:
    assert case["valid"] == check_inclusion(
        case["leaf_index"], case["tree_size"], bytes.fromhex(case["leaf_hash"]),
        hashes(case["proof"]), bytes.fromhex(case["root"]),
    )  # fmt: skip


@pytest.mark.parametrize("case", VECTORS["consistency"], ids=lambda case: case["name"])
def test_consistency_proofs_hold_or_fail_as_the_vectors_say(case: dict[str, Any]) -> None:
    assert case["valid"] == check_consistency(
        case["size1"], case["size2"], bytes.fromhex(case["root1"]), bytes.fromhex(case["root2"]),
        hashes(case["proof"]),
    )  # fmt: skip


def test_proofs_are_those_of_the_vectors() -> None:
    log = Log(hashes(VECTORS["leaf_inputs_hex"]))

    for case in VECTORS["generated"]["inclusion"]:
        proof = tiles.prove_inclusion(log.read, case["leaf_index"], case["tree_size"])
        assert proof == hashes(case["proof"])
    for case in VECTORS["generated"]["consistency"]:
        proof = tiles.prove_consistency(log.read, case["size1"], case["size2"])
        assert proof == hashes(case["proof"])


def test_the_root_of_every_size_is_that_of_the_rfc() -> None:
    frontier = Frontier()
    for size in range(300):
        assert frontier.root == naive_root(LEAVES[:size])
        assert Frontier.from_bytes(size, frontier.to_bytes()) == frontier
        frontier, _ = frontier.extend([LEAVES[size]])


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 290), max_size=6))
def test_however_a_tree_grows_it_has_the_same_root_and_the_same_tiles(steps: list[int]) -> None:
    frontier = Frontier()
    grown: dict[Tile, bytes] = {}
    for step in steps:
        frontier, rows = frontier.extend(LEAVES[frontier.size : frontier.size + step])
        for piece in tiles.pieces(rows):
            before = grown.get(piece.tile, b"")
            assert len(before) == 32 * piece.offset
            grown[piece.tile] = before + piece.hashes

    assert frontier.root == tree_root(LEAVES[: frontier.size])
    assert grown == Log(RECORDS[: frontier.size]).tiles


@pytest.mark.parametrize("size", range(1, ALL_PROOFS))
def test_every_inclusion_proof_holds_and_fails_with_any_hash_changed(size: int) -> None:
    log = Log(RECORDS[:size])
    for index in range(size):
        proof = tiles.prove_inclusion(log.read, index, size)
        assert check_inclusion(index, size, LEAVES[index], proof, log.root)

        for at in range(len(proof)):
            assert not check_inclusion(index, size, LEAVES[index], changed(proof, at), log.root)
            assert not check_inclusion(index, size, LEAVES[index], without(proof, at), log.root)
        assert not check_inclusion(index, size, LEAVES[index], [*proof, LEAVES[0]], log.root)
        assert not check_inclusion(index, size, LEAVES[index + 1], proof, log.root)
        for other in range(size + 1):
            if other != index:
                assert not check_inclusion(other, size, LEAVES[index], proof, log.root)


@pytest.mark.parametrize("size", range(1, ALL_PROOFS))
def test_every_consistency_proof_holds_and_fails_with_any_hash_changed(size: int) -> None:
    log = Log(RECORDS[:size])
    for earlier in range(1, size + 1):
        proof = tiles.prove_consistency(log.read, earlier, size)
        root = tree_root(LEAVES[:earlier])
        assert check_consistency(earlier, size, root, log.root, proof)

        for at in range(len(proof)):
            assert not check_consistency(earlier, size, root, log.root, changed(proof, at))
            assert not check_consistency(earlier, size, root, log.root, without(proof, at))
        assert not check_consistency(earlier, size, root, log.root, [*proof, LEAVES[0]])
        assert not check_consistency(earlier, size, LEAVES[-1], log.root, proof)
        assert not check_consistency(earlier, size, root, LEAVES[-1], proof)
        if earlier != size:
            assert not check_consistency(size, earlier, log.root, root, proof)


def changed(proof: list[bytes], at: int) -> list[bytes]:
    return [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]]


def without(proof: list[bytes], at: int) -> list[bytes]:
    return [*proof[:at], *proof[at + 1 :]]


def test_nothing_follows_from_an_empty_tree() -> None:
    assert not check_consistency(0, 3, EMPTY_ROOT, tree_root(LEAVES[:3]), [])


@pytest.mark.parametrize(("index", "size"), [(3, 3), (-1, 3), (0, 0)])
def test_a_leaf_that_is_not_there_cannot_be_proved(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="has no leaf"):
        inclusion_path(index, size)


@pytest.mark.parametrize(("earlier", "size"), [(0, 3), (4, 3)])
def test_a_tree_that_is_no_earlier_one_cannot_be_proved(earlier: int, size: int) -> None:
    with pytest.raises(ValueError, match="no proof"):
        consistency_path(earlier, size)


@pytest.mark.parametrize(("size", "data"), [(3, b""), (3, bytes(32)), (-1, b""), (0, bytes(32))])
def test_what_is_no_frontier_is_refused(size: int, data: bytes) -> None:
    with pytest.raises(ValueError, match="no frontier"):
        Frontier.from_bytes(size, data)
