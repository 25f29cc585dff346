"""Fixtures of fault injection: a served lottery, and people who play meanwhile."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from lottery_system.clock import closes_at
from tests.conftest import FIRST_DAY
from tests.stand_ins.players import Player, open_lottery
from tests.stand_ins.postgres import NoServer, Server
from tests.stand_ins.processes import CONFIG, Gunicorn

MIDNIGHT = closes_at(FIRST_DAY)
LATE = MIDNIGHT - timedelta(seconds=2)
PLAYERS = 4


@pytest.fixture
def served_url(database_url: str) -> str:
    """Return the address by which the lottery reaches its database; for a test to override."""
    return database_url


@pytest.fixture
def preload() -> Path | None:
    """Return a library that the lottery is to load first; for a test to override."""
    return None


@pytest.fixture
def workers() -> int:
    """Return how many serve; for a test to override."""
    return 2


@pytest.fixture
def served_settings() -> dict[str, str]:
    """Return settings of the server that differ from the defaults; for a test to override."""
    return {}


@pytest.fixture
def server(
    served_url: str, tmp_path: Path, session: Session, workers: int, preload: Path | None,
    served_settings: dict[str, str],
) -> Iterator[Gunicorn]:  # fmt: skip
    """Serve by a clock that stands still, shortly before midnight, until a test lets it run."""
    open_lottery(session)
    server = Gunicorn(
        served_url,
        tmp_path,
        workers=workers,
        at=LATE,
        config=CONFIG,
        preload=preload,
        **served_settings,
    )
    server.clock.stand_at(LATE)
    with server:
        yield server


@pytest.fixture
def players(server: Gunicorn) -> list[Player]:
    return [Player(server, f"player{n}") for n in range(PLAYERS)]


@pytest.fixture
def durable_postgres() -> Iterator[Server]:
    """Run a server that a test may stop; it flushes to disk, so that nothing is lost by it."""
    try:
        server = Server(durable=True)
    except NoServer as error:
        pytest.skip(str(error))
    yield server
    server.remove()
