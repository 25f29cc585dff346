"""The public logs over HTTP (C2SP tlog-tiles), compared with pymerkle."""

from base64 import b64decode
from collections.abc import Collection
from datetime import timedelta

import pytest
from pymerkle import InmemoryTree, verify_inclusion
from sqlalchemy.orm import Session

from lottery_system.fairness import tiles
from lottery_system.fairness.merkle import HASH_BYTES, check_consistency
from lottery_system.fairness.note import open_checkpoint
from lottery_system.fairness.records import parse_ballot, parse_freeze, parse_genesis
from lottery_system.fairness.tiles import TILE_WIDTH, Tile, TilePath, format_path, parse_entries
from lottery_system.models import Lottery
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import LOG_KEYS, run_due
from tests.web.conftest import Visitor

ONE_DAY = timedelta(days=1)
DAY_LOG = f"/log/{FIRST_DAY}"
KEY = LOG_KEYS.key.verifier


@pytest.fixture
def _drawn_day(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock
) -> None:
    """Let a day of 600 ballots be drawn: some singly, some together."""
    for count in (1, 1, 1, 297, 1, 299):
        submit(cast.bob, big_chance, count)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)


def tile(visitor: Visitor, log: str, path: TilePath) -> bytes:
    answer = visitor.get(f"{log}/tile/{format_path(path)}")
    assert answer.status_code == 200, answer.text
    data: bytes = answer.data
    return data


def records_of(visitor: Visitor, log: str, size: int) -> list[bytes]:
    records: list[bytes] = []
    for number in range(-(-size // TILE_WIDTH)):
        width = tiles.width_at(Tile(0, number), size)
        records += parse_entries(tile(visitor, log, TilePath(None, number, width)))
    return records


@pytest.mark.usefixtures("_drawn_day")
@pytest.mark.parametrize("log", [DAY_LOG, "/log"])
def test_another_implementation_finds_the_root_that_the_checkpoint_signs(
    stranger: Visitor, log: str
) -> None:
    checkpoint = open_checkpoint(stranger.get(f"{log}/checkpoint").text, KEY)

    tree = InmemoryTree(algorithm="sha256")
    for record in records_of(stranger, log, checkpoint.size):
        tree.append_entry(record)

    assert checkpoint.size == (600 if log == DAY_LOG else 2)
    assert tree.get_root() == checkpoint.root


@pytest.mark.usefixtures("_drawn_day")
def test_another_implementation_believes_proofs_made_of_the_tiles(stranger: Visitor) -> None:
    size = 600
    tree = InmemoryTree(algorithm="sha256")
    for record in records_of(stranger, DAY_LOG, size):
        tree.append_entry(record)

    def read(wanted: Collection[Tile]) -> dict[Tile, bytes]:
        return {
            each: tile(stranger, DAY_LOG, TilePath(*each, tiles.width_at(each, size)))
            for each in wanted
        }

    for index in (0, 1, 255, 256, 599):
        proof = tree.prove_inclusion(index + 1, size)
        proof.path[1:] = tiles.prove_inclusion(read, index, size)
        verify_inclusion(tree.get_leaf(index + 1), tree.get_root(), proof)
    for earlier in (1, 3, 256, 300, 599):
        ours = tiles.prove_consistency(read, earlier, size)
        # its own consistency proofs are no RFC 9162 ones; the roots of both sizes are its own here
        assert check_consistency(earlier, size, tree.get_root(earlier), tree.get_root(), ours)


@pytest.mark.usefixtures("_drawn_day")
def test_the_journal_holds_the_genesis_and_the_freeze_of_each_day(stranger: Visitor) -> None:
    genesis, freeze = records_of(stranger, "/log", 2)

    assert parse_genesis(genesis).first == FIRST_DAY
    assert parse_freeze(freeze).size == 600
    assert (
        parse_freeze(freeze).root
        == open_checkpoint(stranger.get(f"{DAY_LOG}/checkpoint").text, KEY).root
    )


@pytest.mark.usefixtures("_drawn_day")
def test_a_days_log_names_nobody(stranger: Visitor) -> None:
    records = records_of(stranger, DAY_LOG, 600)

    assert [parse_ballot(record).number for record in records] == list(range(1, 601))
    assert len({parse_ballot(record).holder for record in records}) == 600
    assert b"bob" not in b"".join(records)


@pytest.mark.usefixtures("_drawn_day")
@pytest.mark.parametrize(
    ("path", "mimetype", "caching"),
    [
        ("/checkpoint", "text/plain", "max-age=2"),
        ("/tile/0/000", "application/octet-stream", "immutable"),
        ("/tile/1/000.p/2", "application/octet-stream", "immutable"),
        ("/tile/entries/000", "application/octet-stream", "immutable"),
    ],
)
def test_each_part_of_a_log_says_what_it_is_and_how_long_it_keeps(
    stranger: Visitor, path: str, mimetype: str, caching: str
) -> None:
    answer = stranger.get(DAY_LOG + path)

    assert answer.status_code == 200
    assert answer.mimetype == mimetype
    assert caching in answer.headers["Cache-Control"]
    # pages saved on a disk, and those of other sites, may read it
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


@pytest.mark.usefixtures("_drawn_day")
@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/002",  # it is not full
        "/tile/0/002.p/89",  # it has 88
        "/tile/0/003.p/1",
        "/tile/2/000.p/1",
        "/tile/entries/002.p/89",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/0/0",
        "/tile/00/000",
        "/tile/64/000",
        "/tile/0/x000/000",
        "/tile/data/000",
        "/tile/0/000/",
        "/nothing",
    ],
)
def test_what_a_log_has_not_is_not_there(stranger: Visitor, path: str) -> None:
    assert stranger.get(DAY_LOG + path).status_code == 404


