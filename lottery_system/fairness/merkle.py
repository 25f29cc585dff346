"""Merkle trees of append-only logs (RFC 9162, section 2.1; the same as RFC 6962)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

HASH_BYTES = 32
#: the root of a tree without leaves
EMPTY_ROOT = sha256(b"").digest()

_NODE = sha256(b"\x01")


def leaf_hash(record: bytes) -> bytes:
    """Return H(0x00 || record)."""
    return sha256(b"\x00" + record).digest()


def leaf_hashes(records: Sequence[bytes]) -> list[bytes]:
    """Return the `leaf_hash` of each record."""
    return [sha256(b"\x00" + record).digest() for record in records]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return H(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Node:
    """A perfect subtree, full of leaves: those from `index << height` on, `1 << height` of them."""

    height: int
    index: int


class Row(NamedTuple):
    """Hashes of neighbouring nodes of one height, from the index `first` on."""

    first: int
    hashes: Sequence[bytes]


class Frontier(NamedTuple):
    """The state that a tree needs to grow: the roots of its largest perfect subtrees.

    A tree of `size` leaves has as many as `size` has ones in binary, the greatest and leftmost
    first. Elsewhere called a compact range.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: these are not the hashes of a tree of `size` leaves.
        """
        if size < 0 or len(data) != size.bit_count() * HASH_BYTES:
            raise ValueError(f"{len(data)} bytes are no frontier of {size} leaves")
        return cls(size, tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), 32)))

    def to_bytes(self) -> bytes:
        """Write the hashes one after the other, 32 bytes each."""
        return b"".join(self.hashes)

    @property
    def root(self) -> bytes:
        """Return the hash of the whole tree."""
        if not self.hashes:
            return EMPTY_ROOT
        return join_nodes(self.hashes)

    def extend(self, leaves: Sequence[bytes]) -> "tuple[Frontier, list[Row]]":
        """Append leaves, given as their hashes.

        Costs about one hash a leaf, independent of the size of the tree.

        Returns:
            The frontier of the tree grown, and the nodes that became perfect by it, a row for each
            height from the leaves up to the greatest that has any.
        """
        below: dict[int, bytes] = {}
        left = list(self.hashes)  # the smallest last
        rows: list[Row] = []
        first, hashes = self.size, list(leaves)
        while hashes:
            rows.append(Row(first, hashes))
            row = [left.pop(), *hashes] if first & 1 else hashes
            if len(row) & 1:
                below[len(rows) - 1] = row[-1]
            hashes = _parents(row)
            first >>= 1
        kept = tuple(left) + tuple(below[height] for height in sorted(below, reverse=True))
        return Frontier(self.size + len(leaves), kept), rows


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaves, given as their hashes."""
    frontier, _ = Frontier().extend(list(leaves))
    return frontier.root


def perfect_nodes(start: int, end: int) -> list[Node]:
    """Split the leaves from `start` to before `end` into the fewest perfect subtrees, in order.

    Only for ranges that RFC 9162 hashes as one: `start` is a multiple of a power of two that is no
    smaller than the range.
    """
    nodes = []
    while start < end:
        height = (end - start).bit_length() - 1
        nodes.append(Node(height, start >> height))
        start += 1 << height
    return nodes


def join_nodes(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of a range, given the hashes of its `perfect_nodes`."""
    joined = hashes[-1]
    for left in reversed(hashes[:-1]):
        joined = node_hash(left, joined)
    return joined


def inclusion_path(index: int, size: int) -> list[tuple[int, int]]:
    """Return the ranges whose hashes prove the leaf `index` in a tree of `size` (PATH, 2.1.3.1).

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_path(size1: int, size2: int) -> list[tuple[int, int]]:
    """Return the ranges whose hashes prove that a tree of `size2` extends its own first `size1`.

    PROOF and SUBPROOF of section 2.1.4.1.

    Raises:
        ValueError: `size1` is not positive or greater than `size2`.
    """
    if not 1 <= size1 <= size2:
        raise ValueError(f"there is no proof that {size2} leaves extend {size1}")
    path, start, end, is_whole = [], 0, size2, True
    while size1 != end:
        middle = start + _split(end - start)
        if size1 <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start, is_whole = middle, False
    if not is_whole:
        path.append((start, end))
    return path[::-1]


def check_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> bool:
    """Return whether a proof holds that `leaf` is the hash of leaf `index` (section 2.1.3.2)."""
    if not 0 <= index < size or len(leaf) != HASH_BYTES:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def check_consistency(
    size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]
) -> bool:
    """Return whether a proof holds that the tree of `root2` extends that of `root1` (2.1.4.2).

    Nothing follows from an empty tree: `size1` must be positive.
    """
    if not 1 <= size1 <= size2:
        return False
    if size1 == size2:
        return not proof and root1 == root2
    path = list(proof)
    if size1 & (size1 - 1) == 0:
        path.insert(0, root1)
    if not path:
        return False
    fn, sn = size1 - 1, size2 - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == root1 and sr == root2


def _split(size: int) -> int:
    """Return the greatest power of two below a size."""
    return 1 << (size - 1).bit_length() - 1


def _parents(row: Sequence[bytes]) -> list[bytes]:
    """Return the `node_hash` of each pair of a row; a last one without a neighbour has none.

    A copy of what has read 0x01 already saves a tenth of `node_hash`, for every ballot and while
    its day is locked.
    """
    begun, parents = _NODE.copy, []
    nodes = iter(row)
    for left, right in zip(nodes, nodes, strict=False):
        node = begun()
        node.update(left)
        node.update(right)
        parents.append(node.digest())
    return parents
