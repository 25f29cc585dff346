"""Image files: pictures of lotteries, and the logo."""

import re

from flask import Blueprint, abort
from werkzeug.wrappers import Response

from lottery_system.access import everybody
from lottery_system.extensions import reading
from lottery_system.models.picture import MEDIA_TYPE
from lottery_system.queries.site import picture_shown
from lottery_system.web.public import FOR_EVER, public

blueprint = Blueprint("pictures", __name__)

NAME = re.compile(r"[0-9a-f]{64}-[0-9]{1,4}")


@blueprint.get("/pictures/<digest>-<width>.webp")
@everybody
def show(digest: str, width: str) -> Response:
    """Serve a picture; its address contains its digest, so it can be cached for ever."""
    if not NAME.fullmatch(f"{digest}-{width}"):
        abort(404)
    with reading() as connection:
        content = picture_shown(connection, digest, int(width))
    if content is None:
        abort(404)
    return public(content, MEDIA_TYPE, FOR_EVER)
