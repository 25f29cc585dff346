"""The container's health check holds where /readyz does."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.stand_ins.ports import free_port
from tests.stand_ins.processes import PATIENCE, ROOT


class Lottery(BaseHTTPRequestHandler):
    """Says at /readyz what the test has it say, and at no other address."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Return where a lottery is served."""
    server = HTTPServer(("127.0.0.1", 0), Lottery)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def probe(port: int, storage: Path) -> int:
    """Run the health check as the container does, told of a proxy as Docker may tell it."""
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LOTTERY_")},
        "http_proxy": "http://127.0.0.1:9",
        "LOTTERY_HOST": "0.0.0.0",
        "LOTTERY_PORT": str(port),
        "LOTTERY_STORAGE": str(storage),
    }
    command = [sys.executable, "-m", "config.probe"]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, timeout=PATIENCE, check=False
    ).returncode


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_tells_what_readyz_tells(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, code: int
) -> None:
    monkeypatch.setattr(Lottery, "status", status)

    assert probe(port, tmp_path) == code


def test_the_health_check_fails_where_nobody_listens(tmp_path: Path) -> None:
    assert probe(free_port(), tmp_path) == 1
