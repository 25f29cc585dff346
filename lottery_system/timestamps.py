"""Timestamps: has each closing's checkpoint stamped by calendars, and their promises completed.

In a thread of its own, so that neither ticks nor draws wait for a calendar. One that is down, slow
or lying is told of in the log, once, and asked less often; nothing else follows from it.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from lottery_system import timestamp_client
from lottery_system.extensions import reading, transaction
from lottery_system.models import Timestamp
from lottery_system.queries.timestamps import Stamped, newest_stamped
from lottery_system.timestamp_client import Heard, Question, calendar_of

log = logging.getLogger(__name__)

#: between two questions whether a block has come; most come within some hours
BETWEEN = timedelta(hours=1)
#: before a calendar that failed is asked again; twice as long each time, up to `BETWEEN`
FIRST_WAIT = timedelta(minutes=1)
#: questions to a calendar at once, those about the newest days first
AT_ONCE = 8


class Timestamps:
    """The calendars of the settings, as one process knows them.

    Args:
        urls: of the calendars; where there are none, nothing is asked.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._calendars = [_Calendar(url) for url in urls]

    def look(self, now: datetime) -> None:
        """Ask for what is missing and due; outside of any transaction."""
        if not self._calendars:
            return
        with reading() as connection:
            stored = newest_stamped(connection)
        asked = [
            (calendar, stamped, question)
            for calendar in self._calendars
            for stamped, question in calendar.due(stored, now)
        ]
        answers = timestamp_client.ask(
            [question for _, _, question in asked], timestamp_client.PATIENCE
        )
        heard: dict[_Calendar, list[Heard]] = {}
        for (calendar, _, _), answer in zip(asked, answers, strict=True):
            heard.setdefault(calendar, []).append(answer)
        try:
            _store(asked, answers)
        except SQLAlchemyError:
            for calendar in heard:
                calendar.put_off(now)
            raise
        for calendar, its_answers in heard.items():
            calendar.remember(its_answers, now)


class _Calendar:
    """One calendar: what it is still to be asked, and when."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.name = calendar_of(url)
        self._asked_at: datetime | None = None
        self._failed_at: datetime | None = None
        #: from then on, until it is asked again
        self._wait = timedelta(0)
        #: what the log was last told of it
        self._told: str | None = None

    def due(self, stored: Sequence[Stamped], now: datetime) -> list[tuple[Stamped, Question]]:
        """Return what to ask it now."""
        if _is_within(self._failed_at, now, self._wait):
            return []
        is_time = not _is_within(self._asked_at, now, BETWEEN)
        self._asked_at = now if is_time else self._asked_at
        completions = self._completions(stored) if is_time else ()
        return [*self._stamps(stored), *completions][:AT_ONCE]

    def remember(self, answers: Sequence[Heard], now: datetime) -> None:
        """Note whether it answers, and tell the log where that has changed."""
        reason = next((answer.reason for answer in answers if answer.reason is not None), None)
        if reason is None:
            self._failed_at, self._wait = None, timedelta(0)
        else:
            self.put_off(now)
        if reason == self._told:
            return
        if reason is None:
            log.info("timestamp: %s: it answers again", self.name)
        else:
            log.warning("timestamp: %s: %s", self.name, reason)
        self._told = reason

    def put_off(self, now: datetime) -> None:
        """Ask it less often: it failed, or what it answered could not be stored."""
        self._failed_at, self._wait = now, min(2 * self._wait or FIRST_WAIT, BETWEEN)
        self._asked_at = None  # the wait alone says when what it promised is asked for again

    def _stamps(self, stored: Sequence[Stamped]) -> Iterator[tuple[Stamped, Question]]:
        for stamped in stored:
            if self.name not in stamped.proofs:
                yield stamped, Question(self._url, stamped.digest)

    def _completions(self, stored: Sequence[Stamped]) -> Iterator[tuple[Stamped, Question]]:
        for stamped in stored:
            stored_proof = stamped.proofs.get(self.name)
            if stored_proof is not None and not stored_proof.is_complete:
                promise = stamped.paths_by(self.name)[0]
                yield stamped, Question(self._url, stamped.digest, promise)


def _store(asked: Sequence[tuple[_Calendar, Stamped, Question]], answers: Sequence[Heard]) -> None:
    if not any(answer.proof for answer in answers):
        return
    with transaction() as session:
        for (calendar, of, _), answer in zip(asked, answers, strict=True):
            if answer.proof:
                Timestamp.keep(
                    session.connection(), of.timeline, of.number, calendar.name, answer.proof
                )


def _is_within(before: datetime | None, now: datetime, span: timedelta) -> bool:
    """Return whether something was less than so long ago; not if the clock went back since."""
    return before is not None and timedelta(0) <= now - before < span
