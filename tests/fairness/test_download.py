"""Downloading a log from servers that fail, grow meanwhile, or send something else."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lottery_system.fairness import tiles
from lottery_system.fairness.download import ATTEMPTS, NoDownload, download
from lottery_system.fairness.folder import read_records
from lottery_system.fairness.note import Checkpoint, sign_checkpoint
from lottery_system.fairness.tiles import (
    TILE_WIDTH,
    Tile,
    TilePath,
    addresses,
    count_addresses,
    format_path,
)
from tests.fairness.forge import KEY, Log

SIZE = 600
RECORDS = [b"record %d" % number for number in range(1000)]


class Site(dict[str, bytes]):
    """What a server has, by address; how often it is too busy first, and what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.busy: dict[str, int] = {}
        self.asked: list[str] = []
        self.url = ""


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve a log of 600 records: two full bundles and one of 88."""
    site = Site()
    serve(site, Log(RECORDS[:SIZE]))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.removeprefix("/log/")
            site.asked.append(path)
            site.busy[path] = site.busy.get(path, 0) - 1
            status = 503 if site.busy[path] >= 0 else 200 if path in site else 404
            body = site.get(path, b"") if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        site.url = f"http://127.0.0.1:{server.server_address[1]}/log/"
        yield site
        server.shutdown()


def serve(site: Site, log: Log) -> None:
    size = len(log.records)
    site["checkpoint"] = sign_checkpoint(Checkpoint("forge.example", size, log.root), KEY).encode()
    for path in addresses(size):
        if path.level is None:
            first = path.number * TILE_WIDTH
            body = tiles.format_entries(log.records[first : first + path.width])
        else:
            body = log.tiles[Tile(path.level, path.number)]
        site[f"tile/{format_path(path)}"] = body


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600, 65_535, 65_536, 70_000])
def test_all_that_a_log_is_served_as_has_its_address(size: int) -> None:
    found = list(addresses(size))

    assert len(found) == len(set(found)) == count_addresses(size)
    assert sum(path.width for path in found if path.level is None) == size
    assert sum(path.width for path in found if path.level == 0) == size
    assert sum(path.width for path in found if path.level == 1) == size // 256
    assert sum(path.width for path in found if path.level == 2) == size // 65_536
    assert all(path.level in {None, 0, 1, 2} for path in found)


def test_a_copy_is_what_was_served(site: Site, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    assert download(site.url, tmp_path, lambda done, size: told.append((done, size))) == SIZE

    assert files(tmp_path) == site
    assert list(read_records(tmp_path)) == RECORDS[:SIZE]
    assert told == [(done, 7) for done in range(1, 8)]


def test_a_log_of_nothing_is_a_checkpoint(site: Site, tmp_path: Path) -> None:
    site["checkpoint"] = b"forge.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"

    assert download(site.url, tmp_path / "copy") == 0

    assert list(files(tmp_path / "copy")) == ["checkpoint"]
    assert list(read_records(tmp_path / "copy")) == []


def test_full_tiles_are_asked_for_once(site: Site, tmp_path: Path) -> None:
    download(site.url, tmp_path)
    site.asked.clear()

    download(site.url, tmp_path)

    assert sorted(site.asked) == [
        "checkpoint", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/002.p/88",
    ]  # fmt: skip


def test_a_server_that_is_busy_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.busy = {"checkpoint": ATTEMPTS - 1, "tile/entries/001": ATTEMPTS - 1}

    assert download(site.url, tmp_path, pause=0) == SIZE

    assert site.asked.count("tile/entries/001") == ATTEMPTS


def test_a_server_that_stays_busy_is_given_up(site: Site, tmp_path: Path) -> None:
    site.busy = {"tile/entries/001": ATTEMPTS}

    with pytest.raises(NoDownload, match="entries/001 cannot be had: the server answers 503"):
        download(site.url, tmp_path, pause=0)

    assert "checkpoint" not in files(tmp_path)


def test_of_a_log_that_grew_meanwhile_the_beginning_is_taken(site: Site, tmp_path: Path) -> None:
    """C2SP tlog-tiles lets a server drop a partial tile once it has the full one."""
    whole = dict(site)
    before = site["checkpoint"]
    site.clear()
    serve(site, Log(RECORDS))
    site["checkpoint"] = before
    site["tile/1/000.p/2"] = whole["tile/1/000.p/2"]

    assert download(site.url, tmp_path) == SIZE

    assert files(tmp_path) == whole


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("checkpoint", b"<html>", "is not the checkpoint of a log"),
        ("checkpoint", b"\xff", "is not the checkpoint of a log"),
        ("checkpoint", b"a" * 70_000, "is larger than 65536 bytes"),
        ("tile/0/001", b"x" * 8191, "has 8191 bytes, not those of 256 hashes"),
        ("tile/0/002.p/88", b"", "has 0 bytes, not those of 88 hashes"),
        ("tile/entries/000", b"\0", "ends in the middle of one"),
        ("tile/entries/001", b"\0\0" * 255, "has 255 records, not 256"),
    ],
)
def test_what_has_another_form_is_not_kept(
    site: Site, tmp_path: Path, path: str, body: bytes, sentence: str
) -> None:
    site[path] = body

    with pytest.raises(NoDownload, match=sentence):
        download(site.url, tmp_path)

    assert not (tmp_path / path).exists()
    assert not (tmp_path / "checkpoint").exists()


def test_what_is_missing_is_told(site: Site, tmp_path: Path) -> None:
    del site["tile/entries/001"]

    with pytest.raises(NoDownload, match=r"entries/001 is not there \(404\)"):
        download(site.url, tmp_path)


def test_a_folder_that_is_a_file_is_told(site: Site, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("")

    with pytest.raises(NoDownload, match="cannot be written"):
        download(site.url, tmp_path / "copy")


def test_of_several_partial_bundles_the_widest_is_read(tmp_path: Path) -> None:
    for width in (9, 88, 100):
        Log(RECORDS[:width]).write(tmp_path)

    assert list(read_records(tmp_path)) == RECORDS[:100]


def test_a_bundle_larger_than_any_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "tile" / format_path(TilePath(None, 0, 1))
    file.parent.mkdir(parents=True)
    with file.open("wb") as bundle:
        bundle.truncate(2**30)

    with pytest.raises(ValueError, match="is too large"):
        list(read_records(tmp_path))
