"""A foreign witness, the program `aics-witness`, cosigns the journal and notices a fork."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from lottery_system import scheduler
from lottery_system.clock import ONE_DAY
from lottery_system.fairness.cosignature import check_cosignature, is_by, parse_witness_key
from lottery_system.fairness.note import format_vkey, split_note
from tests.conftest import FIRST_NOON, Backup, Clock
from tests.stand_ins.foreign import foreign as program_of
from tests.stand_ins.log_keys import LOG_KEYS, begin
from tests.stand_ins.ports import free_port
from tests.stand_ins.processes import PATIENCE
from tests.stand_ins.programs import running
from tests.stand_ins.witnessed_site import certified, checkpoint, reasons, restarted

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Foreign:
    """The program, with its configuration in a folder."""

    def __init__(self, folder: Path) -> None:
        self._program = program_of("aics_witness")
        self._config = folder / "witness.json"
        self.port = free_port()
        listen = ("--name", "witness.test/w1", "--listen", f"127.0.0.1:{self.port}")
        self.vkey = self.run("init", *listen).strip().splitlines()[-1]
        vkey = format_vkey(LOG_KEYS.key.verifier)
        self.run("add-log", "--origin", LOG_KEYS.key.name, "--vkey", vkey)
        self._running = ExitStack()

    def run(self, command: str, *arguments: str) -> str:
        """Run one of its commands, and return what it prints."""
        return subprocess.run(
            [*self._program, command, "--config", str(self._config), *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        ).stdout

    def start(self) -> None:
        """Serve, once it can be reached."""
        command = [*self._program, "serve", "--config", str(self._config)]
        log = self._config.with_name("witness.log")
        self._running.enter_context(running(command, log, until=self._is_up))

    def _is_up(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End it."""
        self._running.close()


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Foreign]:
    folder = tmp_path / "foreign"
    folder.mkdir()
    witness = Foreign(folder)
    witness.start()
    yield witness
    witness.stop()


@pytest.fixture
def given_settings(tmp_path: Path, foreign: Foreign) -> dict[str, str]:
    file = tmp_path / "witnesses"
    url = f"http://127.0.0.1:{foreign.port}"
    file.write_text(f"witness w1 {foreign.vkey} {url}\nquorum w1\n")
    return {"LOTTERY_WITNESSES": str(file)}


def test_a_foreign_witness_cosigns_days_and_notices_a_fork(
    app: Flask, clock: Clock, session: Session, foreign: Foreign, backup: Backup, tmp_path: Path
) -> None:
    begin(session, FIRST_NOON)
    key = parse_witness_key(foreign.vkey)
    restore = backup()
    for number in range(4):
        scheduler.tick(app)
        if not number:
            mark = (tmp_path / "mark").read_bytes()
        clock.turn(ONE_DAY)
        text, signatures = split_note(checkpoint(app))
        assert text.startswith(f"lottery.local\n{number + 1}\n")
        (line,) = [each for each in signatures if is_by(each, key)]
        check_cosignature(line, key, text)
    assert any(is_by(each, key) for each in split_note(certified(app))[1])

    restore()
    (tmp_path / "mark").write_bytes(mark)
    restarted(app)
    scheduler.tick(app)
    assert "its journal has 1 records, and a witness has seen 4" in reasons(app)

    foreign.stop()
    for file in (tmp_path / "witness-evidence").iterdir():
        file.unlink()  # as if on another host, which has not asked yet
    restarted(app)
    scheduler.tick(app)
    assert checkpoint(app).startswith("lottery.local\n5\n")
    foreign.start()
    scheduler.tick(app)
    assert "FORK: this lottery has signed two different journals." in reasons(app)
    assert foreign.run("evidence")
