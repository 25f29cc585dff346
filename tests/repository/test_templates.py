"""Template lines are short, and none hides a chain of conditionals."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
LONGEST = 160
#: conditionals of a line
MOST = 3


def conditionals(line: str) -> int:
    """Count the conditionals of a line, statements and expressions; texts are not asked."""
    code = re.sub(r'"[^"]*"|\'[^\']*\'', "", line)
    return len(re.findall(r"\b(?:if|elif)\b", " ".join(re.findall(r"\{[{%].*?[%}]\}", code))))


def test_conditionals_are_counted() -> None:
    assert conditionals('{% if a %}if{% elif b %}{{ "x" if c else "y" if d }}{% endif %}') == 4
    assert conditionals('<p>{{ _("if you can") }}</p>') == 0


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_can_be_read(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if len(line) > LONGEST] == []
    assert [line for line in lines if conditionals(line) > MOST] == []
