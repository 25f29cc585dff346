"""Language of a page: by address, cookie, account or browser."""

from urllib.parse import urlencode

from babel.support import NullTranslations
from flask import Flask, Response, after_this_request, g, request
from flask_babel import Babel, Domain
from flask_login import current_user

from lottery_system.models.login_session import Viewer
from lottery_system.web.cookies import keep, kept
from lottery_system.web.texts import catalogue, texts

#: what the pages is available in, by ISO 639-1 code, each named in its own words
LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français"}
DEFAULT = "en"

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
    app.context_processor(_texts_of_page)
    # macros see no context, only what is there for all templates
    app.jinja_env.globals.update(
        _=lambda text, /, **values: texts(language()).gettext(text, **values),
        gettext=lambda text, /, **values: texts(language()).gettext(text, **values),
        ngettext=lambda *forms, **values: texts(language()).ngettext(*forms, **values),
    )
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.globals["language"] = language
    app.jinja_env.globals["in_language"] = in_language
    app.jinja_env.globals["LANGUAGES"] = LANGUAGES


def language() -> str:
    """Return the code of the language that the page speaks.

    That of `?lang=`, which the browser then keeps; or of the account; or of the browser.
    """
    code: str | None = g.get("language")
    if code is None:
        code = g.language = _chosen()
    return code


def in_language(code: str) -> str:
    """Return the address of the page at hand in another language."""
    asked = [pair for pair in request.args.items(multi=True) if pair[0] != "lang"]
    return "?" + urlencode([*asked, ("lang", code)])


def forget_language() -> None:
    """Determine the language again, after a log-in or a choice."""
    g.pop("language", None)


def use_browser_language() -> None:
    """Take the browser's language, so that an error page does not need the database.

    Nor does it ask for the account's time zone.
    """
    if "_login_user" not in g:
        g.time_zone = None
        if "language" not in g:
            g.language = _of_browser()


def _texts_of_page() -> dict[str, object]:
    catalogue_texts = texts(language())
    return {
        "_": catalogue_texts.gettext,
        "gettext": catalogue_texts.gettext,
        "ngettext": catalogue_texts.ngettext,
    }


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
    # by highest preference: Werkzeug's own choice takes English for `fr-CA, en;q=0.2`
    for wanted, quality in request.accept_languages:
        code = wanted.partition("-")[0].lower()
        if code in LANGUAGES and quality > 0:
            return code
    return DEFAULT
