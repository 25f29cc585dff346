"""The winning ballot of a date."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from time import monotonic

from flask import Blueprint, Flask, current_app, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from lottery_system.access import everybody, viewer
from lottery_system.clock import day_of, parse_day, utcnow
from lottery_system.extensions import reading
from lottery_system.fairness.records import parse_freeze
from lottery_system.models import CLOSED, DRAWN
from lottery_system.queries import AnyRow
from lottery_system.queries.day import first_day, latest_drawn, look_up
from lottery_system.queries.logs import freeze_of
from lottery_system.web.days import MISSING, DayState, beacon_time, neighbours, state_of

blueprint = Blueprint("winners", __name__)


#: seconds for which the page of a drawn day is remembered, and how many such pages are
MOMENT = 2
DAYS_REMEMBERED = 256


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
    with reading() as connection:
        latest = latest_drawn(connection)
    user_id = viewer().id if current_user.is_authenticated else None
    return _answer(latest or day_of(utcnow()), user_id)


@blueprint.get("/winners/<day>")
@everybody
def show(day: str) -> tuple[str, int]:
    """Show who won on a day, or why nobody did."""
    asked = parse_day(day)
    if asked is None:
        return _page(DayState.NO_DATE, None, typed=day), 404
    if current_user.is_authenticated:
        return _answer(asked, viewer().id)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return _drawn_day(app, asked, monotonic() // MOMENT) or _answer(asked)


@lru_cache(DAYS_REMEMBERED)
def _drawn_day(app: Flask, day: date, moment: float) -> tuple[str, int] | None:
    """Return the page that all strangers see of a drawn day; None where it may change any time.

    Right after midnight everybody looks at the same one. What a draw found never changes; other
    words of the page may, but only by a moment later than elsewhere.
    """
    with reading() as connection:
        draw, _ = look_up(connection, day, None)
    return _answer(day) if draw and draw.status == DRAWN else None


def _answer(day: date, user_id: int | None = None) -> tuple[str, int]:
    with reading() as connection:
        draw, winners = look_up(connection, day, user_id)
        first = draw.first if draw else first_day(connection)
        is_closed = draw is not None and draw.status == CLOSED
        frozen = freeze_of(connection, day) if is_closed else None
    state = state_of(day, draw, first)
    due_at = beacon_time(parse_freeze(frozen.record)) if frozen else None
    page = _page(state, day, draw=draw, first=first, winners=winners, due_at=due_at)
    return page, 404 if state in MISSING else 200


def _page(
    state: DayState,
    day: date | None,
    *,
    draw: AnyRow | None = None,
    first: date | None = None,
    winners: Sequence[AnyRow] = (),
    typed: str = "",
    due_at: datetime | None = None,
) -> str:
    previous, following = neighbours(day, first, state)
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
        beacon_time=due_at,
        previous=previous,
        next=following,
    )
