"""Linting: each semgrep rule fires on its example, and npm packages are pinned.

`make lint` runs the rules against their examples.
"""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "tests" / "rules"
LOCKS = sorted((ROOT / "requirements").glob("*/package-lock.json"))


def test_every_rule_of_ours_has_an_example_of_what_it_forbids() -> None:
    rules = re.findall(r"^  - id: (\S+)$", (RULES / "house.yml").read_text("utf-8"), re.MULTILINE)
    examples = "".join(file.read_text("utf-8") for file in sorted(RULES.glob("house.[ph]*")))

    assert rules
    assert set(re.findall(r"ruleid: (\S+)", examples)) == set(rules)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_what_npm_installs_is_pinned_by_hash_and_from_whichever_registry(lock: Path) -> None:
    packages = json.loads(lock.read_text("utf-8"))["packages"]

    assert "resolved" not in json.dumps(packages)
    assert all("integrity" in each for name, each in packages.items() if name)


def test_every_hook_before_a_commit_is_a_line_of_the_makefile() -> None:
    """Otherwise a commit would be held to something else than a change is."""
    hooks = re.findall(
        r"^ +entry: (.+)$", (ROOT / ".pre-commit-config.yaml").read_text("utf-8"), re.MULTILINE
    )
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for name, value in re.findall(r"^(\w+) := (.+)$", makefile, re.MULTILINE)[::-1]:
        makefile = makefile.replace(f"$({name})", value)

    assert hooks
    for hook in hooks:
        command = hook.replace(" --force-exclude", "").replace(
            "make ", "$(MAKE) --no-print-directory "
        )
        assert f"@{command}" in makefile, hook
