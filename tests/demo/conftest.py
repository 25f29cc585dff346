"""Fixtures of the demo: one that was played by its command, and one that is served."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stand_ins.processes import PATIENCE, ROOT, Gunicorn


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


@pytest.fixture(scope="package")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Play a demo, and return its folder."""
    folder = tmp_path_factory.mktemp("demo")
    code, said = flask(folder, "demo", "play")
    assert code == 0, said
    return folder


@pytest.fixture(scope="package")
def served(played: Path) -> Iterator[Gunicorn]:
    """Serve the demo."""
    with Gunicorn("", played, LOTTERY_DEMO="on") as server:
        yield server
