"""The front page: today's draw and the lotteries."""

from uuid import UUID, uuid4

from flask import Blueprint, render_template, session

from lottery_system.access import settings, users, viewer
from lottery_system.clock import day_of, utcnow
from lottery_system.extensions import db
from lottery_system.models import Draw, Holding, Lottery, Submission

blueprint = Blueprint("lotteries", __name__)


@blueprint.get("/")
@users
def index() -> str:
    """Show today's draw, the lotteries, and the receipt of a click once.

    The receipt is forgotten only once there is a page that shows it: who is told to try again
    must find it there.
    """
    page = front_page(receipt=_receipt())
    session.pop("receipt", None)
    return page


def front_page(
    *,
    receipt: Submission | None = None,
    refused_id: int | None = None,
    refusal: str | None = None,
    typed: str | None = None,
) -> str:
    """Render the front page, with what was refused beside its lottery."""
    today = day_of(utcnow())
    database = db.session()
    open_ones = Lottery.open_on(database, today)
    finished = Lottery.finished_on(database, today)
    mine = Holding.by_lottery(database, viewer().id, today)
    draw = Draw.of_day(database, today)
    return render_template(
        "lotteries/index.html",
        today=today,
        ballot_count=draw.ballot_count if draw else 0,
        mine=mine,
        mine_count=sum(mine.values()),
        open_ones=open_ones,
        finished=finished,
        latest=Draw.latest_drawn(database),
        receipt=receipt,
        receipt_lottery=_name_of(receipt, [*open_ones, *finished]),
        refused_id=refused_id,
        refusal=refusal,
        typed=typed,
        max_count=settings().max_count,
        new_token=uuid4,
    )


def keep_receipt(submission: Submission) -> None:
    """Let the next front page of this browser show a receipt."""
    session["receipt"] = str(submission.token)


def _receipt() -> Submission | None:
    token = session.get("receipt")
    if token is None:
        return None
    return Submission.by_token(db.session(), UUID(token), viewer().id)


def _name_of(receipt: Submission | None, lotteries: list[Lottery]) -> str | None:
    if receipt is None:
        return None
    known = next((each for each in lotteries if each.id == receipt.lottery_id), None)
    return (known or db.session.get_one(Lottery, receipt.lottery_id)).name
