"""Fixtures of the demo: one that was played by its command, and one that is served."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.stand_ins.processes import PATIENCE, ROOT, Gunicorn, MovedClock

PLAYED_AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)


def flask(folder: Path, *command: str, **environ: str) -> tuple[int, str]:
    """Run a command in a process of its own, and return its exit code and all that it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "lottery_system", *command],
        cwd=ROOT,
        env={
            **{name: text for name, text in os.environ.items() if not name.startswith("LOTTERY_")},
            "LOTTERY_STORAGE": str(folder),
            "LOTTERY_DEMO": "on",
            **environ,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


def play(folder: Path) -> Path:
    """Play a demo in a folder, whatever day it is, and return the demo's own."""
    clock = MovedClock(folder / "clock")
    clock.run_from(PLAYED_AT)
    code, said = flask(folder / "demo", "demo", "play", **clock.environ)
    assert code == 0, said
    return folder / "demo"


@contextmanager
def serving(played: Path) -> Iterator[Gunicorn]:
    """Serve a demo on the day on which it was played, however long that takes."""
    with Gunicorn("", played, at=PLAYED_AT + AN_HOUR, LOTTERY_DEMO="on") as server:
        server.clock.stand_at(PLAYED_AT + AN_HOUR)
        yield server


@pytest.fixture(scope="package")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Play a demo, and return its folder."""
    return play(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="package")
def served(played: Path) -> Iterator[Gunicorn]:
    """Serve the demo."""
    with serving(played) as server:
        yield server
