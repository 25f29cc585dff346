"""Pages of results: list of wins, the winner of a day, and a poster to print."""

from datetime import date, datetime
from functools import lru_cache
from time import monotonic
from typing import NamedTuple

from flask import Blueprint, Flask, abort, current_app, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from markupsafe import Markup
from sqlalchemy import Connection
from werkzeug.test import create_environ
from werkzeug.wrappers import Response

from lottery_system.access import everybody, viewer
from lottery_system.clock import day_of, parse_day, utcnow
from lottery_system.extensions import reading
from lottery_system.fairness.checks import CHECKS
from lottery_system.fairness.records import BEACON, OPERATOR, parse_freeze
from lottery_system.models import CLOSED, DRAWN
from lottery_system.parts import parts
from lottery_system.queries.claims import page_of, wins
from lottery_system.queries.day import first_day, look_up
from lottery_system.queries.days import days_between
from lottery_system.queries.logs import freeze_of
from lottery_system.queries.site import Site
from lottery_system.web.calendar import by_day, chart_begins, chart_of, month_of, neighbour_months
from lottery_system.web.current_site import show_site, site
from lottery_system.web.days import (
    DayPage,
    DayState,
    beacon_time,
    day_or_404,
    day_page,
    draw_being_made,
    holder_of,
)
from lottery_system.web.languages import language
from lottery_system.web.public_address import is_known_here_only, public_root, site_root
from lottery_system.web.qr_codes import qr_code
from lottery_system.web.remembered import apart
from lottery_system.web.sample_draw import sample_draw
from lottery_system.web.texts import words_of
from lottery_system.web.words import long_day

blueprint = Blueprint("winners", __name__)

#: rows of a page of the list
PAGE = 14
#: seconds for which the page of a drawn day is remembered, and how many such pages are
MOMENT = 2
DAYS_REMEMBERED = 256


@blueprint.get("/winners")
@everybody
def index() -> str | Response | tuple[str, int]:
    """List who won, latest first; with `?date=`, redirect to that day."""
    typed = request.args.get("date", "").strip()
    day = parse_day(typed)
    if day is not None:
        return redirect(url_for("winners.show", day=day.isoformat()))
    if typed:
        return _no_date(typed), 422
    now = utcnow()
    before, today = parse_day(request.args.get("before", "")), day_of(now)
    asker = _asker()  # before a connection is held: it may have to wait for one
    with reading() as connection:
        rows, older = page_of(wins(connection, before=before, limit=PAGE + 1), PAGE)
        first = first_day(connection)
        shown = rows[0].day if rows and before else today
        being_made = None
        if before is None:
            latest = rows[0].day if rows else None  # a later day may have had no ballots
            being_made = draw_being_made(connection, now, latest, asker)
        around = _around(connection, shown, today, first, asker)
    return render_template(
        "winners/index.html",
        wins=rows,
        being_made=being_made,
        older=older,
        is_latest=before is None,
        today=today,
        first=first,
        **_sample() if not rows and before is None else {},
        **around,
    )


def _sample() -> dict[str, object]:
    """Return what is shown and checked until somebody has won."""
    folder = current_app.static_folder or ""
    mode = OPERATOR if parts().settings.beacon == "off" else BEACON
    checks = {name: says for name, says in CHECKS.items() if name not in {"offers", "witnessed"}}
    return {
        "sample": sample_draw(folder, mode),
        "checks": checks,
        "words": words_of(folder, language()),
    }


