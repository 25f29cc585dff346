"""A slow disk: every flush takes time."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest
from sqlalchemy.orm import Session

from tests.conftest import FIRST_DAY, migrate
from tests.stand_ins.players import Player, let_play
from tests.stand_ins.postgres import Server
from tests.stand_ins.processes import Gunicorn
from tests.stand_ins.slow_disk import NoCompiler, SlowDisk, slow_disk
from tests.stand_ins.strikes import STRIKES, check, suffer

#: by which every flush is slower: some disks under load are
MILLISECONDS = 50


@pytest.fixture
def disk() -> Iterator[SlowDisk]:
    try:
        with slow_disk(MILLISECONDS) as disk:
            yield disk
    except NoCompiler as error:
        pytest.skip(str(error))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, disk: SlowDisk, tmp_path: Path) -> str:
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_file"), tmp_path / "lottery.db")
        return f"sqlite:///{tmp_path}/lottery.db"
    postgres: Server = request.getfixturevalue("durable_postgres")
    url = postgres.create("lottery")
    migrate(url)
    postgres.stop("fast")
    postgres.start(preload=disk.library)
    return url


@pytest.fixture
def preload(database_url: str, disk: SlowDisk) -> Path | None:
    return disk.library if database_url.startswith("sqlite") else None


def test_players_get_their_receipts_from_a_slow_disk(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    suffer(server, players, lambda: let_play(players))

    assert not any(player.unanswered_count + player.turned_away_count for player in players)
    check(server, players, session)


@pytest.mark.parametrize("workers", [1])
def test_pages_are_answered_while_the_one_worker_waits_for_a_flush(
    server: Gunicorn, disk: SlowDisk, players: list[Player], session: Session
) -> None:
    player = players[0]
    for _ in range(STRIKES):
        form = player.form()
        with ThreadPoolExecutor() as pool:
            with disk.held():
                receipt = pool.submit(player.submit, form, 3)
                disk.wait_for_a_flush()
                for path in ("/healthz", f"/winners/{FIRST_DAY}", "/login"):
                    with urlopen(server.url + path) as answer:
                        assert answer.status == 200
                assert not receipt.done()
            player.receipts.append(receipt.result())

    assert not any(player.unanswered_count + player.turned_away_count for player in players)
    check(server, players, session)
