"""Proofs and roots compared with pymerkle, an independent implementation.

The other tests show that our code accepts our own proofs; these, that other implementations do.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from pymerkle import InmemoryTree, verify_inclusion
from pymerkle.hasher import MerkleHasher
from pymerkle.proof import InclusionProof, InvalidProof

from lottery_system.fairness import tiles
from lottery_system.fairness.merkle import check_consistency, check_inclusion, leaf_hash
from tests.fairness.forge import Log

SIZES = range(1, 70)
RECORDS = [b"record %d" % number for number in range(600)]
JOIN = MerkleHasher("sha256").hash_pair


@pytest.fixture(scope="module")
def log() -> Log:
    return Log(RECORDS)


@pytest.fixture(scope="module")
def tree() -> Any:
    """Return their tree of the same records."""
    tree = InmemoryTree(algorithm="sha256")
    for record in RECORDS:
        tree.append_entry(record)
    return tree


@pytest.mark.parametrize("size", [*SIZES, 255, 256, 257, 511, 512, 513, 600])
def test_they_have_the_same_root(log: Log, tree: Any, size: int) -> None:
    assert tiles.root(log.read, size) == tree.get_root(size)


@pytest.mark.parametrize("size", [*SIZES, 257, 512])
def test_each_believes_the_others_inclusion_proofs(log: Log, tree: Any, size: int) -> None:
    root = tree.get_root(size)
    for index in range(size):
        leaf = leaf_hash(RECORDS[index])
        theirs = tree.prove_inclusion(index + 1, size)
        ours = tiles.prove_inclusion(log.read, index, size)

        assert ours == theirs.path[1:]
        assert check_inclusion(index, size, leaf, theirs.path[1:], root)
        verify_inclusion(leaf, root, in_their_words(theirs, [leaf, *ours]))


def in_their_words(theirs: Any, path: list[bytes]) -> InclusionProof:
    return InclusionProof("sha256", True, theirs.size, theirs.index, theirs.rule, path)


def test_neither_believes_a_proof_with_a_hash_changed(log: Log, tree: Any) -> None:
    leaf, root = leaf_hash(RECORDS[40]), tree.get_root(69)
    theirs = tree.prove_inclusion(41, 69)
    for at in range(1, len(theirs.path)):
        changed = [*theirs.path[:at], bytes(32), *theirs.path[at + 1 :]]

        assert not check_inclusion(40, 69, leaf, changed[1:], root)
        with pytest.raises(InvalidProof):
            verify_inclusion(leaf, root, in_their_words(theirs, changed))


@pytest.mark.parametrize("size", [*SIZES, 257, 512])
def test_their_consistency_proofs_are_ours(log: Log, tree: Any, size: int) -> None:
    for earlier in range(1, size):
        theirs = as_the_rfc_has_it(tree.prove_consistency(earlier, size), earlier)

        assert theirs == tiles.prove_consistency(log.read, earlier, size)
        assert check_consistency(earlier, size, tree.get_root(earlier), tree.get_root(size), theirs)


def as_the_rfc_has_it(proof: Any, earlier: int) -> Sequence[bytes]:
    """Write a consistency proof of theirs as RFC 9162 does.

    Where a subtree of the earlier tree ends at a split they go on, down to the first leaf behind
    it; the RFC takes what is behind it as one. And they give the root of an earlier tree that is
    perfect, which the RFC leaves out since it is known.
    """
    path, rule, subset = list(proof.path), proof.rule, proof.subset
    behind = subset.index(1)
    if behind:
        joined = path[0]
        for bit, other in zip(rule[: behind - 1], path[1:behind], strict=True):
            joined = JOIN(other, joined) if bit else JOIN(joined, other)
        path = [path[behind], joined, *path[behind + 1 :]]
    return path[1:] if earlier & (earlier - 1) == 0 else path
