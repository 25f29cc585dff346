"""Programs of others that tests run, from an environment of their own (tests/setup.sh)."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

#: beside the environment of the tests, where no other is named
FOREIGN = Path(os.environ.get("FOREIGN", Path(sys.prefix) / "foreign"))


def foreign(module: str) -> tuple[str, ...]:
    """Return how a module of others is run; without it, skip the test that asks.

    By its Python, since the scripts beside it name the place where they were installed.
    """
    if not _is_there(module):
        pytest.skip(f"{module} is not there, see tests/setup.sh")
    return (PYTHON, "-m", module)


PYTHON = str(FOREIGN / "bin" / "python3")


@cache
def _is_there(module: str) -> bool:
    try:
        return not subprocess.run([PYTHON, "-c", f"import {module}"], check=False).returncode
    except OSError:
        return False
