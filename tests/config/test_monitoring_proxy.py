"""A real Caddy before Grafana and Prometheus: open by this machine's names only."""

import shutil
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.stand_ins.ports import free_port
from tests.stand_ins.processes import PATIENCE, ROOT
from tests.stand_ins.programs import running

CADDYFILE = (ROOT / "config" / "monitoring" / "Caddyfile").read_text(encoding="utf-8")


class Grafana(BaseHTTPRequestHandler):
    """Stands in for Grafana, which asks for no password."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Run Caddy by our file, but for its ports, and return the one that leads to Grafana."""
    if shutil.which("caddy") is None:
        pytest.skip("there is no Caddy: install the package caddy")
    grafana = HTTPServer(("127.0.0.1", 0), Grafana)
    thread = Thread(target=grafana.serve_forever)
    thread.start()
    port = free_port()
    text = CADDYFILE.replace(":3000", f":{port}").replace(":9090", f":{free_port()}")
    text = text.replace(f"grafana:{port}", f"127.0.0.1:{grafana.server_port}")
    (tmp_path / "Caddyfile").write_text(text.replace("{\n", "{\n\tadmin off\n", 1))
    command = ["caddy", "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    try:
        with running(
            command,
            tmp_path / "caddy.log",
            {"HOME": str(tmp_path)},
            until=lambda: status(port, "localhost"),
        ):
            yield port
    finally:
        grafana.shutdown()
        thread.join()
        grafana.server_close()


def status(port: int, name: str) -> int | None:
    """Ask by a name, and return the status; None while Caddy starts."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/", headers={"Host": name})
        return connection.getresponse().status
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


def test_a_page_of_another_name_that_leads_here_is_not_let_in(port: int) -> None:
    for name in ("localhost", "127.0.0.1", "[::1]", "localhost:13000"):
        assert status(port, name) == 200, name
    for name in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "192.0.2.1"):
        assert status(port, name) == 421, name
