"""Front page: today's draw and the lotteries."""

from flask import Blueprint, make_response
from werkzeug.wrappers import Response

from lottery_system.access import users
from lottery_system.web.cookies import keep, kept
from lottery_system.web.forms import parse_token
from lottery_system.web.front_page import RECEIPT, front_page

blueprint = Blueprint("lotteries", __name__)


@blueprint.get("/")
@users
def index() -> Response:
    """Show today's draw, the lotteries, and the receipt of a click once.

    The receipt's cookie is deleted only with a page that shows it, so that a retry after an error
    still finds it.
    """
    token = parse_token(kept(RECEIPT))
    page = make_response(front_page(token=token))
    if token:
        keep(page, RECEIPT, "", 0)
    return page