@pytest.mark.usefixtures("_drawn_day")
def test_the_beginning_of_a_tile_can_be_had_as_it_was_once(stranger: Visitor) -> None:
    whole = tile(stranger, DAY_LOG, TilePath(0, 0, 256))

    assert tile(stranger, DAY_LOG, TilePath(0, 0, 3)) == whole[: 3 * HASH_BYTES]
    assert len(parse_entries(tile(stranger, DAY_LOG, TilePath(None, 0, 3)))) == 3


@pytest.mark.usefixtures("_drawn_day")
def test_records_are_compressed_for_those_who_can_read_it(stranger: Visitor) -> None:
    plain = stranger.get(f"{DAY_LOG}/tile/entries/000")
    small = stranger.get(f"{DAY_LOG}/tile/entries/000", headers={"Accept-Encoding": "gzip"})

    assert small.headers["Content-Encoding"] == "gzip"
    assert len(small.data) < len(plain.data) / 1.5


def test_the_log_of_today_grows_with_each_ballot(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, stranger: Visitor
) -> None:
    run_due(session, FIRST_NOON)
    empty = open_checkpoint(stranger.get(f"{DAY_LOG}/checkpoint").text, KEY)
    submit(cast.bob, big_chance, 2)

    grown = open_checkpoint(stranger.get(f"{DAY_LOG}/checkpoint").text, KEY)

    assert (empty.size, grown.size) == (0, 2)
    assert grown.origin == f"lottery.local/{FIRST_DAY}"
    text = stranger.get(f"{DAY_LOG}/checkpoint").text
    assert b64decode(text.splitlines()[2]) == grown.root


@pytest.mark.parametrize("path", ["/log/2026-11-30/checkpoint", "/log/2026-02-30/checkpoint"])
@pytest.mark.usefixtures("_drawn_day")
def test_a_day_without_a_log_is_not_there(stranger: Visitor, path: str) -> None:
    assert stranger.get(path).status_code == 404
