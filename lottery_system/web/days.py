"""Status text of a date: one of eight answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import NamedTuple

from flask import Flask, abort
from flask_babel import gettext
from sqlalchemy import Connection

from lottery_system.clock import ONE_DAY, day_of, parse_day
from lottery_system.fairness.beacon import time_of
from lottery_system.fairness.records import Freeze, parse_freeze
from lottery_system.models import CLOSED, DRAWN, LOST, OPEN, DrawStatus
from lottery_system.models.claim_event import LAPSED
from lottery_system.parts import parts
from lottery_system.queries.claims import WAITING
from lottery_system.queries.day import DrawOfDay, PlaceTaken, first_day, look_up
from lottery_system.queries.logs import freeze_of
from lottery_system.queries.recoveries import recoveries
from lottery_system.queries.waiting_draw import waiting_draw


class DayState(Enum):
    """The eight states of a day on result pages."""

    DRAWN = "drawn"
    NOBODY_PLAYED = "nobody played"
    WAITING = "waiting"
    LOST = "lost"
    OPEN = "open"
    FUTURE = "future"
    BEFORE_FIRST = "before first"
    NO_DATE = "no date"


MISSING = frozenset({DayState.FUTURE, DayState.BEFORE_FIRST, DayState.NO_DATE})


def register(app: Flask) -> None:
    """Let the templates compare what a draw stands at, and a day's answer."""
    app.jinja_env.globals["DrawStatus"] = DrawStatus
    app.jinja_env.globals["DayState"] = DayState


def day_or_404(text: str) -> date:
    """Read the day of an address, or answer how one is written."""
    day = parse_day(text)
    if day is None:
        abort(404, gettext("“%(text)s” isn’t a date. Enter it like 2026-12-31.", text=text))
    return day


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
    #: whether nothing at all was lost: the keys were replaced
    is_replacement: bool


@dataclass(frozen=True)
class DayPage:
    """What the pages of a day show of it, all of one instant."""

    #: None where what was asked for is no date
    day: date | None
    #: the day of that instant
    today: date
    state: DayState
    draw: DrawOfDay | None = None
    winners: Sequence[PlaceTaken] = ()
    #: the day on which the days begin
    first: date | None = None
    notes: Sequence[RecoveryNote] = ()

    @property
    def is_missing(self) -> bool:
        """Tell whether there is nothing at the day's address, or not yet."""
        return self.state in MISSING

    @property
    def holder(self) -> PlaceTaken | None:
        """Return whose the day's prize is now; None where it is nobody's."""
        return holder_of(self.winners)

    @property
    def yesterday(self) -> date:
        """Return the day before that of the instant."""
        return self.today - ONE_DAY

    @property
    def previous(self) -> date | None:
        """Return the day before, where there is anything to see."""
        if self.day is None or self.is_missing or self.first is None or self.day <= self.first:
            return None
        return self.day - ONE_DAY

    @property
    def next(self) -> date | None:
        """Return the day after, where there is anything to see."""
        if self.day is None or self.is_missing or self.day >= self.today:
            return None
        return self.day + ONE_DAY


def holder_of(winners: Sequence[PlaceTaken]) -> PlaceTaken | None:
    """Return who has a day's prize or may claim it: the winner, or a reserve it was passed on to.

    None where nobody won, and where it lapsed and no reserve has it, or not yet.

    Args:
        winners: of one day, by place.
    """
    if winners and winners[0].state != LAPSED:
        return winners[0]
    is_over = (None, LAPSED, WAITING)
    return next((each for each in winners if each.state not in is_over), None)


def day_page(connection: Connection, day: date, now: datetime, user_id: int | None) -> DayPage:
    """Look a day up, for whoever asks at an instant."""
    draw, winners = look_up(connection, day, user_id)
    first = draw.first if draw else first_day(connection)
    today = day_of(now)
    return DayPage(
        day=day,
        today=today,
        state=_state_of(day, today, draw, first),
        draw=draw,
        winners=winners,
        first=first,
        notes=_recovery_notes(connection, draw),
    )


class DrawBeingMade(NamedTuple):
    """A draw that people wait for after midnight."""

    day: date
    #: how many of its ballots are the asker's
    mine: int
    #: when the beacon's round is signed; None where it needs none, or not closed yet
    due: datetime | None
    #: whether that time has passed
    is_late: bool


def draw_being_made(
    connection: Connection, now: datetime, latest_drawn: date | None, user_id: int | None
) -> DrawBeingMade | None:
    """Return the draw of the latest day that is over, while it is not made.

    Args:
        latest_drawn: a day whose draw has been made, the latest one that is known. If that is
            yesterday, nothing is read.
    """
    today = day_of(now)
    if latest_drawn and latest_drawn >= today - ONE_DAY:
        return None
    waiting = waiting_draw(connection, today, user_id)
    if waiting is None:
        return None
    frozen = freeze_of(connection, waiting.day)
    due = beacon_time(parse_freeze(frozen.record), connection) if frozen else None
    return DrawBeingMade(waiting.day, waiting.mine, due, due is not None and due <= now)


def beacon_time(freeze: Freeze | None, connection: Connection | None = None) -> datetime | None:
    """Return when the beacon's round of a day is signed; None where it has none, or not yet.

    Args:
        connection: that the caller holds, if any.
    """
    if freeze is None or freeze.round is None:
        return None
    chain = parts().keyring.chain(connection)
    return datetime.fromtimestamp(time_of(chain, freeze.round), UTC) if chain else None


def _state_of(day: date, today: date, draw: DrawOfDay | None, first: date | None) -> DayState:
    """Tell which answer holds for a day, given its draw and the first day of all."""
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


def _recovery_notes(connection: Connection, draw: DrawOfDay | None) -> list[RecoveryNote]:
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
            notes.append(
                RecoveryNote(
                    timeline, statement.time, is_lost, lost, in_doubt, not statement.is_loss
                )
            )
        if is_lost:
            break  # what is lost cannot be lost again
    return notes
