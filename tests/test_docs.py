"""The documentation keeps up with the code."""

import re
from pathlib import Path

import click
import pytest
from flask import Flask

from config.settings import DEFAULTS

ROOT = Path(__file__).resolve().parent.parent
INTERFACE = (ROOT / "docs" / "interface.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_address_is_documented_with_its_methods_and_no_other(app: Flask) -> None:
    routes = {
        (method, re.sub(r"<(\w+(\(.*?\))?:)?", "<", rule.rule))
        for rule in app.url_map.iter_rules()
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
    for group in ("user", "lottery", "draw"):
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_documentation_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
