"""Each rule for semgrep is shown to fire; `make lint` holds rules and examples together."""

import re
from pathlib import Path

RULES = Path(__file__).resolve().parent / "rules"


def test_every_rule_of_ours_has_an_example_of_what_it_forbids() -> None:
    rules = re.findall(r"^  - id: (\S+)$", (RULES / "house.yml").read_text("utf-8"), re.MULTILINE)
    examples = "".join(file.read_text("utf-8") for file in sorted(RULES.glob("house.[ph]*")))

    assert rules
    assert set(re.findall(r"ruleid: (\S+)", examples)) == set(rules)
