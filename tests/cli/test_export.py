"""`flask draw export`: the public logs as files, byte for byte what the site serves."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from lottery_system import scheduler
from lottery_system.clock import ONE_DAY
from lottery_system.fairness.note import format_vkey
from lottery_system.models import Lottery
from tests.cli.conftest import Type
from tests.conftest import FIRST_DAY, FIRST_NOON, Backup, Cast, Clock, Submit
from tests.stand_ins.log_keys import LOG_KEYS, begin
from tests.stand_ins.processes import PATIENCE, ROOT
from tests.web.conftest import Visitor

KEY = format_vkey(LOG_KEYS.key.verifier)


@pytest.fixture(autouse=True)
def _two_days(
    app: Flask, session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock
) -> None:
    """Let a day of 600 ballots be drawn, and one of one; another is open."""
    begin(session, FIRST_NOON)
    scheduler.tick(app)
    for count in (600, 1):
        submit(cast.bob, big_chance, count)
        clock.turn(ONE_DAY)
        scheduler.tick(app)
    submit(cast.bob, big_chance, 3)


def files_in(folder: Path) -> dict[str, bytes]:
    """Return all files that a web server would serve, by their addresses."""
    return {
        f"/{file.relative_to(folder)}": file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and not file.name.startswith(".")
    }


class Exported(NamedTuple):
    """A folder that was exported to, and the files in it."""

    folder: Path
    files: dict[str, bytes]


@pytest.fixture
def outrun(app: Flask, type_: Type, tmp_path: Path, clock: Clock, backup: Backup) -> Exported:
    """Export a day more than the database has, which is restored from before it closed."""
    folder = tmp_path / "public"
    restore = backup()
    clock.turn(ONE_DAY)
    scheduler.tick(app)
    type_(f"draw export {folder}")
    files = files_in(folder)
    restore()
    return Exported(folder, files)


def demand_served(app: Flask, folder: Path) -> dict[str, bytes]:
    """Demand that each file is what its address serves, and return them."""
    visitor, files = Visitor(app.test_client()), files_in(folder)
    for address, data in files.items():
        answer = visitor.get(address)
        assert (answer.status_code, answer.data) == (200, data), address
    return files


def verifier(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "lottery_system.fairness", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_file_is_what_its_address_serves_and_verifiers_read_from_it(
    app: Flask, type_: Type, tmp_path: Path
) -> None:
    folder = tmp_path / "public"

    assert type_(f"draw export {folder}").exit_code == 0

    files = demand_served(app, folder)
    day = f"/log/{FIRST_DAY}"
    assert {
        "/log/checkpoint", "/log/tile/0/000.p/3", "/log/tile/entries/000.p/3",
        f"{day}/checkpoint", f"{day}/tile/0/001", f"{day}/tile/0/002.p/88",
        f"{day}/tile/1/000.p/2", f"{day}/tile/entries/000",
        f"/draws/{FIRST_DAY}/certificate.json", f"/draws/{FIRST_DAY}/offers.json",
    } <= files.keys()  # fmt: skip
    assert not any(str(FIRST_DAY + 2 * ONE_DAY) in address for address in files)  # still open
    assert "FAIL" not in verifier("journal", folder / "log", "--key", KEY)
    draw = folder / "draws" / str(FIRST_DAY)
    said = verifier(
        "verify", draw / "certificate.json", "--key", KEY, "--log", folder / "log" / str(FIRST_DAY),
        "--offers", draw / "offers.json",
    )  # fmt: skip
    assert "FAIL" not in said


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_any_web_server_can_read_the_files_and_nobody_else_can_write_them(
    type_: Type, tmp_path: Path
) -> None:
    folder = tmp_path / "public"
    before = os.umask(0o077)
    try:
        type_(f"draw export {folder}")
    finally:
        os.umask(before)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_dir()}
    assert modes == {0o755}
    assert stat.S_IMODE((folder / "log" / "checkpoint").stat().st_mode) == 0o644


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_export_that_is_interrupted_anywhere_leaves_whole_files_and_goes_on(
    app: Flask, type_: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run ends while it writes its fifth file."""
    folder = tmp_path / "public"
    flush = os.fsync
    runs = 0
    while runs < 20:
        flushed = 0

        def strike(descriptor: int) -> None:
            nonlocal flushed
            flushed += 1
            if flushed == 9:  # two of each file: its own, and its folder's
                os.ftruncate(descriptor, 1)
                raise KeyboardInterrupt
            flush(descriptor)

        monkeypatch.setattr(os, "fsync", strike)
        done = type_(f"draw export {folder}")
        runs += 1
        monkeypatch.setattr(os, "fsync", flush)
        files = demand_served(app, folder)
        for address in files:  # what a checkpoint or certificate promises is there
            if address.endswith("certificate.json"):
                assert f"/log/{address.split('/')[2]}/checkpoint" in files
        if done.exit_code == 0:
            break

    assert 3 < runs < 20
    assert files == demand_served(app, folder)
    (tmp_path / "other").mkdir()
    type_(f"draw export {tmp_path}/other")
    assert files == files_in(tmp_path / "other")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_next_export_adds_only_what_is_new(
    app: Flask, type_: Type, tmp_path: Path, clock: Clock
) -> None:
    folder = tmp_path / "public"
    type_(f"draw export {folder}")
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}
    clock.turn(ONE_DAY)
    scheduler.tick(app)

    assert "files written: 8." in type_(f"draw export {folder}").output

    changed = [file for file, at in before.items() if file.stat().st_mtime_ns != at]
    assert {file.name for file in changed} <= {"checkpoint", ".lock"}
    demand_served(app, folder)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_beginning_of_a_tile_goes_once_the_tile_is_full(type_: Type, tmp_path: Path) -> None:
    beginning = tmp_path / "public" / "log" / str(FIRST_DAY) / "tile" / "0" / "001.p"
    beginning.mkdir(parents=True)
    (beginning / "12").write_bytes(b"")

    type_(f"draw export {tmp_path}/public")

    assert not beginning.exists()
    assert beginning.with_name("001").exists()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_folder_of_another_lottery_or_of_a_newer_database_is_refused(
    outrun: Exported, type_: Type, tmp_path: Path
) -> None:
    folder, before = outrun

    assert "The database is older than what was published" in type_(f"draw export {folder}").output
    (tmp_path / "mark").unlink()  # without which only the folder knows
    said = type_(f"draw export {folder}").output

    assert "or a longer one than this database" in said
    assert files_in(folder) == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_after_a_recovery_the_journal_that_ended_is_kept_apart(
    app: Flask, outrun: Exported, type_: Type
) -> None:
    folder, published = outrun
    type_("draw recover", "lottery.local\n")
    scheduler.tick(app)

    said = type_(f"draw export {folder}")

    assert said.exit_code == 0, said.output
    files = files_in(folder)
    assert {"/log/recovery/1", "/log/ended/0/checkpoint", "/log/tile/0/000.p/1"} <= files.keys()
    lost = f"/{FIRST_DAY + 2 * ONE_DAY}"
    of_lost = {address for address in published if lost in address}
    assert f"/log{lost}/checkpoint" in of_lost
    assert {files.get(address) for address in of_lost} == {
        published[address] for address in of_lost
    }
    visitor = Visitor(app.test_client())
    for address, data in files.items():
        if lost not in address:  # published once, and kept here
            assert visitor.get(address).data == data, address


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_two_exports_to_a_folder_do_not_run_at_once(type_: Type, tmp_path: Path) -> None:
    type_(f"draw export {tmp_path}/public")
    with (tmp_path / "public" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        assert "Another export to" in type_(f"draw export {tmp_path}/public").output
