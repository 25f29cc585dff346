"""The shipped Caddyfile in a real Caddy: an access log without what links and cookies carry."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from tests.stand_ins.ports import free_port
from tests.stand_ins.processes import PATIENCE, ROOT, wait_for
from tests.stand_ins.programs import running

CADDYFILE = (ROOT / "config" / "Caddyfile").read_text(encoding="utf-8")
SECRET = "Li4nKt0kEn-c00kie"


class Lottery(BaseHTTPRequestHandler):
    """Stands in for the lottery: leads a link on, and tells the id of a request."""

    def do_GET(self) -> None:
        self.send_response(303)
        self.send_header("Location", f"/new-password?link={SECRET}")
        self.send_header("Set-Cookie", f"link={SECRET}")
        self.send_header("X-Request-ID", self.headers["X-Request-ID"])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def caddy(folder: Path, upstream: int) -> Iterator[tuple[str, Path]]:
    """Run Caddy by our file, but for addresses and patience; yield its address and its log."""
    port = free_port()
    text = CADDYFILE.replace("lottery:8080", f"127.0.0.1:{upstream}").replace(
        "lb_try_duration 15s", "lb_try_duration 0s"
    )
    file, log = folder / "Caddyfile", folder / "caddy.log"
    file.write_text(text.replace("{\n", "{\n\tadmin off\n\tauto_https off\n", 1))
    site = f"http://127.0.0.1:{port}"
    command = ["caddy", "run", "--config", str(file), "--adapter", "caddyfile"]
    environ = {"SITE_ADDRESS": site, "HOME": str(folder)}
    with running(command, log, environ, until=lambda: ask(site)):
        yield site, log


def ask(site: str) -> int | None:
    """Come by a link as a browser does, and return the status; None while Caddy starts."""
    request = Request(
        f"{site}/join?link={SECRET}",
        headers={
            "Cookie": f"session={SECRET}",
            "Referer": f"{site}/new-password?link={SECRET}",
            "X-Request-ID": "chosen-by-a-client",
        },
    )
    try:
        with urlopen(request, timeout=PATIENCE) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
    except URLError:
        return None


@pytest.fixture(autouse=True)
def has_caddy() -> None:
    if shutil.which("caddy") is None:
        pytest.skip("there is no Caddy: install the package caddy")


def events(log: Path, logger: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [each for each in lines if str(each.get("logger")).startswith(logger)]


def test_a_request_has_a_line_with_its_id_and_without_its_secrets(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Lottery) as lottery:
        Thread(target=lottery.serve_forever, daemon=True).start()
        with caddy(tmp_path, lottery.server_port) as (_, log):
            [event, *_] = wait_for(lambda: events(log, "http.log.access"), "a line")
            text = log.read_text(encoding="utf-8")
        lottery.shutdown()

    assert event["status"] == 303
    assert isinstance(event["request"], dict)
    assert event["request"]["uri"] == "/join?..."
    assert isinstance(event["resp_headers"], dict)
    assert set(event["resp_headers"]) == {"X-Request-Id"}
    assert SECRET not in text
    assert "chosen-by-a-client" not in text


def test_what_goes_wrong_is_told_without_secrets_too(tmp_path: Path) -> None:
    with caddy(tmp_path, free_port()) as (site, log):
        status = ask(site)
        wait_for(lambda: events(log, "http.log.error"), "a line")
        text = log.read_text(encoding="utf-8")

    assert status == 502
    assert SECRET not in text
