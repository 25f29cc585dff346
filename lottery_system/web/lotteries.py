"""The front page: today's draw and the lotteries."""

from uuid import UUID, uuid4

from flask import Blueprint, make_response, render_template
from werkzeug.wrappers import Response

from lottery_system.access import settings, users, viewer
from lottery_system.clock import day_of, utcnow
from lottery_system.extensions import reading
from lottery_system.models import Submission
from lottery_system.queries.front_page import load_front_page
from lottery_system.queries.my_ballots import submission_of
from lottery_system.web.cookies import keep, kept
from lottery_system.web.forms import parse_token

blueprint = Blueprint("lotteries", __name__)

#: the cookie that remembers the token of what was submitted last
RECEIPT = "receipt"
AN_HOUR = 60 * 60


@blueprint.get("/")
@users
def index() -> Response:
    """Show today's draw, the lotteries, and the receipt of a click once.

    The receipt is forgotten only once there is a page that shows it: who is told to try again
    must find it there.
    """
    token = parse_token(kept(RECEIPT))
    page = make_response(front_page(token=token))
    if token:
        keep(page, RECEIPT, "", 0)
    return page


def front_page(
    *,
    token: UUID | None = None,
    refused_id: int | None = None,
    refusal: str | None = None,
    typed: str | None = None,
) -> str:
    """Render the front page, with the receipt of a token, or what was refused at its lottery."""
    today = day_of(utcnow())
    with reading() as connection:
        page = load_front_page(connection, viewer().id, today)
        receipt = submission_of(connection, viewer().id, token) if token else None
    return render_template(
        "lotteries/index.html",
        today=today,
        page=page,
        receipt=receipt,
        refused_id=refused_id,
        refusal=refusal,
        typed=typed,
        max_count=settings().max_count,
        new_token=uuid4,
    )


def keep_receipt(response: Response, submission: Submission) -> None:
    """Let the next front page of this browser show a receipt.

    In a cookie of its own: the session would have to be signed anew, twice a click. Whoever makes a
    token up gets to see a submission of their own, or nothing.
    """
    keep(response, RECEIPT, str(submission.token), AN_HOUR)
