"""A full disk, then room again."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from lottery_system.mark import Head, Mark
from lottery_system.mark_files import MarkFiles
from tests.conftest import FIRST_DAY, migrate
from tests.stand_ins.players import Player
from tests.stand_ins.postgres import NoServer, Server
from tests.stand_ins.processes import Gunicorn, wait_for
from tests.stand_ins.small_disk import NoDisk, SmallDisk, small_disk
from tests.stand_ins.strikes import check, suffer, until_turned_away

MEGABYTES = 160


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    folder = Path(tempfile.mkdtemp(prefix="lottery-disk-"))
    folder.chmod(0o755)
    try:
        with small_disk(folder, MEGABYTES) as disk:
            yield disk
    except NoDisk as error:
        pytest.skip(str(error))
    finally:
        folder.rmdir()


@pytest.fixture(params=["sqlite", "postgresql"])
def postgres_there(request: pytest.FixtureRequest, disk: SmallDisk) -> Iterator[Server | None]:
    """Run a PostgreSQL server whose data lie on the small disk; SQLite needs none."""
    if request.param == "sqlite":
        yield None
        return
    try:
        server = Server(durable=True, disk=disk.folder)
    except NoServer as error:
        pytest.skip(str(error))
    yield server
    server.remove()


@pytest.fixture
def database_url(postgres_there: Server | None, disk: SmallDisk, sqlite_file: Path) -> str:
    if postgres_there is None:
        shutil.copy(sqlite_file, disk.folder / "lottery.db")
        return f"sqlite:///{disk.folder}/lottery.db"
    url = postgres_there.create("lottery")
    migrate(url)
    return url


@pytest.fixture
def served_settings() -> dict[str, str]:
    """Let the disk get full: with a bound no ballot would be tried (`web/test_free_space.py`)."""
    return {"LOTTERY_FREE_SPACE": "off"}


def mend(postgres: Server) -> bool:
    """Start a server that has given up, and tell whether it serves."""
    if not postgres.is_up():
        postgres.start()
    return postgres.serves()


def test_a_full_disk_loses_nothing_and_players_go_on_when_there_is_room(
    disk: SmallDisk,
    postgres_there: Server | None,
    server: Gunicorn,
    players: list[Player],
    session: Session,
) -> None:
    def fill_and_free() -> None:
        disk.fill()
        until_turned_away(players)
        disk.free()
        if postgres_there is not None:
            wait_for(lambda: mend(postgres_there), "PostgreSQL serves again")

    suffer(server, players, fill_and_free)

    assert not any(player.unanswered_count for player in players)
    check(server, players, session)


def test_a_mark_is_raised_on_a_full_disk_too_and_never_half_made(disk: SmallDisk) -> None:
    marks, late = MarkFiles([disk.folder / "mark"]), MarkFiles([disk.folder / "late"])
    start = Mark(bytes(32), Head(1, bytes(32)))
    marks.raise_to(lambda before: start)
    disk.fill()

    marks.raise_to(lambda before: start.raised(FIRST_DAY, Head(7, bytes(32))))
    with pytest.raises(OSError, match="No space left"):
        late.raise_to(lambda before: start)

    found = MarkFiles([disk.folder / "mark"]).read()
    assert found is not None
    assert found.days[FIRST_DAY].size == 7
    assert late.read() is None
    assert not list(disk.folder.glob(".late*"))
    disk.free()
    late.raise_to(lambda before: start)
    assert late.read() == start
