"""Documentation: addresses, commands, settings and links match the code."""

import re
from pathlib import Path

import click
import pytest
from flask import Flask

from config.settings import DEFAULTS
from lottery_system.web.pages import DEMO_PAGES

ROOT = Path(__file__).resolve().parents[2]
INTERFACE = (ROOT / "docs" / "interface.md").read_text(encoding="utf-8")
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / ".github").glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
#: where the documentation is referred to
SOURCES = sorted(
    file
    for folder in ("config", "lottery_system", "requirements", "static", "templates", "tests")
    for file in (ROOT / folder).rglob("*.*")
    if file.suffix in {".css", ".html", ".js", ".po", ".py", ".sh"}
    and not {"vendor", "node_modules"} & set(file.parts)
)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_address_is_documented_with_its_methods_and_no_other(app: Flask) -> None:
    of_demos = Flask(__name__)
    for page in DEMO_PAGES:
        of_demos.register_blueprint(page.blueprint)
    of_demos_alone = [each for each in of_demos.url_map.iter_rules() if each.endpoint != "static"]
    routes = {
        (method, re.sub(r"<(\w+(\(.*?\))?:)?", "<", rule.rule))
        for rule in (*app.url_map.iter_rules(), *of_demos_alone)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    documented = {
        (method, path)
        for methods, path in re.findall(r"^\| `([A-Z, ]+) (/\S*)` \|", INTERFACE, re.MULTILINE)
        for method in methods.split(", ")
    }
    assert documented == routes


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_command_is_documented(app: Flask) -> None:
    for group in ("user", "lottery", "draw", "demo"):
        commands = app.cli.commands[group]
        assert isinstance(commands, click.Group)
        for name, command in commands.commands.items():
            row = re.search(rf"^\| `{group} {name}( [^`]*)?` \|", INTERFACE, re.MULTILINE)
            assert row, f"{group} {name}"
            for parameter in command.params:
                if isinstance(parameter, click.Option):
                    assert parameter.opts[0] in row[0]


def test_every_setting_is_documented_and_no_other() -> None:
    documented = re.findall(r"^\| `(LOTTERY_\w+)` \|", INTERFACE, re.MULTILINE)

    assert documented == list(DEFAULTS)


def test_every_setting_reaches_the_container_that_compose_starts() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")

    passed_on = set(re.findall(r"^      (LOTTERY_\w+): \$", compose, re.MULTILINE))
    of_the_image = {"LOTTERY_STORAGE", "LOTTERY_HOST", "LOTTERY_PORT"}
    assert passed_on == set(DEFAULTS) - of_the_image


def heading_anchors(page: Path) -> set[str]:
    """Return what `#...` may name on a page: its headings, as GitHub makes anchors of them."""
    return {anchor_of(title) for _, title in headings(page)}


def anchor_of(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def headings(page: Path) -> list[tuple[str, str]]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.DOTALL)
    return re.findall(r"^(#+) (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_documentation_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in heading_anchors(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_the_documentation_names_is_there(page: Path) -> None:
    folders = "config|docs|lottery_system|requirements|static|templates|tests"
    for name in re.findall(rf"`((?:{folders})/[\w./-]*)`", page.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), name


def test_every_page_that_the_code_names_is_there_with_its_section() -> None:
    """As in "docs/operating.md" and "docs/operating.md, Clocks"."""
    named = [
        (file, page, title)
        for file in SOURCES
        for page, title in re.findall(
            r"\b(docs/\w+\.md)(?:, ([A-Z][a-z]+))?", one_line(file.read_text(encoding="utf-8"))
        )
    ]

    assert any(title for _, _, title in named)
    for file, page, title in named:
        assert (ROOT / page).exists(), f"{file}: {page}"
        titles = [each for _, each in headings(ROOT / page)]
        assert not title or title in titles, f"{file}: {page}, {title}"


def test_every_section_that_is_named_says_of_what_and_ours_are_there() -> None:
    """As in "daily-draw/v1, section 4: records" or "RFC 9162, section 2.1", which others keep."""
    sections = sections_of_the_protocol()
    ours = 0
    for file in (*SOURCES, *PAGES):
        text = one_line(file.read_text(encoding="utf-8"))
        # links are held above, and need only say the number of where they lead
        text = re.sub(r"\[section (\d+)\]\(#\1-", "(#", text)
        for found in re.finditer(r"\bsections? (\d+(?:\.\d+)*)(?:: ([\w ,]+))?", text):
            number, title = found.groups()
            before = text[: found.start()].rstrip(" ,(")[-40:]
            where = f"{file.relative_to(ROOT)}: {before} {found[0]}"
            if before.endswith("daily-draw/v1"):
                ours += 1
                assert title, f"{where} lacks its title"
                assert title in sections[number], f"{where} is called {sections[number]}"
            else:
                is_part = "." in number and re.search(r"(RFC|UTS) \d+", text)
                assert is_part or re.search(r"((RFC|UTS|Level) \d+|SP [\w-]+)$", before), where
    assert ours > 10


def sections_of_the_protocol() -> dict[str, str]:
    """Return all headings of each numbered section of docs/protocol.md, in lower case."""
    found: dict[str, str] = {}
    number = ""
    for _, title in headings(ROOT / "docs" / "protocol.md"):
        numbered = re.match(r"(\d+)\. ", title)
        number = numbered[1] if numbered else number
        found[number] = f"{found.get(number, '')} {title.lower()}"
    return found


def one_line(text: str) -> str:
    """Join the lines of a text, and of its comments."""
    return re.sub(r"\s*\n[ \t]*(?:\* |#:? |// )?\s*", " ", text)


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(
        r"^\| (\d+) \| \[(.+?)\]\((.+?)\) \|$", (folder / "README.md").read_text("utf-8"), re.M
    )
    found = sorted(folder.glob("0*.md"))

    assert [(folder / name) for _, _, name in listed] == found
    for (number, title, _), page in zip(listed, found, strict=True):
        assert page.name.startswith(f"{int(number):04}-")
        assert page.read_text("utf-8").startswith(f"# {number}. {title}\n\nAccepted, ")
