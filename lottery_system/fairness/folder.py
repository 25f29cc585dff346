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
    """Yield the records of a log, in their order, from its entry bundles.

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


def _bundle(folder: Path, number: int) -> list[bytes] | None:
    """Return a full bundle, or the widest of its partial ones."""
    for width in range(TILE_WIDTH, 0, -1):
        path = folder / "tile" / format_path(TilePath(None, number, width))
        if path.is_file():
            if path.stat().st_size > MAX_BUNDLE_BYTES:
                raise ValueError(f"{path.name} is too large for a bundle of records")
            records = parse_entries(path.read_bytes())
            if len(records) != width:
                raise ValueError(f"bundle {number} has {len(records)} records, not {width}")
            return records
    return None
