"""The winning ballot of a date."""

from datetime import date
from enum import Enum

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from lottery_system.access import everybody, viewer
from lottery_system.clock import ONE_DAY, day_of, parse_day, utcnow
from lottery_system.extensions import db
from lottery_system.models import DRAWN, Draw, Holding, Winner

blueprint = Blueprint("winners", __name__)


class DayState(Enum):
    """The seven answers to the question who won on a date."""

    DRAWN = "drawn"
    NOBODY_PLAYED = "nobody played"
    WAITING = "waiting"
    OPEN = "open"
    FUTURE = "future"
    BEFORE_FIRST = "before first"
    NO_DATE = "no date"


MISSING = frozenset({DayState.FUTURE, DayState.BEFORE_FIRST, DayState.NO_DATE})


@blueprint.get("/winners")
@everybody
def index() -> Response | tuple[str, int]:
    """Go to the day asked for; where none is, show the latest draw."""
    typed = request.args.get("date", "").strip()
    day = parse_day(typed)
    if day is not None:
        return redirect(url_for("winners.show", day=day.isoformat()))
    if typed:
        return _page(DayState.NO_DATE, None, typed=typed), 422
    latest = Draw.latest_drawn(db.session())
    return _answer(latest.day if latest else day_of(utcnow()))


@blueprint.get("/winners/<day>")
@everybody
def show(day: str) -> tuple[str, int]:
    """Show who won on a day, or why nobody did."""
    asked = parse_day(day)
    if asked is None:
        return _page(DayState.NO_DATE, None, typed=day), 404
    return _answer(asked)


def _answer(day: date) -> tuple[str, int]:
    draw = Draw.of_day(db.session(), day)
    first = Draw.first_day(db.session())
    state = _state(day, draw, first)
    return _page(state, day, draw=draw, first=first), 404 if state in MISSING else 200


def _state(day: date, draw: Draw | None, first: date | None) -> DayState:
    today = day_of(utcnow())
    if day > today:
        return DayState.FUTURE
    if day == today:
        return DayState.OPEN
    if first is None or day < first:
        return DayState.BEFORE_FIRST
    if draw is None or draw.status != DRAWN:
        return DayState.WAITING
    return DayState.DRAWN if draw.ballot_count else DayState.NOBODY_PLAYED


def _page(
    state: DayState,
    day: date | None,
    *,
    draw: Draw | None = None,
    first: date | None = None,
    typed: str = "",
) -> str:
    winners = Winner.of_day(db.session(), day) if day and state is DayState.DRAWN else []
    has_previous = day is not None and first is not None and day > first
    has_next = day is not None and day < day_of(utcnow()) and state not in MISSING
    return render_template(
        "winners/show.html",
        state=state,
        DayState=DayState,
        day=day,
        typed=typed,
        today=day_of(utcnow()),
        draw=draw,
        first=first,
        winners=winners,
        mine_count=_mine_count(day) if day else 0,
        previous=day - ONE_DAY if day and has_previous and state not in MISSING else None,
        next=day + ONE_DAY if day and has_next else None,
    )


def _mine_count(day: date) -> int:
    if not current_user.is_authenticated:
        return 0
    return sum(Holding.by_lottery(db.session(), viewer().id, day).values())
