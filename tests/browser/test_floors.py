"""Measuring tools are pinned by hash, from whichever mirror they come."""

import json

from tests.stand_ins.processes import ROOT

PINNED = ROOT / "requirements" / "floors"


def test_each_program_is_pinned_to_one_version() -> None:
    asked_for = json.loads((PINNED / "package.json").read_text())["devDependencies"]
    locked = json.loads((PINNED / "package-lock.json").read_text())["packages"]

    assert set(asked_for) == {"lighthouse", "vnu-jar"}
    for name, version in asked_for.items():
        assert locked[f"node_modules/{name}"]["version"] == version
