"""Tiles of a log: the layout of C2SP tlog-tiles, and proofs made from tiles.

A tile is 256 hashes of one level: level 0 are the leaves, and each hash of a level above is the
root of a full tile of the level below.

    checkpoint                      size and root, signed
    tile/<L>/<N>[.p/<W>]            hashes of level L from N * 256 on, 32 bytes each
    tile/entries/<N>[.p/<W>]        the records behind the hashes of level 0

N is written in groups of three digits, all but the last behind an `x`: 1234067 is x001/x234/067. A
tile at the right edge of the tree that is not full is partial, with its width W from 1 to 255.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from lottery_system.fairness.merkle import (
    HASH_BYTES,
    Node,
    Row,
    consistency_path,
    inclusion_path,
    join_nodes,
    perfect_nodes,
)

#: heights of the tree in one tile, and its hashes
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MAX_LEVEL = 63
LENGTH_BYTES = 2

ENTRIES = "entries"
_PATH = re.compile(
    r"(?P<level>entries|0|[1-9][0-9]?)/(?P<number>(?:x[0-9]{3}/){0,5}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


class Tile(NamedTuple):
    """Which tile: its level and its number within the level."""

    level: int
    number: int


class Piece(NamedTuple):
    """Hashes that one step of growth added to a tile, from its hash `offset` on."""

    tile: Tile
    offset: int
    hashes: bytes


class TilePath(NamedTuple):
    """What an address below `tile/` asks for."""

    #: None for the records themselves
    level: int | None
    number: int
    #: hashes asked for, 1 to 256
    width: int


#: answers what is known of some tiles: their hashes, one after the other
ReadTiles = Callable[[Collection[Tile]], Mapping[Tile, bytes]]


class MissingTile(LookupError):
    """A tile that a proof needs is not there, or is too short."""


def format_path(path: TilePath) -> str:
    """Write the address of a tile, below `tile/`."""
    groups = []
    rest = path.number
    while True:
        rest, group = divmod(rest, 1000)
        groups.append(f"{group:03}")
        if not rest:
            break
    number = "/".join(["x" + group for group in reversed(groups[1:])] + groups[:1])
    width = "" if path.width == TILE_WIDTH else f".p/{path.width}"
    return f"{ENTRIES if path.level is None else path.level}/{number}{width}"


def parse_path(text: str) -> TilePath:
    """Read the address of a tile, below `tile/`.

    Raises:
        ValueError: it is not written as `format_path` would.
    """
    match = _PATH.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not the address of a tile")
    level = None if match["level"] == ENTRIES else int(match["level"])
    number = int(match["number"].replace("x", "").replace("/", ""))
    path = TilePath(level, number, int(match["width"] or TILE_WIDTH))
    if format_path(path) != text or path.width > TILE_WIDTH or (level or 0) > MAX_LEVEL:
        raise ValueError(f"{text!r} is not the address of a tile")
    return path


def width_at(tile: Tile, size: int) -> int:
    """Return how many hashes a tile has in a tree of `size` leaves, 0 to 256."""
    hashes = size >> (TILE_HEIGHT * tile.level)
    return max(0, min(TILE_WIDTH, hashes - tile.number * TILE_WIDTH))


def pieces(rows: Sequence[Row]) -> Iterator[Piece]:
    """Cut the nodes that became perfect into what each tile grows by."""
    for level, row in enumerate(rows[::TILE_HEIGHT]):
        at = 0
        while at < len(row.hashes):
            number, offset = divmod(row.first + at, TILE_WIDTH)
            taken = row.hashes[at : at + TILE_WIDTH - offset]
            yield Piece(Tile(level, number), offset, b"".join(taken))
            at += len(taken)


def addresses(size: int) -> Iterator[TilePath]:
    """Yield all that a log of `size` records is served as: its bundles, then its tiles."""
    for level in (None, *range(MAX_LEVEL // TILE_HEIGHT + 1)):
        full, width = divmod(size >> TILE_HEIGHT * (level or 0), TILE_WIDTH)
        for number in range(full):
            yield TilePath(level, number, TILE_WIDTH)
        if width:
            yield TilePath(level, full, width)


def count_addresses(size: int) -> int:
    """Return how many `addresses` a log of `size` records has, without going through them."""
    rows = (size, *(size >> height for height in range(0, MAX_LEVEL + 1, TILE_HEIGHT)))
    return sum(-(-hashes // TILE_WIDTH) for hashes in rows)


def root(read: ReadTiles, size: int) -> bytes:
    """Return the root of the first `size` leaves, which are at least one.

    Raises:
        MissingTile: the tiles do not reach that far.
    """
    return _range_hashes(read, [(0, size)])[0]


def prove_inclusion(read: ReadTiles, index: int, size: int) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size` leaves.

    RFC 6962 calls this an audit path.

    Raises:
        ValueError: there is no such leaf.
        MissingTile: the tiles do not reach that far.
    """
    return _range_hashes(read, inclusion_path(index, size))


def prove_consistency(read: ReadTiles, size1: int, size2: int) -> list[bytes]:
    """Return the proof that the tree of `size2` leaves extends its own first `size1`.

    Raises:
        ValueError: `size1` is not positive or greater than `size2`.
        MissingTile: the tiles do not reach that far.
    """
    return _range_hashes(read, consistency_path(size1, size2))


def format_entries(records: Iterable[bytes]) -> bytes:
    """Write a bundle of records, each behind its length in two bytes, big-endian."""
    return b"".join(len(record).to_bytes(LENGTH_BYTES, "big") + record for record in records)


def parse_entries(bundle: bytes) -> list[bytes]:
    """Read a bundle of records.

    Raises:
        ValueError: it ends in the middle of one.
    """
    records, at = [], 0
    while at < len(bundle):
        start = at + LENGTH_BYTES
        end = start + int.from_bytes(bundle[at:start], "big")
        if end > len(bundle) or start > len(bundle):
            raise ValueError("a bundle of records ends in the middle of one")
        records.append(bundle[start:end])
        at = end
    return records


def _range_hashes(read: ReadTiles, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Return the hash of each range of leaves, having read all their tiles at once."""
    split = [perfect_nodes(start, end) for start, end in ranges]
    wanted = {_tile_of(node)[0] for nodes in split for node in nodes}
    tiles = read(wanted) if wanted else {}
    return [join_nodes([_node(tiles, node) for node in nodes]) for nodes in split]


def _tile_of(node: Node) -> tuple[Tile, int]:
    """Return the tile that a node is hashed from, and its first hash in there."""
    level, height = divmod(node.height, TILE_HEIGHT)
    number, offset = divmod(node.index << height, TILE_WIDTH)
    return Tile(level, number), offset


def _node(tiles: Mapping[Tile, bytes], node: Node) -> bytes:
    tile, offset = _tile_of(node)
    width = 1 << node.height % TILE_HEIGHT
    data = tiles.get(tile, b"")[offset * HASH_BYTES : (offset + width) * HASH_BYTES]
    if len(data) != width * HASH_BYTES:
        raise MissingTile(f"tile {format_path(TilePath(*tile, TILE_WIDTH))} does not reach so far")
    hashes = [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
    while len(hashes) > 1:
        hashes = [join_nodes(hashes[at : at + 2]) for at in range(0, len(hashes), 2)]
    return hashes[0]
