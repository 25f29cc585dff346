"""Files with password hashes and keys are readable by their owner only."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import config
from config.files import made_private
from config.settings import ROOT
from lottery_system import create_app
from tests.conftest import settings_for
from tests.stand_ins.processes import PATIENCE

#: a file whose permissions nobody can change
KERNELS = Path("/proc/self/status")


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_what_a_command_makes_is_private(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "lottery_system", "db", "upgrade"],
        cwd=ROOT,
        env={**os.environ, "LOTTERY_STORAGE": str(storage)},
        capture_output=True,
        check=True,
        timeout=PATIENCE,
        umask=0o022,
    )

    assert mode_of(storage) == 0o700
    assert {file.name: mode_of(file) for file in storage.iterdir()} == {
        "lottery.db": 0o600,
        "secret_key": 0o600,
    }


def test_what_others_can_read_is_taken_from_them(tmp_path: Path) -> None:
    """All files that hold secrets, with those of a journal that has ended."""
    names = ("lottery.db", "lottery.db-wal", "log_key", "log_key.ended-0", "chain_tip", "mark")
    for name in names:
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o664)
    (tmp_path / "notes").touch(0o644)
    settings = config.load({"LOTTERY_STORAGE": str(tmp_path), "LOTTERY_SECRET_KEY": "x"})

    done = made_private(settings.private_files)

    assert {file.name for file in done.tightened} == set(names)
    assert done.failed == []
    assert {mode_of(tmp_path / name) for name in names} == {0o600}


def test_what_cannot_be_taken_from_others_is_told() -> None:
    """The kernel's file stands for somebody else's."""
    assert made_private([KERNELS, Path("/nowhere")]) == ([], [KERNELS])


def test_a_start_says_which_files_others_could_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "lottery.db"
    file.touch()
    file.chmod(0o644)

    create_app(settings_for(f"sqlite:///{file}", LOTTERY_STORAGE=str(tmp_path)))

    assert mode_of(file) == 0o600
    assert f"files: others could read {file}; now they cannot" in caplog.text
