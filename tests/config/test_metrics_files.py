"""Metrics files: a folder a server, cleaned at the start, that does not grow with its workers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config import metrics_files
from tests.stand_ins.processes import PATIENCE, ROOT

COUNT = """
import os, sys
from config import metrics_files
from pathlib import Path
metrics_files.IN_MEMORY = Path(sys.argv[1])
folder = metrics_files.begin()
from lottery_system import metrics
metrics_files.forget(folder)
"""
TWO_WORKERS = (
    COUNT
    + """
for amount in (3, 4):
    pid = os.fork()
    if pid == 0:
        metrics.BALLOTS_STORED.inc(amount)
        metrics.BALLOT_WAIT.observe(amount)
        metrics.WORKERS.set(1)
        os._exit(0)
    os.waitpid(pid, 0)
    if amount == 3:
        first = pid
print(metrics.exposition().decode())
print("----")
metrics_files.merge_ended(folder, first)
print(metrics.exposition().decode())
print("----")
print(sorted(each.name for each in folder.glob("*.db") if str(first) in each.name))
"""
)
BE_KILLED = COUNT + "os.kill(os.getpid(), 9)"
LIVE = COUNT + "print(folder, flush=True); sys.stdin.read()"


def run(script: str, parent: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, str(parent)],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_what_a_worker_counted_stays_when_it_has_ended_and_its_files_go(tmp_path: Path) -> None:
    before, after, files = run(TWO_WORKERS, tmp_path).split("----\n")

    for text in (before, after):
        assert "lottery_ballots_stored_total 7.0\n" in text
        assert "lottery_ballot_wait_seconds_sum 7.0\n" in text
        assert 'lottery_ballot_wait_seconds_bucket{le="5.0"} 2.0\n' in text
    assert "lottery_workers 2.0\n" in before
    assert "lottery_workers 1.0\n" in after
    assert files.strip() == "[]"


def test_a_torn_file_of_a_worker_that_was_killed_is_told_and_does_not_end_the_server(
    tmp_path: Path,
) -> None:
    """Killed before its file had its size."""
    out = run(
        COUNT
        + """
(folder / "counter_4711.db").write_bytes(b"")
(folder / "counter_4712.db").write_bytes(b"\\xff" * 10)
(folder / "histogram_4713.db").write_bytes(b"\\0\\0\\0\\1" * 64)
import config.gunicorn
import logging, types
config.gunicorn._metrics = folder
server = types.SimpleNamespace(log=logging.getLogger())
for pid in (4711, 4712, 4713):
    config.gunicorn.child_exit(server, types.SimpleNamespace(pid=pid))
print(sorted(file.name for file in folder.glob("*_47*")))
metrics.exposition()
""",
        tmp_path,
    )

    assert "metrics: " in out
    assert "[]" in out
    assert "Traceback" not in out


def test_a_start_removes_what_a_killed_server_left_and_nothing_of_one_that_lives(
    tmp_path: Path,
) -> None:
    run(BE_KILLED, tmp_path)
    [left] = tmp_path.iterdir()
    with subprocess.Popen(
        [sys.executable, "-c", LIVE, str(tmp_path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as living:  # fmt: skip
        assert living.stdout is not None
        lives = Path(living.stdout.readline().strip())
        assert not left.exists()

        run(BE_KILLED, tmp_path)

        assert lives.exists()
        living.communicate("", PATIENCE)


def test_others_cannot_read_it_nor_lead_a_start_astray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    (tmp_path / f"{metrics_files.NAME}trap").mkdir()
    (tmp_path / f"{metrics_files.NAME}trap" / metrics_files.HELD).symlink_to(elsewhere / "precious")

    out = run(COUNT + "print(oct(os.stat(folder).st_mode & 0o777))", tmp_path)

    assert out.strip() == "0o700"
    assert (elsewhere / "precious").exists()
    assert os.path.lexists(tmp_path / f"{metrics_files.NAME}trap")
