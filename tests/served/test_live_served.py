"""A thousand live streams on one worker, which is stopped while they are open."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.orm import Session

from tests.conftest import FIRST_NOON
from tests.stand_ins.players import Player, open_lottery
from tests.stand_ins.processes import Gunicorn, wait_for
from tests.stand_ins.streams import Stream, streams

PAGES = 1000
#: seconds until all are told: the looks are two apart, and the machine may be busy
SOON = 8
#: seconds from asking the server to stop until it has: gunicorn looks once a second
STOP = 8
#: seconds without a look after which there is no loop
QUIET = 5


@pytest.fixture
def server(database_url: str, tmp_path: Path, session: Session) -> Iterator[Gunicorn]:
    open_lottery(session)
    with Gunicorn(database_url, tmp_path, at=FIRST_NOON) as server:
        yield server


def seconds_to_stop(server: Gunicorn) -> float:
    began = time.monotonic()
    assert server.stop() == 0
    return time.monotonic() - began


def test_a_thousand_pages_are_told_while_others_are_served(server: Gunicorn) -> None:
    player = Player(server, "player")

    with streams(server.port, PAGES) as opened:
        assert {stream.told["ballots"] for stream in opened.all} == {0}
        player.submit(player.form(), 12)

        assert opened.wait_until_all(lambda stream: stream.told["ballots"] == 12) < SOON
        began = time.monotonic()
        player.form()
        assert time.monotonic() - began < 2

        assert len({stream.told["version"] for stream in opened.all}) == 1
        assert seconds_to_stop(server) < STOP
        opened.wait_until_all(lambda stream: stream.is_over)

    assert "Traceback" not in server.log()
    assert "graceful timeout" not in server.log()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_database_is_left_alone_once_all_pages_are_closed(
    server: Gunicorn, database_url: str
) -> None:
    """On PostgreSQL, which says when it was asked; `tests/web` has the same for both."""
    player = Player(server, "player")
    with psycopg.connect(database_url, autocommit=True) as database:
        with streams(server.port, 100) as opened:
            opened.read_for(QUIET + 1)
            assert not is_quiet(database)
        player.submit(player.form(), 1)  # news that nobody takes

        wait_for(lambda: is_quiet(database), "nobody asks any more", seconds=30, pause=0.5)
    assert "Traceback" not in server.log()


def is_quiet(database: psycopg.Connection) -> bool:
    """Return whether nobody else has asked the database anything for longer than two intervals."""
    row = database.execute(
        "SELECT max(query_start) < clock_timestamp() - make_interval(secs => %s)"
        " FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()",
        [QUIET],
    ).fetchone()
    assert row is not None
    return bool(row[0])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_workers_tell_the_same(database_url: str, tmp_path: Path, session: Session) -> None:
    open_lottery(session)
    with Gunicorn(database_url, tmp_path, workers=2, at=FIRST_NOON) as server:
        player = Player(server, "player")
        with streams(server.port, 100) as opened:
            player.submit(player.form(), 3)

            opened.wait_until_all(lambda stream: stream.told["ballots"] == 3)
            assert len({said(stream) for stream in opened.all}) == 1
            assert seconds_to_stop(server) < STOP


def said(stream: Stream) -> str:
    return str(stream.told["version"])
