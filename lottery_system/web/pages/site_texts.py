"""Pages of the site's own texts: contact, terms, privacy notice, imprint."""

from flask import Blueprint, abort, render_template

from lottery_system.access import everybody
from lottery_system.extensions import reading
from lottery_system.queries.site import load_text
from lottery_system.web.current_site import LABELS
from lottery_system.web.words import paragraphs_of

blueprint = Blueprint("site_texts", __name__)


@blueprint.get("/contact", defaults={"name": "contact"})
@blueprint.get("/terms", defaults={"name": "terms"})
@blueprint.get("/privacy", defaults={"name": "privacy"})
@blueprint.get("/imprint", defaults={"name": "imprint"})
@everybody
def show(name: str) -> str:
    """Show a text of the site."""
    with reading() as connection:
        text = load_text(connection, name)
    if not text:
        abort(404)
    return render_template("site/text.html", label=LABELS[name], paragraphs=paragraphs_of(text))
