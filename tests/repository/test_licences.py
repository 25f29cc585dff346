"""Licences: the README names all third-party material with its licence."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: folders whose files are served, shipped or tested with
FOLDERS = ("config", "lottery_system", "static", "templates", "tests/fairness/data")
TEXTS = {".css", ".html", ".js", ".json", ".md", ".py", ".svg", ".txt"}


def files_with_a_licence() -> list[str]:
    return [
        str(file.relative_to(ROOT))
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("*.*")
        if file.suffix in TEXTS
        and re.search("copyright|licen[cs]e", file.read_text("utf-8"), re.IGNORECASE)
    ]


def test_every_file_with_a_licence_of_others_is_named_in_the_readme() -> None:
    named = re.findall(r"^\| \[.*?\]\(([^)]+)\)", README[README.index("\n## Licence\n") :], re.M)

    found = files_with_a_licence()
    assert [file for file in found if not file.startswith(tuple(named))] == []
    assert "static/js/vendor/noble.js" in found
