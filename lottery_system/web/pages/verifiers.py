"""Downloads of the verifier: as one page, and as one program."""

from functools import cache
from pathlib import Path

from flask import Blueprint, current_app
from werkzeug.wrappers import Response

from lottery_system.access import everybody
from lottery_system.fairness.bundle import zipapp_bytes
from lottery_system.web.public import public
from lottery_system.web.saved_verifier import saved_verifier

blueprint = Blueprint("verifiers", __name__)

#: it changes with the lottery's code alone
A_DAY = "public, max-age=86400"


@blueprint.get("/verifier.html")
@everybody
def saved() -> Response:
    """Hand out the verifier as one page to be saved; our policy would not let it run here."""
    assert current_app.static_folder is not None
    return _download(_page(current_app.static_folder), "text/html", "verifier.html")


@blueprint.get("/verify.pyz")
@everybody
def program() -> Response:
    """Hand out the verifier as one Python program."""
    return _download(_program(), "application/zip", "verify.pyz")


def _download(body: str | bytes, mimetype: str, name: str) -> Response:
    response = public(body, mimetype, A_DAY)
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response


@cache
def _page(static_folder: str) -> str:
    return saved_verifier(Path(static_folder))


@cache
def _program() -> bytes:
    return zipapp_bytes()
