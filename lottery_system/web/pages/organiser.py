"""Organisers' pages: lotteries, status of the draws, participants, changes."""

from datetime import date

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from lottery_system.access import lottery_or_404, organisers, viewer
from lottery_system.clock import ONE_DAY, day_of, parse_day, utcnow
from lottery_system.errors import LotteryError
from lottery_system.extensions import db, reading, transaction
from lottery_system.health import standing
from lottery_system.models import AccountEvent, AccountEventKind, Lottery, Picture
from lottery_system.models.lottery import NAME_LENGTH, BadOpening, ClosesInThePast
from lottery_system.models.lottery_edit import (
    NoPrizeLeft,
    TooFewADay,
    TooFewPrizes,
    edit_lottery,
    withdraw_lottery,
)
from lottery_system.parts import parts
from lottery_system.queries.claims import to_hand_over, winners_of
from lottery_system.queries.day import first_day
from lottery_system.queries.days import days_between
from lottery_system.queries.organisation import changes, figures, participants
from lottery_system.text_input import BadText
from lottery_system.web.calendar import chart_begins, chart_of
from lottery_system.web.confirmations import Done, confirm
from lottery_system.web.forms import LotteryForm, parse_number, parse_page
from lottery_system.web.incoming import takes_upload
from lottery_system.web.resuming import resumes_at
from lottery_system.web.words import translated

blueprint = Blueprint("organiser", __name__, url_prefix="/organiser")

#: rows of a page
PAGE = 50
#: changes that the overview shows
LATEST = 5
#: what organisers and commands did to accounts, as the page of participants shows it
EVENTS = 20
SHOWN_EVENTS = (
    AccountEventKind.RESET_LINK_MADE,
    AccountEventKind.SECOND_FACTORS_REMOVED,
    AccountEventKind.BLOCKED,
    AccountEventKind.UNBLOCKED,
    AccountEventKind.PROMOTED,
    AccountEventKind.DEMOTED,
)
#: prizes to hand over that the overview shows
TO_HAND_OVER = 10
#: fields that are kept while the user logs in again
KEPT = ("name", "prize", "claim", "opens_on", "closes_on", "most_a_day", "winnable", "picture_alt")
#: fields that a copy takes over; it gets days of its own
COPIED = ("prize", "claim", "most_a_day", "winnable", "picture_alt")
#: fields beside which the model's errors are shown
BESIDE: tuple[tuple[type[LotteryError], str], ...] = (
    (ClosesInThePast, "closes_on"),
    (NoPrizeLeft, "closes_on"),
    (BadOpening, "opens_on"),
    (TooFewADay, "most_a_day"),
    (TooFewPrizes, "winnable"),
)


@blueprint.get("")
@organisers
def overview() -> str:
    """Show the status of the draws, figures and the latest changes."""
    now = utcnow()
    today = day_of(now)
    health = standing(db.session(), now, parts().settings.gap)
    with reading() as connection:
        counts = figures(connection, today)
        days = days_between(connection, chart_begins(today), today, None)
        latest = changes(connection, before=None, limit=LATEST)
        prizes = to_hand_over(connection, limit=TO_HAND_OVER + 1)
        witnesses = parts().witnesses.count(connection)
    return render_template(
        "organiser/overview.html",
        today=today,
        prizes=prizes[:TO_HAND_OVER],
        has_more_prizes=len(prizes) > TO_HAND_OVER,
        health=health,
        overdue=health.overdue(now),
        reasons=parts().pause.reasons,
        witnesses=witnesses,
        figures=counts,
        chart=chart_of(days, today),
        changes=latest,
    )


@blueprint.get("/draws")
@organisers
def draws() -> str:
    """List the draws, the newest first, a month or so a page."""
    now = utcnow()
    until = _day_argument(day_of(now))
    health = standing(db.session(), now, parts().settings.gap)
    since = chart_begins(until)
    with reading() as connection:
        days = days_between(connection, since, until, None)
        winners = winners_of(connection, [each.day for each in days])
        first = first_day(connection)
    return render_template(
        "organiser/draws.html",
        today=day_of(now),
        days=list(reversed(days)),
        winners=winners,
        overdue=health.overdue(now),
        older=since - ONE_DAY if first is not None and first < since else None,
    )


@blueprint.get("/participants")
@organisers
def list_participants() -> str:
    """List who plays, the newest first, and what was lately done to accounts."""
    before = _number_argument()
    with reading() as connection:
        rows = participants(connection, day_of(utcnow()), before=before, limit=PAGE + 1)
        is_first = before is None
        events = AccountEvent.latest_by_others(connection, EVENTS, SHOWN_EVENTS) if is_first else []
    return render_template(
        "organiser/participants.html",
        users=rows[:PAGE],
        older=rows[PAGE - 1].id if len(rows) > PAGE else None,
        events=events,
    )


@blueprint.get("/changes")
@organisers
def list_changes() -> str:
    """List who changed what of which lottery, the newest first."""
    with reading() as connection:
        rows = changes(connection, before=_number_argument(), limit=PAGE + 1)
    older = rows[PAGE - 1].id if len(rows) > PAGE else None
    return render_template("organiser/changes.html", changes=rows[:PAGE], older=older)


