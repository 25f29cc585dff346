"""Download of a log, so that it can be checked without the server."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from itertools import islice
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from lottery_system.fairness.folder import MAX_BUNDLE_BYTES, parse_bundle
from lottery_system.fairness.listing import Progress
from lottery_system.fairness.merkle import HASH_BYTES
from lottery_system.fairness.note import NoteError, parse_checkpoint
from lottery_system.fairness.offers import MAX_OFFERS_BYTES
from lottery_system.fairness.records import DAY
from lottery_system.fairness.tiles import (
    TILE_WIDTH,
    TilePath,
    addresses,
    count_addresses,
    format_entries,
    format_path,
)

CHECKPOINT, TILES, OFFERS = "checkpoint", "tile", "offers.json"
#: what the address of a day's log ends with
_LOG_OF_A_DAY = re.compile(rf"/log/(?P<day>{DAY})/$", re.ASCII)

#: seconds that a server may be silent
TIMEOUT = 30
ATTEMPTS = 3
#: what a server may say when it is asked again and answers
PASSING = {408, 429, 500, 502, 503, 504}
#: seconds before the second attempt; twice as many before the third
PAUSE = 1.0
#: at once, since most of the time goes by waiting; few, since the server has others to serve
CONNECTIONS = 4
#: addresses that are handed out in one go, so that those of a great log need no memory
BATCH = 1024
MAX_CHECKPOINT_BYTES = 65536
NOT_FOUND = 404


class NoDownload(Exception):
    """A log could not be downloaded; the message says why."""


class _Missing(NoDownload):
    """The server knows nothing of the kind."""


def download(
    url: str, folder: Path, progress: Progress = lambda done, size: None, *, pause: float = PAUSE
) -> int:
    """Copy a log (C2SP tlog-tiles) into a folder, and return how many records it has.

    Existing full tiles are kept, so that an interrupted download resumes. The checkpoint is written
    last: if there is one, the copy is complete. With the log of a day comes its signed list of
    offers, if it has one. Only the form of the files is checked; use `verify` for the rest.

    Args:
        url: of the log, like https://site/log/2026-11-22/
        folder: made if it is missing.
        progress: told how many files of how many are there.
        pause: seconds to wait before the server is asked a second time.

    Raises:
        NoDownload: with a sentence that says why.
    """
    base = url.rstrip("/") + "/"
    if not base.startswith(("https://", "http://")):
        raise NoDownload(f"{url} is no address of a log, like https://site/log/2026-11-22/")
    note = _get(base + CHECKPOINT, MAX_CHECKPOINT_BYTES, pause)
    size = _size_of(note, base + CHECKPOINT)
    paths, total, done = addresses(size), count_addresses(size), 0
    try:
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            while batch := list(islice(paths, BATCH)):
                for _ in pool.map(lambda path: _copy(base, folder, path, pause), batch):
                    done += 1
                    progress(done, total)
        _copy_offers(base, folder, pause)
        _keep(folder / CHECKPOINT, note)
    except OSError as error:
        raise NoDownload(f"{folder} cannot be written: {error}") from None
    return size


def _copy(base: str, folder: Path, path: TilePath, pause: float) -> None:
    file = folder / TILES / format_path(path)
    if path.width == TILE_WIDTH and file.is_file():
        return
    address = f"{base}{TILES}/{format_path(path)}"
    try:
        data = _whole(_get(address, MAX_BUNDLE_BYTES, pause), path, address)
    except _Missing:
        if path.width == TILE_WIDTH:
            raise
        # the log grew meanwhile, and the tile is served in full only: ours is how it begins
        full = path._replace(width=TILE_WIDTH)
        address = f"{base}{TILES}/{format_path(full)}"
        data = _beginning(_whole(_get(address, MAX_BUNDLE_BYTES, pause), full, address), path)
    _keep(file, data)


def _copy_offers(base: str, folder: Path, pause: float) -> None:
    """Copy the signed list of offers of the day whose log is at an address, if there is one."""
    match = _LOG_OF_A_DAY.search(base)
    if not match:
        return
    address = f"{base[: match.start()]}/draws/{match['day']}/{OFFERS}"
    try:
        offers = _get(address, MAX_OFFERS_BYTES, pause)
    except _Missing:  # the day is open, or was closed before lists were signed
        return
    _keep(folder / OFFERS, offers)


def _whole(data: bytes, path: TilePath, address: str) -> bytes:
    if path.level is not None:
        if len(data) != path.width * HASH_BYTES:
            raise NoDownload(f"{address} has {len(data)} bytes, not those of {path.width} hashes")
        return data
    try:
        parse_bundle(data, path)
    except ValueError as error:
        raise NoDownload(f"{address} is no bundle of records: {error}") from None
    return data


def _beginning(data: bytes, path: TilePath) -> bytes:
    if path.level is not None:
        return data[: path.width * HASH_BYTES]
    return format_entries(parse_bundle(data, path._replace(width=TILE_WIDTH))[: path.width])


def _get(address: str, most: int, pause: float) -> bytes:
    """Return what is at an address, asking again where that may help.

    Raises:
        NoDownload: it cannot be had, or is larger than it may be.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause * attempt)
        try:
            request = Request(address, headers={"Accept-Encoding": "identity"})  # noqa: S310
            with urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310  # http(s) only
                data: bytes = answer.read(most + 1)
            break
        except HTTPError as error:
            error.close()
            if error.code == NOT_FOUND:
                raise _Missing(f"{address} is not there (404)") from None
            why, may_pass = f"the server answers {error.code}", error.code in PASSING
        except (URLError, OSError, HTTPException) as error:
            why = str(getattr(error, "reason", error)) or type(error).__name__
            may_pass = True
        except ValueError as error:  # no address after all
            why, may_pass = str(error), False
        if not may_pass or attempt == ATTEMPTS - 1:
            raise NoDownload(f"{address} cannot be had: {why}")
    if len(data) > most:
        raise NoDownload(f"{address} is larger than {most} bytes")
    return data


def _size_of(checkpoint: bytes, address: str) -> int:
    try:
        text, separator, _ = checkpoint.decode("utf-8").partition("\n\n")
        return parse_checkpoint(text + separator[:1]).size
    except (UnicodeDecodeError, NoteError):
        raise NoDownload(f"{address} is not the checkpoint of a log") from None


def _keep(file: Path, data: bytes) -> None:
    """Write a file whole or not at all, since a full tile that is there is not asked for again."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(file.name + ".draft")
    draft.write_bytes(data)
    draft.replace(file)
