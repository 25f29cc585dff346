"""Translations: the catalogues have every text in every language, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from lottery_system.translations import extracting
from lottery_system.translations.extracting import HERE, strings_of, texts
from lottery_system.web.languages import DEFAULT, LANGUAGES

TRANSLATED = sorted(set(LANGUAGES) - {DEFAULT})
#: worn or wrong words that pages used to have, by language
UNWANTED = {
    "en": re.compile(
        r"convict|mode (operator|beacon)|in sealed form|over nothing|second throw|submit"
        r"|same stroke|\bgenesis\b|\bjournal\b|\bbeacon\b|\bthe operator\b|arithmetic|take away",
        re.IGNORECASE,
    ),
    "de": re.compile(
        r"Gewinnlos|\bWurf|überführ|über nichts|Modus|Genesis|Journal|Beacon|Betreiber|aufs Wort"
        r"|schließende|Nicht für dich|\babgeben|\bPreis",
        re.IGNORECASE,
    ),
    "es": re.compile(
        r"delata|sobre nada|\btic\b|se siguen? de|No es para ti|medianoche UTC que"
        r"|\bentregar? (\w+ |%\(\w+\)s )?boleto|boletos? (\w+ )?entregad"  # prizes are handed over
        r"|modo (operator|beacon)|baliza|\bdiario|génesis|operador|donde la gente",
        re.IGNORECASE,
    ),
    "fr": re.compile(
        r"sur rien|Au minuit|\btient\b|pour de bon|prouve la faute|La même chose|changements"
        r"|mode (operator|beacon)|balise|genèse|opérateur|\bjournal\b|plus lointaine",
        re.IGNORECASE,
    ),
}
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\}")
TAG = re.compile(r"<[^>]+>")
ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "static" / "js"


def catalogue(code: str) -> Catalog:
    with (HERE / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code)


def english(message: Message) -> tuple[str, ...]:
    return tuple(message.id) if isinstance(message.id, (tuple, list)) else (message.id,)


def translated(code: str) -> Iterator[tuple[str, str]]:
    """Yield each text with its translation, and each of its plural forms with its own."""
    for message in catalogue(code):
        if message.id:
            yield from zip(english(message), strings_of(message), strict=True)


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_text_is_in_every_catalogue_and_no_other(code: str) -> None:
    wanted = {english(message) for message in texts() if message.id}
    had = {english(message) for message in catalogue(code) if message.id}

    assert wanted - had == set(), "`make texts` adds them"
    assert had - wanted == set(), "`make texts` takes them away"


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_text_is_translated(code: str) -> None:
    assert [text for text, translation in translated(code) if not translation.strip()] == []


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_keeps_what_is_put_in_and_what_is_marked_up(code: str) -> None:
    for text, translation in translated(code):
        for pattern in (PLACEHOLDER, TAG):
            assert sorted(pattern.findall(text)) == sorted(pattern.findall(translation)), text
        # a stray sign would be read as a placeholder
        assert "%" not in PLACEHOLDER.sub("", translation).replace("%%", ""), translation


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_has_no_word_that_readers_stumbled_over(code: str) -> None:
    assert [each for _, each in translated(code) if UNWANTED[code].search(each)] == []


def test_no_page_has_a_word_that_newcomers_stumble_over() -> None:
    told = {each for message in texts() if message.id for each in english(message)}
    assert [each for each in told if UNWANTED["en"].search(each)] == []

    saved = (ROOT / "templates" / "verifier" / "saved.html").read_text(encoding="utf-8")
    assert UNWANTED["en"].search(TAG.sub(" ", saved.partition("<body>")[2])) is None


def test_a_text_that_is_new_is_found_to_be_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "new.html").write_text('<p>{{ _("Never seen before") }}</p>')
    source: tuple[Path, str, str, dict[str, str]] = (
        tmp_path / "templates",
        "*.html",
        "jinja2.ext:babel_extract",
        {},
    )
    monkeypatch.setattr(extracting, "SOURCES", (source,))
    monkeypatch.setattr(extracting, "ROOT", tmp_path)

    assert "Never seen before" in texts()


def test_scripts_say_nothing_that_is_not_in_the_catalogues() -> None:
    """Whatever has a space and a capital, and is shown, goes through `say`."""
    for name in ("draw.js", "lottery.js", "screen.js", "verifier/report.js"):
        code = re.sub(r"//.*|/\*[\s\S]*?\*/", "", (SCRIPTS / name).read_text(encoding="utf-8"))
        unsaid = re.sub(r"\bsay\(\s*\"[^\"]*\"", "", code)
        assert re.findall(r"[\"`][A-Z][a-z’]* [^\"`]*[\"`]", unsaid) == [], name
