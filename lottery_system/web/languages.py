"""Which language a page speaks, and the catalogues of what it says.

The texts in the code are the English ones. Their translations stand in `translations/<code>.po`,
which is read as it is, once a process: nothing is compiled, so that nothing can be out of date.
"""

from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.extract import extract_javascript
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, Response, after_this_request, g, request
from flask_babel import Babel, Domain
from flask_login import current_user

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
    # Flask-Babel's own ask five things of the request for every text
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=lambda text: catalogue(language()).gettext(text),
        ngettext=lambda one, many, number: catalogue(language()).ngettext(one, many, number),
        newstyle=True,
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
