"""Closing check: what must hold before a day is closed, beyond its midnight on this host's clock.

A closed day stays closed. So in doubt it stays open, and the following days with it, until the
doubt is gone; ballots go on. The check runs before the closing transaction and never within it,
since it also asks the relays of the beacon.

A lying relay can neither close a day early nor get a round reused, since only rounds with the
network's signature count, and a signed round proves that its time has come. Relays can withhold
their newest rounds. If all relays that answer do, this host's clock seems to be ahead, and closing
waits for a day at most. One honest relay is enough, since the newest round of all counts. A relay
that does not answer blocks nothing.

Where no relay answers in time, this host's clock alone says whether a round may be out, and it may
be behind by the tolerance. So no freeze is committed within that of its round's time, however long
it took to write: the day waits, at most for as long, and takes a later round. With a gap below
twice the tolerance it is half of the gap, or no day could be closed; then a clock that is further
behind is not noticed without relays. Such gaps are not refused, since a lottery's is fixed in its
genesis.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config import Settings
from lottery_system import drand
from lottery_system.clock import ONE_DAY, closes_at, day_of
from lottery_system.clock_check import ClockCheck, span, stamp
from lottery_system.fairness.beacon import ChainInfo, due_time, round_at, time_of
from lottery_system.metrics import BEACON_FAILURES, CLOCK_SKEW
from lottery_system.models import Draw, LogKeys, Submission

log = logging.getLogger(__name__)

#: missed days that are closed without confirmation; more need a person who has checked the clock
MOST_MISSED = 31
#: seconds by which an honest relay's newest round may be old: they remember their answers
RELAY_DELAY = 60
#: seconds for which relays that are all behind this host's clock hold closing
RELAY_PATIENCE = 86_400

#: asks all relays which round is the newest, and for some rounds; None if none has answered
FetchNewest = Callable[[Sequence[str], ChainInfo, Collection[int]], int | None]


class ClosingCheck:
    """Whether days may be closed now, and if not, why.

    Args:
        settings: of the application.
        clock_check: of the process.
        is_confirmed: a person has confirmed the number of missed days.
    """

    def __init__(
        self,
        settings: Settings,
        clock_check: ClockCheck,
        *,
        is_confirmed: bool = False,
        fetch_newest: FetchNewest = drand.fetch_newest,
    ) -> None:
        self._settings = settings
        self._clock_check = clock_check
        self._is_confirmed = is_confirmed
        self._fetch_newest = fetch_newest
        #: the monotonic clock, when all relays that answered were first found behind
        self._relays_behind_since: float | None = None
        #: why days that are over are not closed; None if nothing holds them
        self.held: str | None = None

    def may_close(
        self, session: Session, days: Sequence[date], now: datetime, log_keys: LogKeys
    ) -> bool:
        """Return whether days that are over by this host's clock may be closed.

        Args:
            session: without a transaction begun.
            days: at least one, the oldest first.
        """
        reason = self._missed(days, now)
        if reason is None and self._clock_check.tolerance is not None:
            reason = self._future_row(session, now)
            if reason is None and log_keys.chain is not None:
                reason = self._beacon(days, now, log_keys.chain)
        return not self._hold(reason)

    def is_in_time(self, day: date, now: datetime, log_keys: LogKeys) -> bool:
        """Return whether a freeze may still be committed: nobody can know its round by now.

        Args:
            now: as it stands in the freeze.
        """
        if self._clock_check.tolerance is None or log_keys.chain is None:
            return True
        number = self._round(day, now, log_keys.chain)
        return not self._hold(self._is_out(day, number, log_keys.chain))

    def _hold(self, reason: str | None) -> bool:
        if reason is not None and reason != self.held:
            log.error("no day is closed: %s", reason)
        self.held = reason
        return reason is not None

    def _missed(self, days: Sequence[date], now: datetime) -> str | None:
        if len(days) <= MOST_MISSED or self._is_confirmed:
            return None
        return (
            f"{len(days):,} days are over and not closed, {days[0]} to {days[-1]}. Up to "
            f"{MOST_MISSED} are made up without asking. If today is {day_of(now)}, run "
            "`flask --app lottery_system draw run --confirm`; else set this host's clock."
        )

    def _future_row(self, session: Session, now: datetime) -> str | None:
        """Find a close or ballot in the future: either its clock was wrong, or this one is."""
        today = day_of(now)
        with session.begin():
            instants = {"close": session.scalar(select(func.max(Draw.closed_at)))}
            for day in (today, today + ONE_DAY):
                instants[f"ballot of {day}"] = session.scalar(
                    select(Submission.submitted_at)
                    .where(Submission.day == day)
                    .order_by(Submission.first_number.desc())
                    .limit(1)
                )
        for name, instant in instants.items():
            if instant is not None and self._is_later(instant, now):
                return (
                    f"The last {name} is of {stamp(instant)}, to which this host's clock has not "
                    "come. Set it if it is wrong; if it is right, the one that stamped this was "
                    "not, and docs/operating.md, Clocks, says what to do."
                )
        return None

    def _is_later(self, instant: datetime, now: datetime) -> bool:
        assert self._clock_check.tolerance is not None
        return (instant - now).total_seconds() > self._clock_check.tolerance

    def _beacon(self, days: Sequence[date], now: datetime, chain: ChainInfo) -> str | None:
        rounds = {self._round(day, now, chain): day for day in days}
        first = min(rounds)
        newest = self._fetch_newest(self._settings.beacon_urls, chain, [first])
        if newest is None:
            BEACON_FAILURES.inc()
            return self._is_out(rounds[first], first, chain)
        signed_at = time_of(chain, newest)
        CLOCK_SKEW.labels("beacon").set(now.timestamp() - signed_at)
        return (
            self._clock_check.witness(signed_at)
            or self._is_out(rounds[first], first, chain)
            or self._ahead(signed_at, now)
        )

    def _is_out(self, day: date, number: int, chain: ChainInfo) -> str | None:
        if self._clock_check.latest_now() + self._margin < time_of(chain, number):
            return None
        return (
            f"Round {number} of the beacon, which the draw of {day} would take, is out or may be. "
            "The day takes a later one once this host's clock has come to that; set it if it is "
            "wrong."
        )

    @property
    def _margin(self) -> float:
        """Return the seconds by which this host's clock may be behind and nothing else tells.

        Half of the gap at most, or a day with a small gap would never be closed.
        """
        assert self._clock_check.tolerance is not None
        return min(self._clock_check.tolerance, self._settings.beacon_gap / 2)

    def _ahead(self, signed_at: int, now: datetime) -> str | None:
        assert self._clock_check.tolerance is not None
        ahead = now.timestamp() - signed_at
        if ahead <= self._clock_check.tolerance + RELAY_DELAY:
            self._relays_behind_since = None
            return None
        at = self._clock_check.steady()
        if self._relays_behind_since is None:
            self._relays_behind_since = at
        if at - self._relays_behind_since >= RELAY_PATIENCE:
            log.warning("beacon: all relays have been behind for a day; closing by our own clock")
            return None
        return (
            f"The beacon's newest round is of {stamp(datetime.fromtimestamp(signed_at, UTC))}, "
            f"{span(ahead)} behind this host's clock. Set the clock if it is wrong; else name a "
            "relay that keeps up in LOTTERY_BEACON_URLS."
        )

    def _round(self, day: date, now: datetime, chain: ChainInfo) -> int:
        """Return the round that a day would take, frozen now."""
        frozen = now.replace(microsecond=0)
        return round_at(chain, due_time(closes_at(day), frozen, self._settings.beacon_gap))
