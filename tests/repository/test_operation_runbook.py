"""The runbooks of docs/operating.md about backups, keys, public files, PostgreSQL and systemd."""

import gzip
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy.orm import Session

from lottery_system import scheduler
from lottery_system.clock import ONE_DAY
from lottery_system.fairness.note import format_vkey
from lottery_system.models import Lottery
from tests.conftest import FIRST_NOON, Cast, Clock, Submit
from tests.repository.test_runbook import runbook
from tests.stand_ins.log_keys import LOG_KEYS, begin
from tests.stand_ins.postgres import Server
from tests.stand_ins.processes import PATIENCE, ROOT, wait_for

KEYS = {"log_key": "signs", "chain_tip": "seeds", "secret_key": "cookies"}
UNITS = ("lottery.service", "lottery.socket", "lottery-backup.service", "lottery-backup.timer")
#: exposure that systemd-analyze may find in a unit, in tenths: from 0, none, to 100
MOST_EXPOSED = {"lottery.service": 20, "lottery-backup.service": 30}


def type_(name: str, folder: Path, *wrapped: str, **environ: str) -> str:
    """Type the commands of a runbook in a folder, and return what they say."""
    done = subprocess.run(
        [*wrapped, "bash", "-e", "-c", runbook(name).replace("/opt/lottery", str(ROOT))],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def _played(
    app: Flask, session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock
) -> None:
    """Let a day be drawn, and one begin."""
    begin(session, FIRST_NOON)
    scheduler.tick(app)
    submit(cast.bob, big_chance, 3)
    clock.turn(ONE_DAY)
    scheduler.tick(app)
    submit(cast.bob, big_chance, 2)


@pytest.mark.usefixtures("_played")
def test_the_newest_backups_are_kept_and_can_be_restored(
    database_url: str, tmp_path: Path, postgres: Server
) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    for number in range(50):
        (backups / f"lottery-2025-01-01T00-00-{number:02}Z.db").touch()
    (backups / "lottery-2025-01-02T00-00-00Z.db.part").touch()

    said = type_(
        "backup", tmp_path, LOTTERY_DATABASE_URL=database_url, LOTTERY_STORAGE=str(tmp_path)
    )

    kept = sorted(backups.iterdir())
    newest = kept[-1]
    assert f"backup: backups/{newest.name}" in said
    assert len(kept) == 48
    assert not any(file.name.endswith(".part") for file in kept)
    assert stat.S_IMODE(newest.stat().st_mode) == 0o600
    question = "SELECT ballot_count FROM draws ORDER BY day"
    if database_url.startswith("sqlite"):
        command = ["sqlite3", str(newest), question]
    else:
        copy = postgres.create(f"restored_{abs(hash(tmp_path))}")
        sql = tmp_path / "lottery.sql"
        sql.write_bytes(gzip.decompress(newest.read_bytes()))
        restore = ["psql", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={sql}", copy]
        subprocess.run(restore, check=True, capture_output=True, timeout=PATIENCE)
        command = ["psql", "--no-align", "--tuples-only", f"--command={question}", copy]
    found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)
    assert found.stdout.split() == ["3", "2"]


def test_a_backup_that_fails_leaves_the_older_ones(tmp_path: Path) -> None:
    (tmp_path / "lottery-2025-01-01T00-00-00Z.db").touch()
    done = subprocess.run(
        ["sh", str(ROOT / "config" / "backup.sh"), str(tmp_path), "1"],
        env={**os.environ, "LOTTERY_DATABASE_URL": "postgresql://nobody:x%40y@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode != 0
    assert "x@y" not in done.stdout + done.stderr
    assert [file.name for file in tmp_path.glob("*.db")] == ["lottery-2025-01-01T00-00-00Z.db"]


def test_backups_are_made_again_and_again_until_they_are_stopped(
    sqlite_file: Path, tmp_path: Path
) -> None:
    command = ["sh", str(ROOT / "config" / "backup.sh"), str(tmp_path / "backups"), "2", "1"]
    environ = {**os.environ, "LOTTERY_DATABASE_URL": f"sqlite:///{sqlite_file}"}
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL) as running:
        wait_for(lambda: len(list(tmp_path.glob("backups/*.db"))) == 2, "two backups")
        running.terminate()
        assert running.wait(PATIENCE) == 0


def test_secrets_in_files_are_for_services_and_settings_that_exist() -> None:
    """The second compose file adds to the first, and replaces nothing."""
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    added = (ROOT / "config" / "compose.secrets.yml").read_text(encoding="utf-8")

    for service in re.findall(r"(?m)^  (\w+):\n    environment", added):
        assert f"\n  {service}:\n" in compose
    settings = re.findall(r"(\w+)_FILE:", added)
    assert set(settings) == {"LOTTERY_SECRET_KEY", "LOTTERY_DATABASE_URL", "POSTGRES_PASSWORD"}
    for setting in settings:
        assert f"{setting}: ${{{setting}:-}}" in compose


@pytest.mark.usefixtures("_played")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_public_files_are_exported_and_checked(database_url: str, tmp_path: Path) -> None:
    key = format_vkey(LOG_KEYS.key.verifier)
    settings = {"LOTTERY_DATABASE_URL": database_url, "LOTTERY_STORAGE": str(tmp_path)}

    said = type_("export", tmp_path, KEY=key, **settings)

    assert "files written" in said
    assert "FAIL" not in said


def test_keys_go_out_of_a_volume_and_back(tmp_path: Path) -> None:
    """A script stands for Docker: it runs what would run in the container, on a folder."""
    volume = tmp_path / "volume"
    volume.mkdir()
    for name, text in KEYS.items():
        (volume / name).write_text(text)
        (volume / name).chmod(0o600)
    docker = tmp_path / "docker"
    docker.write_text(
        "#!/bin/bash\n"
        f'args=("${{@//\\/var\\/lib\\/lottery/{str(volume).replace("/", chr(92) + "/")}}}")\n'
        'case "$*" in\n'
        '"compose exec -T lottery "*) exec "${args[@]:4}" ;;\n'
        '"compose run --rm -T --no-deps --entrypoint tar lottery "*) exec tar "${args[@]:8}" ;;\n'
        "esac\nexit 1\n"
    )
    docker.chmod(0o700)

    type_("keys-out", tmp_path)
    shutil.rmtree(volume)
    volume.mkdir()
    type_("keys-back", tmp_path)

    assert {file.name: file.read_text() for file in volume.iterdir()} == KEYS
    assert {stat.S_IMODE(file.stat().st_mode) for file in volume.iterdir()} == {0o600}
    assert stat.S_IMODE((tmp_path / "keys.tar").stat().st_mode) == 0o600


def test_a_second_host_gets_the_keys_alone(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    storage.mkdir()
    for name, text in (KEYS | {"mark": "its own", "clock_offset": "0"}).items():
        (storage / name).write_text(text)

    type_("second-host", tmp_path)

    other = tmp_path / "other-host" / "storage"
    assert {file.name: file.read_text() for file in other.iterdir()} == KEYS
    assert not (tmp_path / "keys.tar").exists()


def test_postgresql_goes_back_to_an_instant(postgres: Server) -> None:
    """On a server of its own, whose data folder is replaced."""
    server = Server(durable=False)
    try:
        archive = server.folder / "archive"
        archive.mkdir()
        shutil.chown(archive, "postgres")
        server.stop("fast")
        with (server.folder / "data" / "postgresql.auto.conf").open("a") as settings:
            settings.write(
                "archive_mode = on\n"
                f"archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f'\n"
            )
        server.start()
        as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        url = server.url("postgres")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE ballots (number int)")
            connection.execute("INSERT INTO ballots VALUES (1)")
            type_("base-backup", server.folder, *as_postgres, PRIMARY=url)
            connection.execute("INSERT INTO ballots VALUES (2)")
            row = connection.execute("SELECT clock_timestamp()::text").fetchone()
            connection.execute("SELECT pg_sleep(0.01)")
            connection.execute("DELETE FROM ballots")
            connection.execute("SELECT pg_switch_wal()")
        assert row is not None
        server.stop("fast")
        (server.folder / "data").rename(server.folder / "away")

        type_("point-in-time", server.folder, *as_postgres, ARCHIVE=str(archive), INSTANT=row[0])
        server.start()

        def is_promoted() -> bool:
            with psycopg.connect(url) as connection:
                found = connection.execute("SELECT pg_is_in_recovery()").fetchone()
            return found == (False,)

        wait_for(is_promoted, "it is at that instant")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT number FROM ballots").fetchall() == [(1,), (2,)]
    finally:
        server.remove()


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Copy the units, with the programs of this checkout."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here; install Debian's package systemd")
    for name in UNITS:
        text = (ROOT / "config" / "systemd" / name).read_text(encoding="utf-8")
        programs = text.replace("/opt/lottery/.venv/bin", str(Path(sys.executable).parent))
        (tmp_path / name).write_text(programs)
    return tmp_path


def test_systemd_knows_all_that_the_units_say(units: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", *(f"./{name}" for name in UNITS)],
        cwd=units, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip

    assert not [line for line in done.stderr.splitlines() if "lottery" in line]
    assert done.returncode == 0, done.stderr


def test_the_unit_leaves_the_lottery_what_it_needs_of_the_kernel() -> None:
    """setpriority(2), with which passwords are hashed, and /proc/sys, which knows of a new boot."""
    unit = (ROOT / "config" / "systemd" / "lottery.service").read_text(encoding="utf-8")

    assert re.findall(r"(?m)^SystemCallFilter=~(.*)", unit) == ["@privileged"]
    assert not re.search(r"(?m)^ProcSubset=pid", unit)


def test_commands_are_typed_with_the_settings_and_the_user_of_the_unit() -> None:
    unit = (ROOT / "config" / "systemd" / "lottery.service").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    [command] = re.findall(r"(?m)^    (systemd-run (?:.*\\\n)*.*)$", page)

    for name, option in (
        ("User", "--uid="),
        ("Group", "--gid="),
        ("WorkingDirectory", "--working-directory="),
        ("EnvironmentFile", "--property=EnvironmentFile="),
        ("UMask", "--property=UMask="),
        ("Environment", "--setenv="),
    ):
        [value] = re.findall(rf"(?m)^{name}=(.*)$", unit)
        assert f"{option}{value}" in command.split()


@pytest.mark.parametrize("name", ["lottery.service", "lottery-backup.service"])
def test_others_cannot_look_into_the_storage(name: str) -> None:
    """Each start of a unit gives its state folder the mode that the unit says, 0755 if none."""
    unit = (ROOT / "config" / "systemd" / name).read_text(encoding="utf-8")

    assert re.findall(r"(?m)^StateDirectory.*", unit) == [
        "StateDirectory=lottery", "StateDirectoryMode=0700",
    ]  # fmt: skip


@pytest.mark.parametrize("name", MOST_EXPOSED)
def test_the_units_are_hardened(units: Path, name: str) -> None:
    subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED[name]}",
         f"./{name}"],
        cwd=units, capture_output=True, timeout=PATIENCE, check=True,
    )  # fmt: skip


def test_ci_has_what_the_tests_would_otherwise_be_skipped_without() -> None:
    setup = (ROOT / "tests" / "setup.sh").read_text(encoding="utf-8")
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")

    packages = {
        package
        for line in re.findall(r"apt_install (pgbouncer .*|webkit.*|postgresql )", setup)
        for package in re.findall(r"[a-z0-9-]+", re.split(r"[&|]", line)[0])
    }
    assert packages > {"sqlite3", "pgbouncer"}
    assert packages <= set(workflow.split())
