"""Colours: the stylesheet matches the design page, and contrasts are sufficient."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CSS = (ROOT / "static" / "css" / "lottery.css").read_text(encoding="utf-8")
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")

#: of what is set on what
GROUNDS = {"ink": "paper", "quiet": "paper", "accent": "paper", "on-accent": "accent",
           "gold": "paper", "bad": "paper"}  # fmt: skip
#: WCAG 2.2, 1.4.3
LEAST = 4.5


def colours() -> dict[str, tuple[str, str]]:
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", CSS)
    return {name: (light, dark) for name, light, dark in found}


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_table_of_colours_is_that_of_the_stylesheet() -> None:
    rows = re.findall(r"^\| `--([\w-]+)` \| `(#\w{6})` \| `(#\w{6})` \|", DESIGN, re.MULTILINE)

    assert {name: (light, dark) for name, light, dark in rows} == colours()


@pytest.mark.parametrize("name", GROUNDS)
def test_what_is_written_can_be_read_on_its_ground(name: str) -> None:
    written = re.search(rf"^\| `--{name}` .* \| ([\d.]+) / ([\d.]+) \|$", DESIGN, re.MULTILINE)
    assert written

    for scheme in (0, 1):
        found = contrast(colours()[name][scheme], colours()[GROUNDS[name]][scheme])
        assert found >= LEAST
        assert f"{found:.1f}" == written[scheme + 1]


@pytest.mark.parametrize("name", ["ink", "quiet", "accent", "bad"])
@pytest.mark.parametrize("ground", ["card", "tint"])
def test_it_can_be_read_on_cards_and_receipts_too(name: str, ground: str) -> None:
    for scheme in (0, 1):
        assert contrast(colours()[name][scheme], colours()[ground][scheme]) >= LEAST