@blueprint.get("/lotteries")
@organisers
def index() -> str:
    """List the lotteries, those that close last at the top."""
    at = parse_page(request.args.get("page", ""))
    rows = db.session.scalars(
        select(Lottery)
        .order_by(Lottery.closes_on.desc(), Lottery.name)
        .offset((at - 1) * PAGE)
        .limit(PAGE + 1)
    ).all()
    return render_template(
        "organiser/index.html",
        lotteries=rows[:PAGE],
        at=at,
        has_more=len(rows) > PAGE,
        today=day_of(utcnow()),
    )


@blueprint.get("/lotteries/new")
@organisers
def new() -> str:
    """Show an empty form, or with `?copy=` one filled in from another lottery, except its days."""
    copied = _copied()
    if copied is None:
        return _page(LotteryForm(), None)
    copied_fields = {name: getattr(copied, name) for name in COPIED}
    return _page(LotteryForm(name=_name_of_copy(copied.name), **copied_fields), None)


@blueprint.post("/lotteries/new")
@organisers
@takes_upload()
@resumes_at(new, *KEPT)
def create() -> Response | tuple[str, int]:
    """Create a lottery; with `?copy=` it has the picture of another one, unless it gets its own."""
    return _save(LotteryForm(), None)


@blueprint.get("/lotteries/<int(max=2147483647):lottery_id>")
@organisers
def edit(lottery_id: int) -> str:
    """Show a lottery's form."""
    lottery = lottery_or_404(lottery_id)
    return _page(LotteryForm(obj=lottery), lottery)


@blueprint.post("/lotteries/<int(max=2147483647):lottery_id>")
@organisers
@takes_upload()
@resumes_at(edit, *KEPT)
def update(lottery_id: int) -> Response | tuple[str, int]:
    """Change a lottery; a later date opens it again."""
    return _save(LotteryForm(), lottery_or_404(lottery_id))


@blueprint.get("/lotteries/<int(max=2147483647):lottery_id>/withdraw")
@organisers
def confirm_withdrawal(lottery_id: int) -> str:
    """Explain what withdrawing a lottery means, and ask for confirmation."""
    return render_template(
        "organiser/withdraw.html", lottery=lottery_or_404(lottery_id), today=day_of(utcnow())
    )


@blueprint.post("/lotteries/<int(max=2147483647):lottery_id>/withdraw")
@organisers
@resumes_at(confirm_withdrawal)
def withdraw(lottery_id: int) -> Response:
    """Let a lottery take no more ballots from now on."""
    lottery_or_404(lottery_id)
    with transaction() as session:
        withdraw_lottery(session, lottery_id, utcnow, viewer().id, parts().clock_check.check_turn)
    return confirm(redirect(url_for("organiser.index"), code=303), Done.WITHDRAWN)


def _save(form: LotteryForm, lottery: Lottery | None) -> Response | tuple[str, int]:
    if not form.validate():
        return _page(form, lottery), 422
    now, me, copied = utcnow(), viewer().id, _copied() if lottery is None else None

    def show_picture(session: Session, edited: Lottery) -> None:
        shown = copied.picture_digest if copied else edited.picture_digest
        digest = None if form.remove_picture.data else shown
        if form.picture.encoded:
            digest = Picture.keep(session.connection(), form.picture.encoded)
        edited.show_picture(digest, form.picture_alt.data or "")

    try:
        with transaction() as session:
            if lottery is None:
                created = Lottery.create(**form.fields(), now=now, by=me)
                show_picture(session, created)
                session.add(created)
            else:
                edit_lottery(session, lottery.id, now, me, **form.fields(), also=show_picture)
    except tuple(error for error, _ in BESIDE) as error:
        beside = next(name for kind, name in BESIDE if isinstance(error, kind))
        form[beside].errors = [translated(error)]
        return _page(form, lottery), 422
    except BadText as error:  # of the picture; the other texts are checked by the form
        form.picture_alt.errors = [translated(error)]
        return _page(form, lottery), 422
    except IntegrityError:  # the name's unique key
        form.name.errors = [
            gettext("There’s already a lottery with this name. Choose another name.")
        ]
        return _page(form, lottery), 422
    done = Done.CREATED if lottery is None else Done.SAVED
    return confirm(redirect(url_for("organiser.index"), code=303), done)


def _page(form: LotteryForm, lottery: Lottery | None) -> str:
    copied = _copied() if lottery is None else None
    shown = lottery or copied
    digest = shown.picture_digest if shown else None
    return render_template(
        "organiser/edit.html",
        form=form,
        lottery=lottery,
        copied=copied,
        picture=db.session.get(Picture, digest) if digest else None,
        today=day_of(utcnow()),
    )


def _copied() -> Lottery | None:
    """Load the lottery that `?copy=` names; None if it names none."""
    lottery_id = parse_number(request.args.get("copy", "")) or 0
    return lottery_or_404(lottery_id) if 0 < lottery_id < 2**31 else None


def _name_of_copy(name: str) -> str:
    """Return a name for a copy, since names are unique; the same one if a longer is too long."""
    copy = gettext("%(name)s (copy)", name=name)
    return copy if len(copy) <= NAME_LENGTH else name


def _number_argument() -> int | None:
    return parse_number(request.args.get("before", ""))


def _day_argument(today: date) -> date:
    until = parse_day(request.args.get("until", ""))
    return min(until, today) if until else today
