"""Winners' pages of prizes: list, prize, and the form to claim it."""

from datetime import date

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from lottery_system.access import users, viewer
from lottery_system.clock import day_of, parse_day, utcnow
from lottery_system.errors import AlreadyClaimed, ClaimOver, NotYourPrize, Paused
from lottery_system.extensions import reading
from lottery_system.models import MailAddress
from lottery_system.models.claim import claim
from lottery_system.models.claim_event import OFFERED
from lottery_system.parts import checked_transaction, parts
from lottery_system.queries import AnyRow
from lottery_system.queries.claims import claim_of, my_prizes, prizes_to_claim
from lottery_system.web.confirmations import Done, confirm
from lottery_system.web.days import day_or_404
from lottery_system.web.errors import RETRY_AFTER
from lottery_system.web.forms import ClaimForm
from lottery_system.web.resuming import resumes_at
from lottery_system.web.words import translated

blueprint = Blueprint("prizes", __name__, url_prefix="/prizes")

#: rows of a page
PAGE = 50


@blueprint.get("")
@users
def index() -> str:
    """List the user's prizes, newest first."""
    before = parse_day(request.args.get("before", ""))
    with reading() as connection:
        rows = my_prizes(connection, viewer().id, before=before, limit=PAGE + 1)
    older = rows[PAGE - 1].day if len(rows) > PAGE else None
    return render_template(
        "prizes/index.html", prizes=rows[:PAGE], older=older, today=day_of(utcnow())
    )


@blueprint.get("/to-claim")
@users
def to_claim() -> Response:
    """Redirect to the first prize that the user can claim; without one, to the list."""
    today = day_of(utcnow())
    with reading() as connection:
        prizes = prizes_to_claim(connection, viewer().id, today)
    if prizes:
        return redirect(_address(prizes[0].day, prizes[0].place), code=303)
    return redirect(url_for("prizes.index"), code=303)


@blueprint.get("/<day>/<int(max=2147483647):place>")
@users
def show(day: str, place: int) -> str:
    """Show a prize of the user: state, how to get it, and the form to claim it.

    The form suggests the account's email address: organisers see it if its holder sends it.
    """
    prize = _mine_or_404(day_or_404(day), place)
    address = None
    if prize.state == OFFERED and parts().settings.mail_url:
        with reading() as connection:
            address = MailAddress.verified_of(connection, viewer().id)
    return _page(prize, ClaimForm(data={"contact": address}))


@blueprint.post("/<day>/<int(max=2147483647):place>")
@users
@resumes_at(show, "message", "contact")
def create(day: str, place: int) -> Response:
    """Claim a prize of the user."""
    utc_day, form = day_or_404(day), ClaimForm()
    _mine_or_404(utc_day, place)
    if not form.validate():
        return _refused(utc_day, place, form)
    try:
        with checked_transaction() as session:
            claim(
                session,
                utc_day,
                place,
                viewer().id,
                message=form.message.data or "",
                contact=form.contact.data or "",
                now=utcnow(),
            )
    except NotYourPrize as error:
        abort(404, translated(error))
    except (AlreadyClaimed, ClaimOver) as error:
        return _refused(utc_day, place, form, translated(error))
    except Paused:
        sentence = gettext(
            "The lottery is paused, so your claim was not saved. What you typed is still here. Try "
            "again later."
        )
        answer = _refused(utc_day, place, form, sentence, 503)
        answer.headers["Retry-After"] = str(RETRY_AFTER)
        return answer
    return confirm(redirect(_address(utc_day, place), code=303), Done.CLAIMED)


def _mine_or_404(day: date, place: int) -> AnyRow:
    """Load a prize of the user; another user's answers 404 like one that does not exist."""
    with reading() as connection:
        prize = claim_of(connection, day, place)
    if prize is None or prize.user_id != viewer().id:
        abort(404, translated(NotYourPrize()))
    return prize


def _refused(
    day: date, place: int, form: ClaimForm, refusal: str | None = None, status: int = 422
) -> Response:
    return make_response(_page(_mine_or_404(day, place), form, refusal), status)


def _page(prize: AnyRow, form: ClaimForm, refusal: str | None = None) -> str:
    today = day_of(utcnow())
    return render_template(
        "prizes/show.html",
        prize=prize,
        form=form,
        refusal=refusal,
        today=today,
        is_over=prize.claim_until is not None and prize.claim_until < today,
    )


def _address(day: date, place: int) -> str:
    return url_for("prizes.show", day=day.isoformat(), place=place)
