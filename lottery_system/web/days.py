"""What there is to say of a date: one of eight answers."""

from datetime import UTC, date, datetime
from enum import Enum
from typing import NamedTuple

from flask import abort
from flask_babel import gettext
from sqlalchemy import Connection

from lottery_system.clock import ONE_DAY, day_of, parse_day, utcnow
from lottery_system.fairness.beacon import time_of
from lottery_system.fairness.records import Freeze
from lottery_system.models import CLOSED, DRAWN, LOST, OPEN
from lottery_system.parts import parts
from lottery_system.queries import AnyRow
from lottery_system.queries.recoveries import recoveries


class DayState(Enum):
    """The eight answers to the question who won on a date."""

    DRAWN = "drawn"
    NOBODY_PLAYED = "nobody played"
    WAITING = "waiting"
    LOST = "lost"
    OPEN = "open"
    FUTURE = "future"
    BEFORE_FIRST = "before first"
    NO_DATE = "no date"


MISSING = frozenset({DayState.FUTURE, DayState.BEFORE_FIRST, DayState.NO_DATE})


class Neighbours(NamedTuple):
    """The days before and after one, where there is anything to see."""

    previous: date | None
    next: date | None


def day_or_404(text: str) -> date:
    """Read the day of an address, or answer how one is written."""
    day = parse_day(text)
    if day is None:
        abort(404, gettext("“%(text)s” isn’t a date. Enter it like 2026-12-31.", text=text))
    return day


def state_of(day: date, draw: AnyRow | None, first: date | None) -> DayState:
    """Tell which answer holds for a day, given its draw and the first day of all."""
    today = day_of(utcnow())
    if draw is not None and draw.status != OPEN:  # also where a clock was set back since
        drawn = DayState.DRAWN if draw.ballot_count else DayState.NOBODY_PLAYED
        return {DRAWN: drawn, CLOSED: DayState.WAITING, LOST: DayState.LOST}[draw.status]
    if day > today:
        return DayState.FUTURE
    if day == today:
        return DayState.OPEN
    if first is None or day < first:
        return DayState.BEFORE_FIRST
    return DayState.WAITING


class RecoveryNote(NamedTuple):
    """What the statement of a recovery says of a day."""

    timeline: int
    time: datetime
    #: whether its result was lost
    is_day_lost: bool
    #: how many of its ballots were
    lost_count: int
    #: whether another result of it may have been published
    is_in_doubt: bool


def recovery_notes(connection: Connection, draw: AnyRow | None) -> list[RecoveryNote]:
    """Return what is to be said of a day where this lottery was recovered."""
    if draw is None or draw.recovered is None:
        return []
    notes = []
    for timeline, statement in recoveries(connection):
        lost = sum(each.signed - each.left for each in statement.ballots if each.day == draw.day)
        is_before = draw.day < statement.first
        is_lost = draw.status == LOST and is_before
        if lost or is_lost or (is_before and draw.status == DRAWN):
            in_doubt = is_before and not statement.kept
            notes.append(RecoveryNote(timeline, statement.time, is_lost, lost, in_doubt))
        if is_lost:
            break  # what is lost cannot be lost again
    return notes


def neighbours(day: date | None, first: date | None, state: DayState) -> Neighbours:
    """Return the days that a page of a day leads to."""
    if day is None or state in MISSING:
        return Neighbours(None, None)
    previous = day - ONE_DAY if first is not None and day > first else None
    return Neighbours(previous, day + ONE_DAY if day < day_of(utcnow()) else None)


def beacon_time(freeze: Freeze | None) -> datetime | None:
    """Return when the beacon's round of a day is signed; None where it has none, or not yet."""
    if freeze is None or freeze.round is None:
        return None
    chain = parts().keyring.operator().chain
    return datetime.fromtimestamp(time_of(chain, freeze.round), UTC) if chain else None
