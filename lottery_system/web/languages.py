"""Which language a page speaks, and the catalogues of what it says.

The texts in the code are the English ones. Their translations stand in `translations/<code>.po`,
which is read as it is, once a process: nothing is compiled, so that nothing can be out of date.
"""

from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from babel import Locale
from babel.messages.extract import extract_javascript
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, Response, after_this_request, g, request
from flask_babel import Babel, Domain
from flask_login import current_user
from markupsafe import Markup

from lottery_system.models.login_session import Viewer
from lottery_system.web.cookies import keep, kept

#: what the pages can be had in, by ISO 639-1 code, each named in its own words
LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français"}
DEFAULT = "en"
FOLDER = Path(__file__).resolve().parents[1] / "translations"

#: the cookie of somebody who chose a language without an account
COOKIE = "language"
A_YEAR = 365 * 24 * 60 * 60


class Catalogues(Domain):  # type: ignore[misc]
    """Flask-Babel's texts, out of the catalogues as they are written."""

    def get_translations(self) -> NullTranslations:
        """Return the texts of the page's language."""
        return catalogue(language()) if request else NullTranslations()


def register(app: Flask) -> None:
    """Let the pages speak the language of whoever looks at them."""
    babel = Babel()
    babel.init_app(app, default_locale=DEFAULT, locale_selector=language)
    babel.domain_instance = Catalogues()
    app.context_processor(_speakers_of_page)
    # macros see no context, only what is there for all templates
    app.jinja_env.globals.update(
        _=lambda text, /, **values: speakers(language()).gettext(text, **values),
        gettext=lambda text, /, **values: speakers(language()).gettext(text, **values),
        ngettext=lambda *texts, **values: speakers(language()).ngettext(*texts, **values),
    )
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.globals["language"] = language
    app.jinja_env.globals["LANGUAGES"] = LANGUAGES


def language() -> str:
    """Return the code of the language that the page speaks.

    That of `?lang=`, which the browser then keeps; or of the account; or of the browser.
    """
    found: str | None = g.get("language")
    if found is None:
        found = g.language = _chosen()
    return found


def forget_language() -> None:
    """Look again which language it is: somebody has just come in, or chosen one."""
    g.pop("language", None)


def ask_nobody() -> None:
    """Let the page that says that the database is gone not ask it for a language."""
    if "language" not in g and "_login_user" not in g:
        g.language = _of_browser()


def _speakers_of_page() -> dict[str, Callable[..., Markup]]:
    found = speakers(language())
    return {"_": found.gettext, "gettext": found.gettext, "ngettext": found.ngettext}


class Speakers(NamedTuple):
    """What a template says its texts by, in one language."""

    gettext: Callable[..., Markup]
    ngettext: Callable[..., Markup]


@cache
def speakers(code: str) -> Speakers:
    """Return what looks texts up as Jinja's "newstyle" does, but remembers what it has found.

    A page has dozens of texts, and Jinja's own way to each cost as much as half of the page.
    """
    texts = catalogue(code)
    remembered: dict[str, Markup] = {}

    def gettext(text: str, /, **values: object) -> Markup:
        found = remembered.get(text)
        if found is None:
            found = remembered[text] = Markup(texts.gettext(text))  # noqa: S704 - our own texts
        return found % values if values else found

    def ngettext(one: str, many: str, number: int, /, **values: object) -> Markup:
        found = Markup(texts.ngettext(one, many, number))  # noqa: S704 - our own texts
        return found % {"num": number, **values}

    return Speakers(gettext, ngettext)


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


def words_of(scripts: Path) -> dict[str, str]:
    """Return what scripts say, each `say("…")` of theirs, with its translation."""
    return {text: catalogue(language()).gettext(text) for text in _said_by(scripts)}


@cache
def _said_by(scripts: Path) -> list[str]:
    texts = []
    for path in sorted(scripts.rglob("*.js")):
        with path.open("rb") as file:
            for _, _, found, _ in extract_javascript(file, {"say": None}, (), {}):
                texts.append(str(found))
    return texts


def _chosen() -> str:
    asked = request.args.get("lang", "")
    if asked in LANGUAGES:
        after_this_request(lambda response: _keep(response, asked))
        return asked
    viewer = current_user._get_current_object()
    of_account = viewer.language if isinstance(viewer, Viewer) else None
    return of_account if of_account in LANGUAGES else _of_browser()


def _keep(response: Response, code: str) -> Response:
    keep(response, COOKIE, code, A_YEAR)
    return response


def _of_browser() -> str:
    chosen = kept(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    # by what is wanted most: Werkzeug's own choice takes English for `fr-CA, en;q=0.2`
    for wanted, quality in request.accept_languages:
        code = wanted.partition("-")[0].lower()
        if code in LANGUAGES and quality > 0:
            return code
    return DEFAULT
