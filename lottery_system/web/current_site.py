"""Site title, logo and links to texts for the page of the current request."""

from flask import Flask, g
from flask_babel import lazy_gettext

from config import Settings
from lottery_system.parts import parts
from lottery_system.queries.site import Site

#: labels of the site's texts
LABELS = {
    "contact": lazy_gettext("Contact"),
    "terms": lazy_gettext("Terms"),
    "privacy": lazy_gettext("Privacy"),
    "imprint": lazy_gettext("Imprint"),
}


def register(app: Flask, settings: Settings) -> None:
    """Let templates show the site's title, logo and links to its texts."""
    app.jinja_env.globals["site"] = site
    # only of logs, keys and proofs
    app.jinja_env.globals["technical_name"] = settings.name
    app.jinja_env.globals["SITE_TEXTS"] = LABELS
    app.jinja_env.globals["is_demo"] = settings.demo
    # who may sign up
    app.jinja_env.globals["sign_up"] = settings.sign_up


def site() -> Site:
    """Return the site for this page; the same object during the whole request."""
    shown: Site | None = g.get("site")
    if shown is None:
        shown = g.site = parts().site.look()
    return shown


def show_site(shown: Site) -> None:
    """Use a given site for this page."""
    g.site = shown


def read_site_anew() -> None:
    """Query the site for this page, so that organisers see their own change at once."""
    g.site = parts().site.read()


def show_last_site() -> None:
    """Use the last cached site for this page, without a query: for error pages."""
    if "site" not in g:
        g.site = parts().site.last
