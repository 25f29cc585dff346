"""How days, instants and numbers are written out."""

from datetime import UTC, date, datetime

from flask import Flask
from markupsafe import Markup

from config import Settings
from lottery_system.queries import AnyRow

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
LEAST_SHARE = 0.01
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def long_day(day: date) -> str:
    """Write a day out, like "Sunday 22 November 2026"."""
    return f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]} {day.year}"


def instant(at: datetime) -> str:
    """Write an instant, like "22 November 2026, 14:46:08 UTC"."""
    at = at.astimezone(UTC)
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}, {at:%H:%M:%S} UTC"


def day_element(day: date) -> Markup:
    """Write a day, which is a UTC day and has no other name elsewhere, as an element."""
    return Markup(f'<time datetime="{day.isoformat()}">{long_day(day)}</time>')  # noqa: S704


def instant_element(at: datetime) -> Markup:
    """Write an instant as an element; the script writes the reader's own time beside it."""
    return Markup(f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{instant(at)}</time>')  # noqa: S704


def number(value: int) -> str:
    """Write a number, like "30,000"."""
    return f"{value:,}"


def percent(part: int, whole: int) -> str:
    """Write a chance, like "2.5 %", never as 0 or 100 where it is not."""
    if part == whole:
        return "100 %"
    share = 100 * part / whole
    if share < LEAST_SHARE:
        return f"under {LEAST_SHARE} %"
    return f"{min(share, 100 - LEAST_SHARE):.2f}".rstrip("0").rstrip(".") + " %"


def ballots(count: int) -> str:
    """Write a number of ballots, like "1 ballot" or "12 ballots"."""
    return "1 ballot" if count == 1 else f"{count:,} ballots"


def numbers(submission: AnyRow) -> str:
    """Write the numbers of a submission: one, or from the first to the last."""
    first, last = submission.first_number, submission.last_number
    return number(first) if first == last else f"{number(first)} to {number(last)}"


def register(app: Flask, settings: Settings) -> None:
    """Give these, and the lottery's name, to the templates."""
    for filter_ in (long_day, number, numbers, ballots):
        app.add_template_filter(filter_)
    app.add_template_filter(day_element, "day")
    app.add_template_filter(instant_element, "utc")
    app.add_template_global(percent)
    app.jinja_env.globals["lottery_name"] = settings.name
    # which it keeps for ever, and which every page says
    app.jinja_env.globals["mode"] = "operator" if settings.beacon == "off" else "beacon"
