"""Local times: an instant on a page or in a mail, in its reader's own time and in UTC.

The server knows the reader's time zone if the account has one. Otherwise it writes UTC, and the
script (`tellOwnTime` in static/js/lottery.js) does the same as here in the time zone of the device.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from babel.dates import format_date, format_datetime
from flask import Flask, g
from flask_login import current_user
from markupsafe import Markup

from lottery_system.models.login_session import Viewer
from lottery_system.time_zones import zone_of
from lottery_system.web.languages import language
from lottery_system.web.texts import catalogue

REMEMBERED = 4096

#: how a day is written; English as most of the world writes it, not as in the United States
DAY = {
    "en": "EEEE d MMMM y",
    "de": "EEEE, d. MMMM y",
    "es": "EEEE, d 'de' MMMM 'de' y",
    "fr": "EEEE d MMMM y",
}
#: and without its weekday
SHORT_DAY = {
    "en": "d MMMM y",
    "de": "d. MMMM y",
    "es": "d 'de' MMMM 'de' y",
    "fr": "d MMMM y",
}


class Form(StrEnum):
    """How an instant is written; the script goes by these values."""

    #: the last second of a UTC day, by which people act: "01:00 your time on Friday 20 November"
    CLOSING = "closing"
    #: the same of the day at hand, which needs no name: "01:00 your time"
    TODAY = "today"
    #: an instant by which people act: "20 November 2026, 01:10 your time"
    DUE = "due"
    #: the same within a day: "01:10 your time"
    CLOCK = "clock"
    #: an instant as it was recorded: UTC comes first
    RECORDED = "recorded"
    #: for a page that is printed and put up: UTC alone
    POSTED = "posted"


#: the ends of a day: its last second in UTC, and the midnight after it in own time
ENDS = (Form.CLOSING, Form.TODAY)


class Written(NamedTuple):
    """An instant in words."""

    utc: str
    #: None if it would be the same, or the time zone is not known
    own: str | None


def time_zone() -> str | None:
    """Return the time zone in which the page at hand is written; None if it is not known."""
    if "time_zone" not in g:
        viewer = current_user._get_current_object()
        name = viewer.time_zone if isinstance(viewer, Viewer) else None
        g.time_zone = name if zone_of(name) else None
    zone: str | None = g.time_zone
    return zone


def forget_time_zone() -> None:
    """Determine the time zone again, after a log-in."""
    g.pop("time_zone", None)


def in_words(at: datetime, form: Form) -> str:
    """Write an instant by which people act as plain text."""
    utc, own = _written(_second(at), form, language(), time_zone())
    return f"{own} ({utc})" if own else utc


def closing_in_words(day: date) -> str:
    """Write the end of a UTC day as plain text."""
    return in_words(_last_second(day), Form.CLOSING)


def register(app: Flask) -> None:
    """Let templates write instants."""
    filters = {
        "closing": lambda day: _element(_last_second(day), Form.CLOSING, language(), time_zone()),
        "closing_time": lambda day: _element(
            _last_second(day), Form.TODAY, language(), time_zone()
        ),
        "utc": _filter(Form.RECORDED),
        "due": _filter(Form.DUE),
        "clock": _filter(Form.CLOCK),
        "posted": _filter(Form.POSTED),
    }
    for name, write in filters.items():
        app.add_template_filter(write, name)


def _filter(form: Form) -> Callable[[datetime], Markup]:
    return lambda at: _element(_second(at), form, language(), time_zone())


def _second(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)


def _last_second(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), UTC)


@lru_cache(REMEMBERED)
def _element(at: datetime, form: Form, code: str, zone: str | None) -> Markup:
    utc, own = _written(at, form, code, zone)
    # what has no time zone yet is told by the script
    is_known = zone or form is Form.POSTED
    how = Markup("") if is_known else Markup(' data-own="{}"').format(form)
    element = Markup('<time datetime="{}"{}>{}</time>').format(
        f"{at:%Y-%m-%dT%H:%M:%SZ}", how, utc if form is Form.RECORDED or not own else own
    )
    if own is None:
        return element
    if form is Form.RECORDED:
        return Markup("{} ({})").format(element, own)
    return Markup("{} <small>({})</small>").format(element, utc)


def _written(at: datetime, form: Form, code: str, zone: str | None) -> Written:
    if form is Form.CLOSING:
        utc = catalogue(code).gettext("23:59:59 UTC on %(day)s") % {
            "day": format_date(at.date(), DAY[code], locale=code)
        }
    elif form is Form.TODAY:
        utc = f"{at:%H:%M:%S} UTC"
    elif form is Form.CLOCK:
        utc = f"{at:%H:%M} UTC"
    else:
        utc = format_datetime(at, f"{SHORT_DAY[code]}, HH:mm:ss 'UTC'", locale=code)
    return Written(utc, None if form is Form.POSTED else _own(at, form, code, zone))


def _own(at: datetime, form: Form, code: str, zone: str | None) -> str | None:
    here = zone_of(zone)
    try:
        # a day ends at midnight, a second after the last that people are told in UTC
        local = (at + timedelta(seconds=form in ENDS)).astimezone(here or UTC)
    except OverflowError:  # the last day that there is
        return None
    if not local.utcoffset():
        return None
    if form is Form.CLOSING:
        return str(catalogue(code).gettext("%(time)s your time on %(day)s")) % {
            "time": f"{local:%H:%M}",
            "day": format_date(local.date(), DAY[code], locale=code),
        }
    patterns = {Form.DUE: f"{SHORT_DAY[code]}, HH:mm", Form.RECORDED: "EEEE HH:mm"}
    own = format_datetime(local, patterns.get(form, "HH:mm"), locale=code)
    return str(catalogue(code).gettext("%(time)s your time")) % {"time": own}
