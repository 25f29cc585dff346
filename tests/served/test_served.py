"""gunicorn with many connections at once."""

from pathlib import Path

import pytest

from tests.bench.load import load
from tests.stand_ins.processes import Gunicorn

#: the slowest answer against the usual one; without turns it is hundreds of times
FAIR = 50


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_connection_that_never_pauses_leaves_the_others_their_turn(
    database_url: str, tmp_path: Path
) -> None:
    with Gunicorn(database_url, tmp_path) as server:
        page = f"GET /winners HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()

        measured = load(server.port, lambda: page, seconds=3, connections=16)

    assert set(measured.statuses) == {200}
    assert measured.percentile(0.99) < FAIR * measured.percentile(0.5)
