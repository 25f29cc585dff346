"""Translations: texts of the pages, read from `.po` catalogues.

Texts in the code are in English. Translations are in `translations/<code>.po`, which is read once a
process and not compiled, so that it can't be out of date.
"""

from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.extract import extract_javascript
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from markupsafe import Markup

FOLDER = Path(__file__).resolve().parents[1] / "translations"


class Texts(dict[str, Markup]):
    """The texts of a language, as templates ask for them; found once, and remembered.

    A page has dozens of texts, and Jinja's own lookup made the front page half as slow again.
    """

    def __init__(self, code: str) -> None:
        super().__init__()
        self._catalogue = catalogue(code)

    def __missing__(self, text: str) -> Markup:
        translated = self[text] = Markup(self._catalogue.gettext(text))  # noqa: S704 - our own texts
        return translated

    def gettext(self, text: str, /, **values: object) -> Markup:
        """Return a text; what is put into it is escaped."""
        return self[text] % values if values else self[text]

    def ngettext(self, one: str, many: str, number: int, /, **values: object) -> Markup:
        """Return a text in the form that a number asks for; what is put into it is escaped."""
        translated = Markup(self._catalogue.ngettext(one, many, number))  # noqa: S704 - our own texts
        return translated % values


@cache
def texts(code: str) -> Texts:
    """Return the texts of a language."""
    return Texts(code)


@cache
def catalogue(code: str) -> NullTranslations:
    """Return the texts of a language."""
    path = FOLDER / f"{code}.po"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        texts = read_po(file, locale=Locale(code))
    compiled = BytesIO()
    write_mo(compiled, texts)
    compiled.seek(0)
    return Translations(compiled)


def words_of(folder: str, code: str) -> dict[str, str]:
    """Return what a folder's scripts say, each `say("…")` or `N_("…")`, with its translation."""
    return {text: catalogue(code).gettext(text) for text in _script_texts(folder)}


@cache
def _script_texts(folder: str) -> list[str]:
    texts = []
    for path in sorted(Path(folder).rglob("*.js")):
        with path.open("rb") as file:
            for _, _, text, _ in extract_javascript(file, {"say": None, "N_": None}, (), {}):
                texts.append(str(text))
    return texts
