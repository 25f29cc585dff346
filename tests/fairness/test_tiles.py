"""C2SP tlog-tiles: paths, bundles, and proofs from tiles of several levels."""

import pytest

from lottery_system.fairness import tiles
from lottery_system.fairness.merkle import check_consistency, check_inclusion, tree_root
from lottery_system.fairness.tiles import (
    MissingTile,
    Tile,
    TilePath,
    format_entries,
    format_path,
    parse_entries,
    parse_path,
    width_at,
)
from tests.fairness.forge import Log

SIZE = 70_000


@pytest.fixture(scope="module")
def log() -> Log:
    """Return a log of the size that the specification takes for its example."""
    return Log([b"%d" % number for number in range(SIZE)])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (TilePath(0, 0, 256), "0/000"),
        (TilePath(0, 273, 112), "0/273.p/112"),
        (TilePath(1, 1_234_067, 256), "1/x001/x234/067"),
        (TilePath(None, 999, 1), "entries/999.p/1"),
        (TilePath(None, 1000, 255), "entries/x001/000.p/255"),
        (TilePath(63, 5, 256), "63/005"),
    ],
)
def test_addresses_are_written_as_in_the_specification(path: TilePath, text: str) -> None:
    assert format_path(path) == text
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "", "0", "0/0", "0/00", "0/0000", "00/000", "64/000", "-1/000", "0/x000/000", "0/001/000",
        "0/x001/x000", "0/000.p/0", "0/000.p/256",
        "0/000.p/257", "0/000.p/999", "0/000.p/01", "0/000.p/", "0/000.p", "0/000/",
        "/0/000", "0/000\n", "0/٠٠٠", "data/000", "entries/x1/000", "0/x001/000 ", "0/X001/000",
    ],
)  # fmt: skip
def test_any_other_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the address of a tile"):
        parse_path(text)


def test_a_tree_has_the_tiles_that_the_specification_counts(log: Log) -> None:
    """273 full tiles and one of 112 hashes; above them a full one and one of 17; then one of 1."""
    widths = {tile: len(hashes) // 32 for tile, hashes in log.tiles.items()}

    assert sum(width == 256 for tile, width in widths.items() if tile.level == 0) == 273
    assert widths[Tile(0, 273)] == 112
    assert (widths[Tile(1, 0)], widths[Tile(1, 1)], widths[Tile(2, 0)]) == (256, 17, 1)
    assert all(width == width_at(tile, SIZE) for tile, width in widths.items())
    assert width_at(Tile(0, 274), SIZE) == 0


@pytest.mark.parametrize("index", [0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999])
@pytest.mark.parametrize("size", [70_000, 65_536, 65_537, 257, 256, 1])
def test_proofs_out_of_several_levels_hold(log: Log, index: int, size: int) -> None:
    if index < size:
        proof = tiles.prove_inclusion(log.read, index, size)
        leaf = log.tiles[Tile(0, index // 256)][index % 256 * 32 :][:32]
        assert check_inclusion(index, size, leaf, proof, tiles.root(log.read, size))
    elif index < SIZE:
        proof = tiles.prove_consistency(log.read, size, index + 1)
        roots = tiles.root(log.read, size), tiles.root(log.read, index + 1)
        assert check_consistency(size, index + 1, *roots, proof)


def test_the_root_out_of_tiles_is_that_of_the_leaves(log: Log) -> None:
    leaves = b"".join(log.tiles[Tile(0, number)] for number in range(274))

    assert tiles.root(log.read, SIZE) == tree_root(
        [leaves[at : at + 32] for at in range(0, len(leaves), 32)]
    )


def test_a_tile_that_is_missing_or_short_is_told() -> None:
    with pytest.raises(MissingTile, match="0/000 does not reach so far"):
        tiles.prove_inclusion(lambda wanted: {}, 0, 2)
    with pytest.raises(MissingTile):
        tiles.root(lambda wanted: {each: bytes(31) for each in wanted}, 1)


def test_records_come_back_out_of_their_bundle() -> None:
    records = [b"", b"a", b"b" * 65_535]

    assert format_entries([b"ab"]) == b"\x00\x02ab"
    assert parse_entries(format_entries(records)) == records


@pytest.mark.parametrize("bundle", [b"\x00", b"\x00\x02a", b"\x00\x01ab\x00"])
def test_a_bundle_that_breaks_off_is_refused(bundle: bytes) -> None:
    with pytest.raises(ValueError, match="ends in the middle"):
        parse_entries(bundle)
