"""docs/security.md answers every requirement of OWASP ASVS 5.0.0, levels 1 and 2, once."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")

#: by section, those of level 1 or 2 (github.com/OWASP/ASVS, 5.0/en)
REQUIREMENTS = """
1.1: 1 2 | 1.2: 1 2 3 4 5 6 7 8 9 | 1.3: 1 2 3 4 5 6 7 8 9 10 11 | 1.4: 1 2 3 | 1.5: 1 2
2.1: 1 2 3 | 2.2: 1 2 3 | 2.3: 1 2 3 4 | 2.4: 1
3.2: 1 2 | 3.3: 1 2 3 4 | 3.4: 1 2 3 4 5 6 | 3.5: 1 2 3 4 5 | 3.7: 1 2
4.1: 1 2 3 | 4.2: 1 | 4.3: 1 2 | 4.4: 1 2 3 4
5.1: 1 | 5.2: 1 2 3 | 5.3: 1 2 | 5.4: 1 2 3
6.1: 1 2 3 | 6.2: 1 2 3 4 5 6 7 8 9 10 11 12 | 6.3: 1 2 3 4 | 6.4: 1 2 3 4 | 6.5: 1 2 3 4 5
6.6: 1 2 3 | 6.8: 1 2 3 4
7.1: 1 2 3 | 7.2: 1 2 3 4 | 7.3: 1 2 | 7.4: 1 2 3 4 5 | 7.5: 1 2 | 7.6: 1 2
8.1: 1 2 | 8.2: 1 2 3 | 8.3: 1 | 8.4: 1
9.1: 1 2 3 | 9.2: 1 2 3 4
10.1: 1 2 | 10.2: 1 2 | 10.3: 1 2 3 4 | 10.4: 1 2 3 4 5 6 7 8 9 10 11 | 10.5: 1 2 3 4 5
10.6: 1 2 | 10.7: 1 2 3
11.1: 1 2 | 11.2: 1 2 3 | 11.3: 1 2 3 | 11.4: 1 2 3 4 | 11.5: 1 | 11.6: 1
12.1: 1 2 3 | 12.2: 1 2 | 12.3: 1 2 3 4
13.1: 1 | 13.2: 1 2 3 4 5 | 13.3: 1 2 | 13.4: 1 2 3 4 5
14.1: 1 2 | 14.2: 1 2 3 4 | 14.3: 1 2 3
15.1: 1 2 3 | 15.2: 1 2 3 | 15.3: 1 2 3 4 5 6 7
16.1: 1 | 16.2: 1 2 3 4 5 | 16.3: 1 2 3 4 | 16.4: 1 2 3 | 16.5: 1 2 3
17.1: 1 | 17.2: 1 2 3 4 | 17.3: 1 2
"""


def required() -> list[str]:
    sections = [each.split(":") for each in re.split(r"[|\n]", REQUIREMENTS) if each.strip()]
    return [f"{name.strip()}.{number}" for name, numbers in sections for number in numbers.split()]


def rows() -> list[list[str]]:
    """List the rows of the chapters' tables: requirements, how, where."""
    lines = [line for line in PAGE.splitlines() if re.match(r"\| \d+\.\d+\.\d+", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_requirement_is_answered_once_and_no_other_is() -> None:
    answered = Counter(number for row in rows() for number in row[0].split(", "))

    assert len(required()) == 253
    assert answered == Counter(required())


def test_every_file_that_shows_it_is_there() -> None:
    for _, how, where in rows():
        files = re.findall(r"`([^`]+)`", where)
        assert files or how.startswith(("does not apply", "not met")), how
        for file in files:
            assert (ROOT / file).exists(), file


def test_a_requirement_stands_in_its_own_chapter() -> None:
    for chapter, text in re.findall(r"^## V(\d+) .*\n((?:(?!## ).*\n?)*)", PAGE, re.MULTILINE):
        numbers = re.findall(r"\b(\d+)\.\d+\.\d+\b", "".join(re.findall(r"^\| \d.*", text, re.M)))
        assert set(numbers) <= {chapter}
