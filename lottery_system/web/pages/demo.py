"""Doors of a demo: visitors enter as somebody, without a password; there are none elsewhere."""

from contextlib import suppress

from flask import Blueprint, abort, request
from flask_babel import gettext
from werkzeug.wrappers import Response

from lottery_system.access import everybody
from lottery_system.clock import day_of, utcnow
from lottery_system.demo.doors import Door, find_user
from lottery_system.extensions import transaction
from lottery_system.web.forms import AccountForm
from lottery_system.web.log_ins import enter as go_in
from lottery_system.web.log_ins import open_log_in
from lottery_system.web.resuming import log_in_page, resumes_at

blueprint = Blueprint("demo", __name__)


@blueprint.post("/demo/enter")
@everybody
@resumes_at(lambda: log_in_page(AccountForm(formdata=None)))
def enter() -> Response:
    """Log in as a player who has just won, as one who has not, or as an organiser."""
    opened = None
    with suppress(ValueError), transaction() as session:
        user = find_user(session, Door(request.form.get("as", "")), day_of(utcnow()))
        if user is not None:
            opened = open_log_in(session, user, "demo", has_second_factor=False)
    if opened is None:
        abort(404, gettext("Nobody in this demo is like that. Use one of the other ways to enter."))
    return go_in(opened)
