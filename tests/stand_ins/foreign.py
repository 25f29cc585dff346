"""Programs of others that tests run, from an environment of their own (tests/setup.sh)."""

import os
import shutil
import sys
from pathlib import Path

import pytest

#: beside the environment of the tests, where no other is named
FOREIGN = Path(os.environ.get("FOREIGN", Path(sys.prefix) / "foreign"))


def foreign(program: str) -> str:
    """Return where a program of others is; without it, skip the test that asks."""
    found = shutil.which(program, path=f"{FOREIGN / 'bin'}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{program} is not there, see tests/setup.sh")
    return found
