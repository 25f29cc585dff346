"""The front page: today's draw and the lotteries."""

from uuid import UUID, uuid4

from flask import Blueprint, render_template, session

from lottery_system.access import settings, users, viewer
from lottery_system.clock import day_of, utcnow
from lottery_system.extensions import reading
from lottery_system.models import Submission
from lottery_system.queries.front_page import load_front_page
from lottery_system.queries.my_ballots import submission_of

blueprint = Blueprint("lotteries", __name__)


@blueprint.get("/")
@users
def index() -> str:
    """Show today's draw, the lotteries, and the receipt of a click once.

    The receipt is forgotten only once there is a page that shows it: who is told to try again
    must find it there.
    """
    token = session.get("receipt")
    page = front_page(token=UUID(token) if token else None)
    session.pop("receipt", None)
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


def keep_receipt(submission: Submission) -> None:
    """Let the next front page of this browser show a receipt."""
    session["receipt"] = str(submission.token)
