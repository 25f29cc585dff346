"""Measuring tools for pages (Nu checker, Lighthouse): versions and availability."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.stand_ins.processes import PATIENCE

#: where tests/setup.sh has npm install into
MODULES = Path(sys.prefix) / "floors" / "node_modules"
LIGHTHOUSE = ("node", str(MODULES / "lighthouse" / "cli" / "index.js"))
NU_CHECKER = ("java", "-jar", str(MODULES / "vnu-jar" / "build" / "dist" / "vnu.jar"))


@cache
def starts(program: tuple[str, ...]) -> bool:
    """Return whether a program is here and runs on the Node.js or the Java that is here."""
    if shutil.which(program[0]) is None:
        return False
    asked = subprocess.run(
        [*program, "--version"], capture_output=True, timeout=PATIENCE, check=False
    )
    return asked.returncode == 0


def skip_without(program: tuple[str, ...]) -> None:
    """Skip a test that needs a program which does not start."""
    if not starts(program):
        pytest.skip(f"{Path(program[-1]).name} does not start; see what tests/setup.sh says")
