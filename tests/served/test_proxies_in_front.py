"""The shipped configurations of nginx and Caddy, run by the real programs before a lottery."""

import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from tests.stand_ins.ports import free_port
from tests.stand_ins.processes import PATIENCE, ROOT, Gunicorn, wait_for
from tests.stand_ins.programs import running

#: a client that is not the proxy, and what it claims to be
CLIENT, CLAIMED = "127.0.0.2", "203.0.113.9"
CLAIMED_ID, TOKEN = "an-id-of-the-clients", "a-token-of-a-link"

Front = Callable[[Gunicorn, Path, int], list[str]]


def nginx(server: Gunicorn, folder: Path, port: int) -> list[str]:
    """Write a configuration for this machine, and return the command that runs it."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-subj", "/CN=localhost", "-keyout", "key", "-out", "certificate"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=PATIENCE)
    site = (ROOT / "config" / "nginx.conf").read_text(encoding="utf-8")
    for before, after in (
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen 443 ", f"listen 127.0.0.1:{port} "),
        ("lottery.example;", "localhost;"),
        ("127.0.0.1:8080", f"127.0.0.1:{server.port}"),
        ("/etc/letsencrypt/live/lottery.example/fullchain.pem", f"{folder}/certificate"),
        ("/etc/letsencrypt/live/lottery.example/privkey.pem", f"{folder}/key"),
        ("/var/log/nginx/", f"{folder}/"),
    ):
        assert before in site
        site = site.replace(before, after)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr;"
        # as Debian's nginx.conf has it, whose lines would be whole addresses
        f"events {{}} http {{ access_log {folder}/access.log; {paths}\n{site}\n}}\n",
        encoding="utf-8",
    )
    command = [_program("nginx"), "-p", str(folder), "-e", "stderr", "-c", f"{folder}/nginx.conf"]
    subprocess.run([*command, "-t"], check=True, capture_output=True, timeout=PATIENCE)
    return command


def caddy(server: Gunicorn, folder: Path, port: int) -> list[str]:
    """The same for Caddy, which makes a certificate for localhost itself."""
    text = (ROOT / "config" / "Caddyfile").read_text(encoding="utf-8")
    ports = f"{{\n\tadmin off\n\thttp_port {free_port()}\n\thttps_port {port}\n"
    text, count = re.subn(r"(?m)^\{\n", ports, text, count=1)
    assert count
    (folder / "Caddyfile").write_text(text, encoding="utf-8")
    os.environ["UPSTREAM"] = f"127.0.0.1:{server.port}"
    arguments = ["--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]
    subprocess.run(
        [_program("caddy"), "validate", *arguments],
        check=True, capture_output=True, timeout=PATIENCE,
    )  # fmt: skip
    return [_program("caddy"), "run", *arguments]


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"no {name} here; install Debian's package")
    return found


class Site:
    """The lottery as somebody reaches it from another address, by https."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._context = ssl._create_unverified_context()

    def get(self, path: str, method: str = "GET", body: str | None = None) -> tuple[int, str]:
        with closing(self.connect(method, path, body)) as connection:
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def connect(self, method: str, path: str, body: str | None = None) -> HTTPSConnection:
        connection = HTTPSConnection(
            "localhost", self._port, source_address=(CLIENT, 0), context=self._context,
            timeout=PATIENCE,
        )  # fmt: skip
        headers = {
            "X-Forwarded-For": CLAIMED,
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": "elsewhere.example",
            "Forwarded": f"for={CLAIMED};proto=http",
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Request-ID": CLAIMED_ID,
            "Referer": f"https://localhost/new-password?link={TOKEN}",
        }
        connection.request(method, path, body, headers)
        return connection

    def answers(self) -> bool:
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False


@pytest.mark.parametrize("front", [nginx, caddy])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_lottery_behind_a_proxy_knows_client_and_scheme_and_streams(
    front: Front, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "front"
    folder.mkdir()
    for name in ("UPSTREAM", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(folder))
    port = free_port()
    with Gunicorn(database_url, tmp_path, LOTTERY_TRUSTED_PROXIES="1") as server:
        site = Site(port)
        command = front(server, folder, port)
        with running(command, folder / "front.log", {"HOME": str(folder)}, until=site.answers):
            assert f'"https://localhost:{port}/welcome"' in site.get("/welcome")[1]
            assert site.get("/metrics")[0] == 403
            assert site.get("/login", "POST", "username=bob")[0] == 400  # without a CSRF token
            wait_for(lambda: "csrf_refused" in server.log(), "the refusal is logged")
            assert site.get(f"/new-password?link={TOKEN}")[0] < 500
            assert CLAIMED_ID not in server.log()
            assert f"from={CLIENT} " in server.log()
            assert CLAIMED not in server.log()
            # Caddy 2.6 cuts what it passes on, and newer ones say 413
            assert site.get("/login", "POST", "x" * 70_000)[0] in {413, 502}
            with (
                closing(site.connect("GET", "/live")) as connection,
                connection.getresponse() as live,
            ):
                assert live.getheader("Content-Type", "").startswith("text/event-stream")
                while not live.readline().startswith(b"data:"):  # at once, and the stream goes on
                    pass
            with closing(site.connect("GET", f"/nowhere?link={TOKEN}")) as connection:
                request_id = connection.getresponse().getheader("X-Request-ID", "")
            assert request_id != CLAIMED_ID

            def access_log() -> str:
                return "".join(file.read_text("utf-8") for file in folder.glob("*.log"))

            wait_for(lambda: request_id in access_log(), "the access log has the request's id")
            assert "/new-password" in access_log()
            if front is nginx:  # Caddy would wait whether the lottery comes back
                server.kill()
                assert site.get(f"/new-password?link={TOKEN}")[0] == 502
            assert TOKEN not in access_log()
