"""A restart without a lost request: by USR2, and by a socket that outlives the server."""

import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from lottery_system.clock import closes_at
from tests.conftest import FIRST_DAY
from tests.stand_ins.players import Player, drawn, let_play, open_lottery, playing
from tests.stand_ins.processes import PATIENCE, Gunicorn, wait_for

REFUSAL = "log_key is missing. Restore this file"
LATE = closes_at(FIRST_DAY) - timedelta(seconds=2)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_players_notice_nothing_of_a_restart_at_midnight(
    database_url: str, tmp_path: Path, session: Session
) -> None:
    """The old and the new workers all have a scheduler, and the day is drawn once."""
    open_lottery(session)
    server = Gunicorn(database_url, tmp_path, at=LATE)
    server.clock.stand_at(LATE)
    with server:
        assert server._master is not None
        old, old_workers = server._master, set(server.workers())
        players = [Player(server, f"player{number}") for number in range(2)]
        with playing(players):
            let_play(players)
            old.send_signal(signal.SIGUSR2)
            wait_for(lambda: server.log().count("Booting worker") > 1, "the new worker starts")
            server.clock.run_from(LATE)
            assert old.wait(PATIENCE) == 0
            let_play(players)
            wait_for(lambda: drawn(server), "the day is drawn")
            let_play(players)
        assert not old_workers & set(server.workers())

    assert drawn(server) == [str(FIRST_DAY)]
    for player in players:
        assert (player.unanswered_count, player.turned_away_count) == (0, 0)
    assert {day for player in players for day in player.days()} >= {str(FIRST_DAY)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_new_version_that_does_not_start_leaves_the_old_one_serving(
    database_url: str, tmp_path: Path
) -> None:
    with Gunicorn(database_url, tmp_path) as server:
        assert server._master is not None
        workers = server.workers()
        key = tmp_path / "log_key"
        key.rename(tmp_path / "away")
        server._master.send_signal(signal.SIGUSR2)
        wait_for(lambda: server.log().count("Starting gunicorn") == 2, "another one starts")
        wait_for(lambda: REFUSAL in server.log(), "it refuses")
        assert server.readyz() == "ready\n"

        server._master.send_signal(signal.SIGHUP)
        wait_for(lambda: "HUP does nothing" in server.log(), "HUP is refused")
        assert server.workers() == workers
        # not by USR2, which under systemd and in containers ends the server
        assert "restart the server (docs/operating.md, Restarting)" in server.log()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_requests_wait_at_a_socket_of_systemd_while_the_lottery_restarts(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As config/systemd/lottery.socket hands it over (sd_listen_fds(3))."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        server = Gunicorn(database_url, tmp_path)
        server.port = listener.getsockname()[1]
        server.url = f"http://127.0.0.1:{server.port}"

        def start() -> subprocess.Popen[bytes]:
            with server.log_file.open("ab") as log:
                return subprocess.Popen(
                    ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh",
                     Path(sys.executable).with_name("gunicorn"), "--config", server._config],
                    cwd=server._config.parent.parent,
                    env={**server.environ, "LISTEN_FDS": "1"},
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=lambda: os.dup2(listener.fileno(), 3),  # noqa: PLW1509
                    pass_fds=[3],
                )  # fmt: skip

        server.start_up = lambda: setattr(server, "_master", start())  # type: ignore[method-assign]
        with server:
            wait_for(lambda: server._answers("/readyz"), "it is ready")
            assert server._master is not None
            server._master.terminate()
            assert server._master.wait(PATIENCE) == 0
            waiting = socket.create_connection(("127.0.0.1", server.port))
            waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            server._master = start()
            waiting.settimeout(PATIENCE)
            assert waiting.recv(12) == b"HTTP/1.1 200"
            waiting.close()
