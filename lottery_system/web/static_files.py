"""Static files under names with a content hash, cached for a year.

Pages link to `/static/v-<hash>/css/lottery.css`, which browsers cache for a year. The hash covers
the whole folder, so that modules import others of their own version by relative paths, and an open
page never mixes two versions during an upgrade.
"""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from flask import Flask, current_app
from werkzeug.wrappers import Response

from lottery_system.web.public import FOR_EVER
from lottery_system.web.remembered import path_for

PREFIX = "v-"
DIGITS = 12


def register(app: Flask) -> None:
    """Serve the folder under its versioned name too, and let templates name files by it."""
    app.view_functions["static"] = _serve
    app.jinja_env.globals["asset"] = asset


def asset(name: str) -> str:
    """Return the path of a static file, by which it may be kept for ever."""
    version = PREFIX + version_of(current_app.static_folder or "")
    return path_for("static", filename=f"{version}/{name}")


@lru_cache
def version_of(folder: str) -> str:
    """Return what stands for all files of a folder, their names and bytes."""
    digest = sha256()
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix().encode()
            digest.update(len(name).to_bytes(4) + name + sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:DIGITS]


def _serve(filename: str) -> Response:
    folder = current_app.static_folder
    assert folder is not None
    version, _, name = filename.partition("/")
    if not version.startswith(PREFIX):
        return current_app.send_static_file(filename)
    response = current_app.send_static_file(name)
    # another version was requested: serve ours, without long-term caching
    if version == PREFIX + version_of(folder):
        response.headers["Cache-Control"] = FOR_EVER
    return response
