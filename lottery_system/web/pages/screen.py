"""Draw screen for a projector: countdown, today's ballots, latest result; without log-in."""

from datetime import datetime

from flask import Blueprint, render_template

from lottery_system.access import everybody
from lottery_system.clock import ONE_DAY, closes_at, day_of, utcnow
from lottery_system.extensions import reading
from lottery_system.fairness.records import parse_freeze
from lottery_system.models import CLOSED
from lottery_system.queries.live import current_moment
from lottery_system.queries.logs import freeze_of
from lottery_system.web.days import DayPage, beacon_time, day_page

blueprint = Blueprint("screen", __name__)


@blueprint.get("/screen")
@everybody
def show() -> str:
    """Show today's countdown and ballots, and yesterday's result.

    The page ignores log-ins, since a projector shows it to a whole room; only the time zone of an
    account that is logged in is used.
    """
    now = utcnow()
    today = day_of(now)
    with reading() as connection:
        page = day_page(connection, today - ONE_DAY, now, None)
        ballot_count = current_moment(connection, today).ballot_count
        is_closed = page.draw is not None and page.draw.status == CLOSED
        frozen = freeze_of(connection, today - ONE_DAY) if is_closed else None
    number_due = beacon_time(parse_freeze(frozen.record)) if frozen else None
    return render_template(
        "screen/show.html",
        page=page,
        now=now,
        closes_at=closes_at(today),
        ballot_count=ballot_count,
        number_due=number_due,
        is_late=number_due is not None and number_due <= now,
        shows=_shows(page, number_due, now),
    )


def _shows(page: DayPage, number_due: datetime | None, now: datetime) -> str:
    """Return a fingerprint of the result: the script replaces the result only if it changes."""
    due = "" if number_due is None else f" {number_due:%H:%M:%S}{' late' * (number_due <= now)}"
    place = page.holder.place if page.holder else 0
    return f"{page.day} {page.state.value} {place}{due}"