@blueprint.get("/winners/<day>")
@everybody
def show(day: str) -> tuple[str, int]:
    """Show who won on a day, or why nobody did."""
    utc_day = parse_day(day)
    if utc_day is None:
        return _no_date(day), 404
    if current_user.is_authenticated:
        return _answer(utc_day, utcnow(), viewer().id)
    if parts().settings.demo:  # whose banner has a form, and so the visitor's own token
        return _answer(utc_day, utcnow())
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    seen_as = SeenAs(language(), site_root(), bool(parts().pause.reasons), site())
    return _drawn_day(app, utc_day, monotonic() // MOMENT, seen_as) or _answer(utc_day, utcnow())


@blueprint.get("/winners/<day>/sheet")
@everybody
def sheet(day: str) -> str:
    """Show a drawn day on a sheet to be printed and put up, with the way to its certificate."""
    utc_day = day_or_404(day)
    with reading() as connection:
        draw, winners = look_up(connection, utc_day, None)
    if draw is None or draw.status != DRAWN:
        abort(404, gettext("There’s no result for %(day)s, or not yet.", day=long_day(utc_day)))
    address = public_root() + url_for("draws.show", day=utc_day.isoformat())[1:]
    return render_template(
        "winners/sheet.html",
        day=utc_day,
        draw=draw,
        winners=winners,
        holder=holder_of(winners),
        address=address,
        code=Markup(_code(address)),  # noqa: S704 - segno's own drawing
        leads_nowhere=is_known_here_only(address),
    )


class SeenAs(NamedTuple):
    """Everything that the page of a drawn day depends on besides the day."""

    code: str
    #: scheme, host and path below which the lottery is reached
    root: str
    #: which every page says at its top
    is_paused: bool
    site: Site


@lru_cache(DAYS_REMEMBERED)
def _drawn_day(app: Flask, day: date, moment: float, seen_as: SeenAs) -> tuple[str, int] | None:
    """Return the page of a drawn day for anonymous visitors; None if it may still change.

    Right after midnight everyone looks at the same page. The result never changes; other parts may
    be up to two seconds old.
    """

    def made() -> tuple[str, int] | None:
        show_site(seen_as.site)
        with reading() as connection:
            page = day_page(connection, day, utcnow(), None)
            if page.draw is None or page.draw.status != DRAWN:
                return None
            more = _more(connection, page, None)
        return _shown(page, more)

    return apart(app, made, seen_as.code, create_environ(f"/winners/{day}", seen_as.root))


def _answer(day: date, now: datetime, user_id: int | None = None) -> tuple[str, int]:
    with reading() as connection:
        page = day_page(connection, day, now, user_id)
        more = _more(connection, page, user_id)
    return _shown(page, more)  # holding no connection, since templates may need one


def _more(connection: Connection, page: DayPage, user_id: int | None) -> dict[str, object]:
    """Return what the page of a day shows besides it: the days around, and when its draw is due."""
    shown = page.day if page.day and not page.is_missing else page.today
    around = _around(connection, shown, page.today, page.first, user_id)
    frozen = None
    if page.day and page.draw and page.draw.status == CLOSED:
        frozen = freeze_of(connection, page.day)
    due = beacon_time(parse_freeze(frozen.record), connection) if frozen else None
    return {"beacon_time": due, **around}


def _shown(page: DayPage, more: dict[str, object]) -> tuple[str, int]:
    return _rendered(page, **more), 404 if page.is_missing else 200


def _around(
    connection: Connection, shown: date, today: date, first: date | None, user_id: int | None
) -> dict[str, object]:
    """Return what calendar and chart show around a day."""
    month, until = month_of(shown), min(shown, today)
    days = days_between(connection, min(month.first, chart_begins(shown)), month.last, user_id)
    before, after = neighbour_months(month, first, today)
    return {
        "month": month,
        "month_before": before,
        "month_after": after,
        "by_day": by_day(days),
        "chart": chart_of(days, until),
        "chart_until": until,
    }


def _asker() -> int | None:
    return viewer().id if current_user.is_authenticated else None


def _no_date(typed: str) -> str:
    return _rendered(DayPage(None, day_of(utcnow()), DayState.NO_DATE), typed=typed)


def _rendered(page: DayPage, **more: object) -> str:
    return render_template("winners/show.html", page=page, **more)


@lru_cache(DAYS_REMEMBERED)
def _code(address: str) -> str:
    """Return the QR code of a public address."""
    return qr_code(address)
