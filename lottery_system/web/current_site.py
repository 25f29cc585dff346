"""Title, logo and texts of the site, as a page shows them."""

from flask import Flask, g
from flask_babel import lazy_gettext

from config import Settings
from lottery_system.parts import parts
from lottery_system.queries.site import Site

#: what the site's texts are called
LABELS = {
    "contact": lazy_gettext("Contact"),
    "terms": lazy_gettext("Terms"),
    "privacy": lazy_gettext("Privacy"),
    "imprint": lazy_gettext("Imprint"),
}


def register(app: Flask, settings: Settings) -> None:
    """Let templates show the site's title, logo and links to its texts."""
    app.jinja_env.globals["site"] = site
    # of logs, keys and proofs, and of nothing else
    app.jinja_env.globals["technical_name"] = settings.name
    app.jinja_env.globals["SITE_TEXTS"] = LABELS


def site() -> Site:
    """Return the site as this page shows it, the same everywhere on the page."""
    found: Site | None = g.get("site")
    if found is None:
        found = g.site = parts().site.look()
    return found


def show_site(shown: Site) -> None:
    """Let this page show the site so."""
    g.site = shown


def read_site_anew() -> None:
    """Let this page show the site as it is now, for whoever has just changed it."""
    g.site = parts().site.read()


def show_last_site() -> None:
    """Let this page, which reports an error, query nothing to show the site's title."""
    if "site" not in g:
        g.site = parts().site.last
