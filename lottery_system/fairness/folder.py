"""A downloaded copy of a log, in the layout of C2SP tlog-tiles, read bundle by bundle."""

from collections.abc import Iterator
from pathlib import Path

from lottery_system.fairness.tiles import (
    LENGTH_BYTES,
    TILE_WIDTH,
    TilePath,
    format_path,
    parse_entries,
)

#: no record of ours is longer than a line of it by much; a bundle cannot be larger than this
MAX_BUNDLE_BYTES = TILE_WIDTH * (LENGTH_BYTES + 2**16)


def read_records(folder: Path) -> Iterator[bytes]:
    """Yield the records of a log, in order, from its entry bundles.

    Raises:
        ValueError: a bundle is malformed or too large.
        OSError: a file cannot be read.
    """
    number = 0
    while True:
        bundle = _bundle(folder, number)
        if bundle is None:
            return
        yield from bundle
        if len(bundle) < TILE_WIDTH:
            return
        number += 1


def parse_bundle(data: bytes, path: TilePath) -> list[bytes]:
    """Read a bundle of as many records as its address says.

    Raises:
        ValueError: it is malformed, has another number of records, or is too large.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise ValueError(f"bundle {path.number} is too large for {path.width} records")
    records = parse_entries(data)
    if len(records) != path.width:
        raise ValueError(f"bundle {path.number} has {len(records)} records, not {path.width}")
    return records


def _bundle(folder: Path, number: int) -> list[bytes] | None:
    """Return a full bundle, or the widest of its partial ones."""
    for width in range(TILE_WIDTH, 0, -1):
        path = TilePath(None, number, width)
        file = folder / "tile" / format_path(path)
        if file.is_file():
            with file.open("rb") as bundle:
                return parse_bundle(bundle.read(MAX_BUNDLE_BYTES + 1), path)
    return None
