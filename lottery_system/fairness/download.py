"""Downloading a log, so that it can be checked without the server."""

from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from lottery_system.fairness.folder import MAX_BUNDLE_BYTES
from lottery_system.fairness.note import NoteError, parse_checkpoint
from lottery_system.fairness.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    TilePath,
    format_path,
    width_at,
)

#: seconds that a server may be silent
PATIENCE = 30

Progress = Callable[[int, int], None]


class NoDownload(Exception):
    """A log could not be downloaded; the message says why."""


def download(url: str, folder: Path, progress: Progress) -> int:
    """Copy a log (C2SP tlog-tiles) into a folder, and return how many records it has.

    What is there already is kept, so that a copy that broke off goes on where it was. Nothing is
    checked here but the form of the checkpoint: that is what `verify` is for.

    Raises:
        NoDownload: with a sentence that says why.
    """
    base = url.rstrip("/") + "/"
    if not base.startswith(("https://", "http://")):
        raise NoDownload(f"{url} is no address of a log, like https://site/log/2026-11-22/")
    try:
        note = _get(base + "checkpoint")
        try:
            text = note.decode().split("\n\n")[0] + "\n"
            size = parse_checkpoint(text).size
        except (NoteError, UnicodeDecodeError):
            raise NoDownload(f"{base}checkpoint is no checkpoint of a log") from None
        paths = list(_paths(size))
        for done, path in enumerate(paths):
            target = folder / "tile" / path
            if not target.is_file():
                _keep(target, _get(f"{base}tile/{path}"))
            progress(done + 1, len(paths))
        _keep(folder / "checkpoint", note)
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise NoDownload(f"{url}: {error}") from None
    return size


def _paths(size: int) -> Iterator[str]:
    """Name every tile and bundle of a log of a size."""
    level: int | None = None
    while True:
        count = size >> (TILE_HEIGHT * (level or 0))
        for number in range(-(-count // TILE_WIDTH)):
            width = width_at(Tile(level or 0, number), size)
            yield format_path(TilePath(level, number, width))
        if not count:
            return
        level = 0 if level is None else level + 1


def _get(address: str) -> bytes:
    request = Request(address, headers={"Accept-Encoding": "identity"})  # noqa: S310
    with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310  # http or https, see above
        body: bytes = answer.read(MAX_BUNDLE_BYTES + 1)
    if len(body) > MAX_BUNDLE_BYTES:
        raise NoDownload(f"{address} is larger than any part of a log")
    return body


def _keep(target: Path, body: bytes) -> None:
    """Write a file whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(target.name + ".draft")
    draft.write_bytes(body)
    draft.replace(target)
