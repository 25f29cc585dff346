"""The version that `/metrics` tells is that of the package."""

import tomllib
from pathlib import Path

from lottery_system.version import VERSION

ROOT = Path(__file__).resolve().parents[2]


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["version"] == VERSION
