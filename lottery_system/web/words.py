"""Formatting of days, times and numbers in the page's language."""

import re
from datetime import date, datetime, timedelta
from functools import lru_cache

from babel.dates import format_date
from babel.numbers import format_decimal
from flask import Flask
from flask_babel import gettext, ngettext
from markupsafe import Markup

from config import Settings
from lottery_system.errors import LotteryError
from lottery_system.models.claim import LAPSED_BY_ITSELF
from lottery_system.parts import parts
from lottery_system.queries.my_ballots import MySubmission
from lottery_system.web.instants import DAY, Form, in_words
from lottery_system.web.languages import language

LEAST_SHARE = 0.01
#: letters that a text in short has at most
SHORT = 150
REMEMBERED = 4096
#: between a number and what belongs to it
NO_BREAK = "\u00a0"


def long_day(day: date) -> str:
    """Write a day out, like "Sunday 22 November 2026"."""
    return _long_day(day, language())


def short_day(day: date) -> str:
    """Write a day where there is little room, like "22 Nov"."""
    return _formatted_day(day, "d MMM", language())


def month(day: date) -> str:
    """Write the month of a day, like "November 2026"."""
    return _formatted_day(day, "LLLL y", language())


def weekdays() -> list[tuple[str, str]]:
    """Return the days of a week from Monday on, each as a letter or two and in full."""
    return _weekdays(language())


def day_element(day: date) -> Markup:
    """Write a day, which is a UTC day and has no other name elsewhere, as an element."""
    return _day_element(day, language())


def number(value: int) -> str:
    """Write a number, like "30,000"."""
    return _number(value, language())


def percent(part: int, whole: int) -> str:
    """Write a chance, like "2.5 %", never as 0 or 100 if it is not."""
    if part == whole:
        return _share(100)
    share = 100 * part / whole
    if share < LEAST_SHARE:
        return str(gettext("under %(share)s", share=_share(LEAST_SHARE)))
    return _share(min(int(share * 100 + 0.5) / 100, 100 - LEAST_SHARE))


def ballots(count: int) -> str:
    """Write a number of ballots, like "1 ballot" or "12 ballots"."""
    return str(ngettext("%(count)s ballot", "%(count)s ballots", count, count=number(count)))


def numbers(submission: MySubmission) -> str:
    """Write the numbers of a submission: one, or from the first to the last."""
    first, last = submission.first_number, submission.last_number
    if first == last:
        return number(first)
    return str(gettext("%(first)s to %(last)s", first=number(first), last=number(last)))


def short(text: str) -> str:
    """Return the beginning of a text on one line, up to a word's end; all where it is short."""
    line = " ".join(text.split())
    begin = line[:SHORT]
    return line if line == begin else (begin.rpartition(" ")[0] or begin) + "…"


def paragraphs_of(text: str) -> list[str]:
    """Split a text at blank lines."""
    return re.split(r"\n(?:[^\S\n]*\n)+", text)


def translated(error: LotteryError) -> str:
    """Translate a domain error into the page's language."""
    values = {name: _written(value) for name, value in error.values.items()}
    return str(gettext(error.sentence, **values))


def why_lapsed(reason: str) -> str:
    """Translate the reason of an automatic lapse; return an organiser's reason unchanged."""
    return str(gettext(reason)) if reason in LAPSED_BY_ITSELF else reason


def register(app: Flask, settings: Settings) -> None:
    """Register these functions as template filters and globals."""
    for filter_ in (long_day, short_day, month, number, numbers, ballots, short, why_lapsed):
        app.add_template_filter(filter_)
    app.add_template_filter(day_element, "day")
    app.add_template_global(percent)
    app.add_template_global(weekdays)
    app.add_template_global(lambda: bool(parts().pause.reasons), "is_paused")
    # which it keeps for ever, and which every page says
    app.jinja_env.globals["mode"] = "operator" if settings.beacon == "off" else "beacon"


def _share(value: float) -> str:
    return _decimal(value, language()) + NO_BREAK + "%"


def _written(value: object) -> object:
    if isinstance(value, datetime):
        return in_words(value, Form.CLOCK)
    if isinstance(value, date):
        return long_day(value)
    return number(value) if isinstance(value, int) else value


@lru_cache(REMEMBERED)
def _number(value: int, code: str) -> str:
    return str(format_decimal(value, locale=code))


@lru_cache(REMEMBERED)
def _decimal(value: float, code: str) -> str:
    return str(format_decimal(value, "#,##0.##", locale=code))


@lru_cache(REMEMBERED)
def _formatted_day(day: date, pattern: str, code: str) -> str:
    return str(format_date(day, pattern, locale=code))


def _long_day(day: date, code: str) -> str:
    return _formatted_day(day, DAY[code], code)


@lru_cache
def _weekdays(code: str) -> list[tuple[str, str]]:
    monday = date(2026, 11, 23)
    week = [monday + timedelta(days=each) for each in range(7)]
    return [(_formatted_day(day, "ccccc", code), _formatted_day(day, "cccc", code)) for day in week]


@lru_cache(REMEMBERED)
def _day_element(day: date, code: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(day.isoformat(), _long_day(day, code))
