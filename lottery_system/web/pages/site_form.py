"""Organisers' form of the site: title, texts and logo."""

from flask import Blueprint, redirect, render_template, url_for
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response
from wtforms import BooleanField, Field, StringField, TextAreaField

from lottery_system.access import organisers, viewer
from lottery_system.clock import utcnow
from lottery_system.extensions import db, reading, transaction
from lottery_system.models import Picture, SiteChange
from lottery_system.models.site_change import TEXT_LENGTH, TEXTS, enforce_text, enforce_title
from lottery_system.pictures import OF_LOGO
from lottery_system.queries.site import site_changes
from lottery_system.web.confirmations import Done, confirm
from lottery_system.web.current_site import read_site_anew
from lottery_system.web.forms import Form, enforce
from lottery_system.web.incoming import field_of, takes_upload
from lottery_system.web.picture_field import PictureField
from lottery_system.web.resuming import resumes_at

blueprint = Blueprint("site_form", __name__, url_prefix="/organiser")

#: latest changes that the page shows
LATEST = 20


class SiteForm(Form):
    """The form of the site's title, logo and texts."""

    title = StringField(lazy_gettext("Title"))
    logo = PictureField(lazy_gettext("Logo"), OF_LOGO)
    remove_logo = BooleanField(lazy_gettext("Remove the logo"))
    contact = TextAreaField(lazy_gettext("Contact"))
    terms = TextAreaField(lazy_gettext("Terms"))
    privacy = TextAreaField(lazy_gettext("Privacy"))
    imprint = TextAreaField(lazy_gettext("Imprint"))

    def texts(self) -> dict[str, str]:
        """Return title and texts of a valid form, by their names in the model."""
        return {name: self[name].data or "" for name in ("title", *TEXTS)}

    def validate_title(self, field: Field) -> None:
        """Validate the title by the model's rule."""
        enforce(enforce_title, field)

    def validate_contact(self, field: Field) -> None:
        """Validate the text by the model's rule."""
        enforce(enforce_text, field)

    validate_terms = validate_privacy = validate_imprint = validate_contact


@blueprint.get("/site")
@organisers
def edit() -> str:
    """Show the form of the site, and the latest changes with their authors."""
    return _page(SiteForm(obj=SiteChange.newest(db.session())))


@blueprint.post("/site")
@organisers
@takes_upload(field_of(TEXT_LENGTH))
@resumes_at(edit)  # texts are too long to be kept while the user logs in again
def save() -> Response | tuple[str, int]:
    """Change title, texts and logo of the site."""
    form = SiteForm()
    if not form.validate():
        return _page(form), 422
    with transaction() as session:
        before = SiteChange.newest(session)
        logo = before.logo_digest if before and not form.remove_logo.data else None
        if form.logo.encoded:
            logo = Picture.keep(session.connection(), form.logo.encoded)
        SiteChange.add(session, form.texts(), logo, utcnow(), viewer().id)
    return confirm(redirect(url_for("site_form.edit"), code=303), Done.SAVED)


def _page(form: SiteForm) -> str:
    read_site_anew()
    with reading() as connection:
        latest = site_changes(connection, LATEST)
    return render_template("organiser/site.html", form=form, changes=latest)
