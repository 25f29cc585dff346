"""Pages for submitting ballots and listing one's own."""

from math import ceil

from flask import Blueprint, redirect, render_template, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from lottery_system.access import lottery_or_404, users, viewer
from lottery_system.clock import day_of, parse_day, utcnow
from lottery_system.errors import (
    AllPrizesWon,
    LastPrizeUndecided,
    LastPrizeWaits,
    LotteryFinished,
    LotteryNotOpen,
    NotAdmitted,
    OrganiserMayNotPlay,
    Paused,
    TokenTaken,
    TooManyADay,
    TooManyBallots,
)
from lottery_system.extensions import reading, transaction
from lottery_system.models import AskedBallots, User
from lottery_system.parts import parts
from lottery_system.queries.my_ballots import days_of, my_day, places_of, submissions_of
from lottery_system.web.days import day_or_404
from lottery_system.web.errors import Retry, error_page, no_database
from lottery_system.web.forms import BadBallots, parse_ballots, parse_number
from lottery_system.web.front_page import ReturnedForm, front_page, keep_receipt
from lottery_system.web.login import takes_part
from lottery_system.web.remembered import path_for
from lottery_system.web.resuming import resumes_at
from lottery_system.web.words import translated

blueprint = Blueprint("ballots", __name__)

#: rows of a page
PAGE = 50
#: what is said beside the form
REFUSED = (
    AllPrizesWon,
    LastPrizeUndecided,
    LastPrizeWaits,
    LotteryFinished,
    LotteryNotOpen,
    TokenTaken,
    TooManyADay,
)


def _form_again(lottery_id: int) -> str:
    """Show a form that was sent without a valid session, at once or after the log-in."""
    is_focused = request.endpoint != "ballots.create"
    count = request.form.get("count")
    return front_page(returned=ReturnedForm(lottery_id, count, is_focused=is_focused))


@blueprint.post("/lotteries/<int(max=2147483647):lottery_id>/ballots")
@users
@resumes_at(_form_again, "count")
def create(lottery_id: int) -> Response | tuple[str, int]:
    """Submit ballots through the ballot box, and go back to where one clicked."""
    try:
        token, count = parse_ballots(request.form, parts().settings.max_count)
    except BadBallots as error:
        lottery_or_404(lottery_id)
        return _refused(lottery_id, translated(error))
    if not takes_part():
        return _refused(lottery_id, translated(OrganiserMayNotPlay()))
    submission = AskedBallots.of(
        token=token,
        user_id=viewer().id,
        username=viewer().username,
        lottery_id=lottery_id,
        ballot_count=count,
    )
    try:
        granted = parts().ballot_box.submit(submission)
    except REFUSED as error:
        return _refused(lottery_id, translated(error))
    except TooManyBallots as error:
        answer = error_page(429, translated(error), retry=Retry(token, lottery_id, count))
        answer.headers["Retry-After"] = str(max(1, ceil((error.until - utcnow()).total_seconds())))
        return answer
    except (NotAdmitted, Paused) as error:
        return error_page(503, translated(error), retry=Retry(token, lottery_id, count))
    response = Response(status=303, headers={"Location": path_for("lotteries.index")})
    keep_receipt(response, granted.token)
    return response


@blueprint.errorhandler(SQLAlchemyError)
def no_answer(error: SQLAlchemyError) -> Response:
    """Offer the same form again if the database can't even identify the user.

    It may be a retry of a stored submission whose answer was lost, so its token must be kept.
    """
    return no_database(error, retry=_form_sent())


@blueprint.post("/ballots/seen")
@users
def mark_seen() -> Response:
    """Remember up to which day the results were seen, on whatever device."""
    until = day_or_404(request.form.get("until", ""))
    with transaction() as session:
        User.see_results(session, viewer().id, until, day_of(utcnow()))
    return redirect(path_for("lotteries.index"), code=303)


@blueprint.get("/ballots")
@users
def index() -> str:
    """List the days on which I played, the newest first."""
    before = parse_day(request.args.get("before", ""))
    with reading() as connection:
        rows = days_of(connection, viewer().id, before=before, limit=PAGE + 1)
        days = rows[:PAGE]
        places = places_of(connection, viewer().id, [each.day for each in days])
    older = days[-1].day if len(rows) > PAGE else None
    return render_template(
        "ballots/index.html", days=days, places=places, older=older, today=day_of(utcnow())
    )


@blueprint.get("/ballots/<day>")
@users
def show(day: str) -> str:
    """List my ballots of a day, the newest first."""
    utc_day = day_or_404(day)
    with reading() as connection:
        rows = submissions_of(
            connection,
            viewer().id,
            utc_day,
            before=parse_number(request.args.get("before", "")),
            limit=PAGE + 1,
        )
        draw = my_day(connection, viewer().id, utc_day)
    return render_template(
        "ballots/show.html",
        day=utc_day,
        today=day_of(utcnow()),
        draw=draw,
        submissions=rows[:PAGE],
        places=draw.places if draw else (),
        older=rows[PAGE - 1].first_number if len(rows) > PAGE else None,
    )


def _form_sent() -> Retry | None:
    if request.endpoint != "ballots.create":
        return None
    try:
        token, count = parse_ballots(request.form, parts().settings.max_count)
    except BadBallots:
        return None
    lottery_id = (request.view_args or {})["lottery_id"]
    return Retry(token, lottery_id, count)


def _refused(lottery_id: int, refusal: str) -> tuple[str, int]:
    typed = request.form.get("count")
    is_focused = typed is not None
    return front_page(returned=ReturnedForm(lottery_id, typed, refusal, is_focused)), 422
