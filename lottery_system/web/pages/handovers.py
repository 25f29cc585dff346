"""Organisers' pages of prizes: list to hand over, hand-over, lapse."""

from datetime import date

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from lottery_system.access import organisers, viewer
from lottery_system.clock import day_of, utcnow
from lottery_system.errors import (
    AlreadyHandedOver,
    AlreadyLapsed,
    LotteryError,
    NoPrize,
    NotClaimed,
    Paused,
)
from lottery_system.extensions import reading
from lottery_system.models.claim import BadHandOver, hand_over, lapse
from lottery_system.parts import checked_transaction, parts
from lottery_system.queries import AnyRow
from lottery_system.queries.claims import claim_of, to_hand_over
from lottery_system.web.confirmations import Done, confirm
from lottery_system.web.days import day_or_404
from lottery_system.web.errors import RETRY_AFTER
from lottery_system.web.forms import Form, HandOverForm, LapseForm, parse_page
from lottery_system.web.resuming import resumes_at
from lottery_system.web.words import long_day, translated, why_lapsed

blueprint = Blueprint("handovers", __name__, url_prefix="/organiser/prizes")

#: rows of a page
PAGE = 30


@blueprint.get("")
@organisers
def index() -> str:
    """List the prizes to hand over, claimed ones first."""
    at = parse_page(request.args.get("page", ""))
    with reading() as connection:
        rows = to_hand_over(connection, limit=PAGE + 1, offset=(at - 1) * PAGE)
    return render_template(
        "handovers/index.html",
        prizes=rows[:PAGE],
        at=at,
        has_more=len(rows) > PAGE,
        today=day_of(utcnow()),
    )


@blueprint.get("/<day>/<int(max=2147483647):place>")
@organisers
def show(day: str, place: int) -> str:
    """Show a prize, its winner, and the forms to hand it over or let it lapse."""
    return _page(day_or_404(day), place)


def _with_hand_over_form(day: str, place: int) -> str:
    return _page(day_or_404(day), place, HandOverForm())


def _with_lapse_form(day: str, place: int) -> str:
    return _page(day_or_404(day), place, LapseForm())


@blueprint.post("/<day>/<int(max=2147483647):place>/hand-over")
@organisers
@resumes_at(_with_hand_over_form, "handed_on", "note")
def create(day: str, place: int) -> Response:
    """Record that a prize was handed over."""
    utc_day, form = day_or_404(day), HandOverForm()
    if not form.validate() or form.handed_on.data is None:
        return _refused(utc_day, place, form)
    try:
        with checked_transaction() as session:
            hand_over(
                session,
                utc_day,
                place,
                viewer().id,
                handed_on=form.handed_on.data,
                note=form.note.data or "",
                now=utcnow(),
            )
    except BadHandOver as error:
        form.handed_on.errors = [translated(error)]
        return _refused(utc_day, place, form)
    except LotteryError as error:
        return _answer(utc_day, place, form, error)
    return confirm(redirect(url_for("organiser.overview"), code=303), Done.HANDED_OVER)


@blueprint.post("/<day>/<int(max=2147483647):place>/lapse")
@organisers
@resumes_at(_with_lapse_form, "reason")
def let_lapse(day: str, place: int) -> Response:
    """Let a prize lapse and offer it to the next reserve."""
    utc_day, form = day_or_404(day), LapseForm()
    if not form.validate():
        return _refused(utc_day, place, form)
    try:
        with checked_transaction() as session:
            lapse(
                session,
                utc_day,
                place,
                viewer().id,
                reason=form.reason.data or "",
                now=utcnow(),
                claim_days=parts().settings.claim_days,
            )
    except LotteryError as error:
        return _answer(utc_day, place, form, error)
    return confirm(redirect(url_for("organiser.overview"), code=303), Done.LAPSED)


def _answer(day: date, place: int, form: Form, error: LotteryError) -> Response:
    """Answer a refused action, with the state that another organiser may have set meanwhile."""
    if isinstance(error, NoPrize):
        abort(404, translated(error))
    if isinstance(error, Paused):
        sentence = gettext(
            "The lottery is paused, so nothing was saved. What you typed is still here. Try again "
            "later."
        )
        answer = _refused(day, place, form, sentence, 503)
        answer.headers["Retry-After"] = str(RETRY_AFTER)
        return answer
    if not isinstance(error, AlreadyHandedOver | AlreadyLapsed | NotClaimed):
        raise error
    prize = _prize_or_404(day, place)
    sentence = translated(error)
    if prize.lapsed_at:
        sentence = gettext(
            "Nothing was changed. This prize has lapsed in the meantime: “%(reason)s”",
            reason=why_lapsed(prize.reason),
        )
    elif prize.handed_over_at:
        sentence = gettext(
            "Nothing was changed. This prize has been marked as handed over in the meantime, on "
            "%(day)s.",
            day=long_day(prize.handed_on),
        )
    return _refused(day, place, form, sentence)


def _refused(
    day: date, place: int, form: Form, refusal: str | None = None, status: int = 422
) -> Response:
    return make_response(_page(day, place, form, refusal), status)


def _prize_or_404(day: date, place: int) -> AnyRow:
    with reading() as connection:
        prize = claim_of(connection, day, place)
    if prize is None:
        abort(404, translated(NoPrize()))
    return prize


def _page(day: date, place: int, form: Form | None = None, refusal: str | None = None) -> str:
    """Render the page of a prize, with the submitted form as it was filled in."""
    today = day_of(utcnow())
    return render_template(
        "handovers/show.html",
        prize=_prize_or_404(day, place),
        hand_over=form if isinstance(form, HandOverForm) else HandOverForm(None, handed_on=today),
        lapse=form if isinstance(form, LapseForm) else LapseForm(None),
        sent=form,
        refusal=refusal,
        today=today,
    )
