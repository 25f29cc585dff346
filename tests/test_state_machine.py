"""Property-based test: after any sequence of events the store matches the answers.

Hypothesis generates days on two hosts of one database, whose clocks may differ. Ballots arrive one
by one and many at once, also repeated and with somebody else's token; days close, on both hosts and
halfway; prizes are claimed, handed over and lapse, and reserves move up; transactions fail at any
step. After each step the store is compared with a small model that knows nothing of locks, rows and
statements.

The default examples are few and always the same. `EXAMPLES=5000 pytest tests/test_state_machine.py`
generates new ones, as `make faults` does, and prints how to repeat a failure.
"""

import os
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, Row, create_engine, event, make_url, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from lottery_system import claims
from lottery_system.ballot_box import BallotBox, Waiting
from lottery_system.clock import ONE_DAY, closes_at, day_of, starts_at
from lottery_system.draws import run_due
from lottery_system.errors import (
    AllPrizesWon,
    AlreadyClaimed,
    AlreadyHandedOver,
    AlreadyLapsed,
    ClaimOver,
    LastPrizeUndecided,
    LastPrizeWaits,
    LotteryError,
    LotteryFinished,
    NoPrize,
    NotAdmitted,
    NotClaimed,
    NotYourPrize,
    TokenTaken,
    TooEarly,
    TooManyADay,
    UnknownLottery,
)
from lottery_system.fairness.selection import winning_ballots
from lottery_system.models import (
    CLOSED,
    DRAWN,
    OPEN,
    AskedBallots,
    Ballot,
    ClaimEvent,
    Draw,
    GrantedBallots,
    Holding,
    Limits,
    Lottery,
    Submission,
    User,
    Winner,
)
from lottery_system.models.claim import claim, hand_over, lapse
from lottery_system.models.claim_event import CLAIMED, HANDED_OVER, LAPSED, OFFERED
from lottery_system.models.lottery import BadOpening, ClosesInThePast
from lottery_system.models.lottery_edit import NoPrizeLeft, TooFewPrizes, edit_lottery
from lottery_system.runtime import database
from tests.conftest import FIRST_DAY, FIRST_NOON, empty
from tests.stand_ins.audit import audit, receipt
from tests.stand_ins.log_keys import LOG_KEYS, begin

EXAMPLES = "EXAMPLES"
#: with which the few examples meet all that is expected; names of tests do not change them
SEED = 37
SETTINGS = settings(
    max_examples=int(os.environ.get(EXAMPLES, "32")),
    stateful_step_count=30,
    derandomize=EXAMPLES not in os.environ,
    print_blob=True,
    report_multiple_bugs=False,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

USERS = (1, 2, 3)
#: breaks the transaction that it shares with others
NOBODY = 99
#: lotteries, and for how many days after the first they are open
LOTTERIES = {1: 0, 2: 2, 3: 60, 4: 60, 5: 60}
#: ballots of a person a day in one of them, and prizes of another at first
FEW, MOST_A_DAY = 4, 6
RARE, WINNABLE = 5, 1
#: days on which a prize can be claimed
CLAIM_DAYS = 20
NO_LOTTERY = 99
#: so few that they come again, and that two come at once
TOKENS = 40
#: more steps than a call takes break nothing
STEPS = 14
#: the step that comes when the first transaction is stored
AFTER_COMMIT = -1

INSTANT = timedelta(microseconds=1)
SPANS = (INSTANT, timedelta(hours=5), timedelta(hours=11), ONE_DAY, 3 * ONE_DAY)
#: before the first day, most of the time
FAR_BACK = -20 * ONE_DAY

#: what days must have met with, lest they prove nothing
EXPECTED = {
    "receipt",
    "receipt of before",
    "TokenTaken",
    "LotteryFinished",
    "TooManyADay",
    "LastPrizeUndecided",
    "all prizes won",
    "UnknownLottery",
    "NotAdmitted",
    "lost",
    "stored but not answered",
    "extended",
    "days half ended",
    "ended by both",
    "closed out of turn",
    "drawn out of turn",
    "drawn with ballots",
    "drawn without",
    "audited",
    "claimed",
    "claimed too late",
    "claimed by another",
    "handed over",
    "lapsed by hand",
    "lapsed unclaimed",
    "moved up",
    "limit refused",
    "limit changed",
}


#: by day and place, and then by kind
Claims = dict[tuple[date, int], dict[str, Row[Any]]]


class Click(NamedTuple):
    """What a browser sends."""

    token: UUID
    user_id: int
    lottery_id: int
    ballot_count: int


class Receipt(NamedTuple):
    """What is promised once and for ever."""

    user_id: int
    lottery_id: int
    day: date
    first_number: int
    ballot_count: int
    submitted_at: datetime


Answer = Receipt | type[LotteryError]


class Model:
    """What must be so."""

    def __init__(self) -> None:
        self.closes_on = {number: FIRST_DAY + days * ONE_DAY for number, days in LOTTERIES.items()}
        self.winnable = WINNABLE
        #: which ballots took which places, and what happened to their prizes
        self.winners: dict[date, list[tuple[int, int]]] = {}
        self.claims: Claims = {}
        self.receipts: dict[UUID, Receipt] = {}
        #: each day's ballots in the order of their numbers: whose, for what, and when
        self.ballots: defaultdict[date, list[tuple[int, int, datetime]]] = defaultdict(list)
        #: the days that take no more ballots, and those of them that are drawn
        self.over: set[date] = set()
        self.drawn: set[date] = set()

    def admit(self, click: Click, now: datetime) -> Answer:
        day = max(day_of(now), FIRST_DAY)
        while day in self.over:
            day += ONE_DAY
        earlier = self.receipts.get(click.token)
        if earlier:
            return earlier if earlier.user_id == click.user_id else TokenTaken
        if refusal := self._refusal(click, day):
            return refusal
        at, ballots = max(now, starts_at(day)), self.ballots[day]
        whose, count = (click.user_id, click.lottery_id), click.ballot_count
        self.receipts[click.token] = Receipt(*whose, day, len(ballots) + 1, count, at)
        ballots.extend([(*whose, at)] * count)
        return self.receipts[click.token]

    def _refusal(self, click: Click, day: date) -> type[LotteryError] | None:
        refusal: type[LotteryError] | None = NotAdmitted if click.user_id == NOBODY else None
        held = [each[:2] for each in self.ballots.get(day, [])].count((click.user_id, FEW))
        if click.lottery_id not in self.closes_on:
            refusal = UnknownLottery
        elif day > self.closes_on[click.lottery_id]:
            refusal = LotteryFinished
        elif click.lottery_id == RARE and self.won + self.pending(day) >= self.winnable:
            refusal = LastPrizeUndecided if self.undrawn(day) else LastPrizeWaits
            refusal = AllPrizesWon if self.won >= self.winnable else refusal
        elif click.lottery_id == FEW and held + click.ballot_count > MOST_A_DAY:
            refusal = TooManyADay
        return refusal

    def lottery_of(self, day: date, place: int) -> int:
        return self.ballots[day][dict(self.winners[day])[place] - 1][1]

    def holder_of(self, day: date, place: int) -> int:
        return self.ballots[day][dict(self.winners[day])[place] - 1][0]

    def is_rare(self, day: date) -> bool:
        return any(lottery_id == RARE for _, lottery_id, _ in self.ballots.get(day, []))

    @property
    def won(self) -> int:
        """Return how many places hold the prize of which there are only so many."""
        return sum(
            LAPSED not in events and self.lottery_of(*place) == RARE
            for place, events in self.claims.items()
        )

    def undrawn(self, day: date) -> list[date]:
        """Return the days before one whose draws may win that prize."""
        days = [FIRST_DAY + step * ONE_DAY for step in range((day - FIRST_DAY).days)]
        return [
            each for each in days
            if each not in self.drawn and (each not in self.over or self.is_rare(each))
        ]  # fmt: skip

    def waiting(self) -> list[tuple[date, int]]:
        """Return the reserves whose turn it is and who wait."""
        return [
            (day, place)
            for day, of_day in self.winners.items()
            for place, _ in of_day
            if (day, place) not in self.claims and LAPSED in self.claims.get((day, place - 1), {})
        ]

    def pending(self, day: date) -> int:
        return len(self.undrawn(day)) + sum(
            self.lottery_of(*place) == RARE for place in self.waiting()
        )

    def bound(self, days: set[date]) -> int:
        """Return how many prizes the lottery must have, by what is in and won already."""
        latest = max(days - self.over, default=max(days) + ONE_DAY)
        return self.won + self.pending(latest) + self.is_rare(latest)


class Box(BallotBox):
    """A ballot box whose loop can be run in the thread that asks: what waits is known then."""

    def admit_together(self, submissions: Sequence[AskedBallots]) -> list[Future[GrantedBallots]]:
        waiting = [Waiting(submission, Future()) for submission in submissions]
        for each in waiting:
            self._queue.put(each.submission.user_id, each, each.submission.ballot_count)
        self._queue.end()
        self._admit_all()
        return [each.answer for each in waiting]


def in_turns(batch: Sequence[Click]) -> list[Click]:
    """Return clicks in the order in which a box takes them: of each user in turn."""
    users = [click.user_id for click in batch]
    return [
        click
        for _, _, click in sorted(
            (users[:at].count(click.user_id), users.index(click.user_id), click)
            for at, click in enumerate(batch)
        )
    ]


class Broken(OperationalError):
    """The connection to the database is gone."""


class Break:
    """Within this block one step of a host fails: a statement, or a commit before or after it.

    After its commit a transaction is stored although whoever began it sees it fail.
    """

    def __init__(self, engine: Engine, step: int | None) -> None:
        self._engine = engine
        self._step = step
        self._steps_done = 0
        self._committing = patch.object(engine.dialect, "do_commit", self._commit)
        self._do_commit = engine.dialect.do_commit
        self.has_come = False
        self.came_after_commit = False

    def __enter__(self) -> "Break":
        event.listen(self._engine, "before_cursor_execute", self._take_step)
        self._committing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> bool:
        self._committing.stop()
        event.remove(self._engine, "before_cursor_execute", self._take_step)
        return kind is Broken

    def _take_step(self, *_: object) -> None:
        if self._step == self._steps_done and not self.has_come:
            self._break()
        self._steps_done += 1

    def _commit(self, connection: Any) -> None:
        self._take_step()
        self._do_commit(connection)
        if self._step in (AFTER_COMMIT, self._steps_done) and not self.has_come:
            self.came_after_commit = True
            self._break()

    def _break(self) -> None:
        self.has_come = True
        raise Broken("", None, Exception("gone"))


@contextmanager
def before_transaction(engine: Engine, number: int, deed: Callable[[], None]) -> Iterator[None]:
    """Do something when a host is about to begin a transaction, counted from 0."""
    begun = 0

    def begin(*_: object) -> None:
        nonlocal begun
        begun += 1
        if begun == number + 1:
            deed()

    event.listen(engine, "checkout", begin)  # "begin" would come when SQLite's lock is held
    try:
        yield
    finally:
        event.remove(engine, "checkout", begin)


class Store(NamedTuple):
    """All that the database holds."""

    draws: Sequence[Row[Any]]
    receipts: dict[UUID, Receipt]
    ballots: dict[date, list[tuple[int, int, int, datetime]]]
    holdings: dict[tuple[date, int, int], int]
    winners: dict[date, list[tuple[int, int]]]
    claims: Claims
    #: by lottery: its last day, and how often its prize can be won
    lotteries: dict[int, tuple[date, int | None]]

    @classmethod
    def read(cls, engine: Engine) -> "Store":
        with engine.connect() as connection:
            draws, submissions, ballots, holdings, winners, events, lotteries = (
                connection.execute(select(model.__table__).order_by(*model.__table__.primary_key))
                for model in (Draw, Submission, Ballot, Holding, Winner, ClaimEvent, Lottery)
            )
            claims: Claims = defaultdict(dict)
            for row in events:
                claims[row.day, row.place][row.kind] = row
            return cls(
                draws.all(),
                {row.token: a_receipt(row) for row in submissions},
                by_day((row.day, (row.number, *whose(row), row.submitted_at)) for row in ballots),
                {(row.day, *whose(row)): row.ballot_count for row in holdings},
                by_day((row.day, (row.place, row.number)) for row in winners),
                dict(claims),
                {row.id: (row.closes_on, row.winnable) for row in lotteries},
            )

    def days(self, *statuses: str) -> set[date]:
        return {draw.day for draw in self.draws if draw.status in statuses}


T = TypeVar("T")


def by_day(rows: Iterable[tuple[date, T]]) -> dict[date, list[T]]:
    return {
        day: [row for _, row in of_day] for day, of_day in groupby(rows, key=lambda row: row[0])
    }


def whose(row: Any) -> tuple[int, int]:
    return row.user_id, row.lottery_id


def a_receipt(row: Any) -> Receipt:
    return Receipt(*(getattr(row, field) for field in Receipt._fields))


class Host:
    """One of the machines that serve the lottery, with the clock that it believes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now = FIRST_NOON
        #: what this host was set to draw
        self.places = 1
        self.box = Box(engine, utcnow=lambda: self.now)

    @property
    def today(self) -> date:
        return day_of(self.now)


hosts = st.sampled_from([0, 1])
spans = st.sampled_from(SPANS)
steps = st.just(AFTER_COMMIT) | st.integers(0, STEPS)
clicks = st.builds(
    Click,
    st.integers(1, TOKENS).map(lambda number: UUID(int=number)),
    st.sampled_from([*USERS, *USERS, *USERS, NOBODY]),
    st.sampled_from([1, 2, 3, 3, FEW, FEW, RARE, RARE, RARE, NO_LOTTERY]),
    st.integers(1, 9),
)
batches = st.lists(clicks, min_size=1, max_size=4)
#: what a hand makes of which of the days that are not drawn
moves = st.tuples(st.sampled_from([CLOSED, DRAWN]), st.integers(0, 4))


#: what is done about the prize of which place, and by whom; 0 is whoever won it
deeds = st.tuples(
    st.sampled_from([CLAIMED, CLAIMED, HANDED_OVER, HANDED_OVER, LAPSED]),
    st.integers(0, 3),
    st.sampled_from([0, 0, 0, *USERS]),
)


class LotteryMachine(RuleBasedStateMachine):
    """Two hosts of one lottery, the model beside them, and what may happen."""

    def __init__(self, engines: Sequence[Engine], met: Counter[str]) -> None:
        super().__init__()
        #: how often what was met
        self.met = met
        *of_hosts, self.observer = engines
        self.hosts = [Host(engine) for engine in of_hosts]
        self.model = Model()
        #: the days that some call said it drew
        self.claimed: set[date] = set()
        #: what was fixed when a day was seen closed, and its outcome when it was seen drawn
        self.fixed: dict[date, tuple[object, ...]] = {}
        self.outcomes: dict[date, tuple[object, ...]] = {}
        self.last_day = FIRST_DAY

    @initialize(places=st.sampled_from([1, 3]), by_ballot=st.booleans())
    def the_first_day_begins(self, places: int, by_ballot: bool) -> None:
        users = [User.sign_up(f"player{number}", "", FIRST_NOON) for number in USERS]
        lotteries = [
            Lottery.create(f"Lottery {number}", "", closes_on, FIRST_NOON)
            for number, closes_on in self.model.closes_on.items()
        ]
        with Session(self.observer) as session, session.begin():
            for number, user in zip(USERS, users, strict=True):
                user.id = number
            for number, lottery in zip(LOTTERIES, lotteries, strict=True):
                lottery.id = number
                lottery.most_a_day = MOST_A_DAY if number == FEW else None
                lottery.winnable = WINNABLE if number == RARE else None
            session.add_all([*users, *lotteries])
        self.hosts[1].places = places
        if by_ballot:
            self._submit(self.hosts[0], [Click(UUID(int=1), 1, 1, 1)])
        with Session(self.observer) as session:
            begin(session, FIRST_NOON)
        if not by_ballot:
            self._end_days(self.hosts[0])

    # What may happen

    @rule(host=hosts, batch=batches)
    def ballots_come(self, host: int, batch: list[Click]) -> None:
        self._submit(self.hosts[host], batch)

    @rule(host=hosts, batch=batches, step=steps)
    def ballots_come_and_a_step_breaks(self, host: int, batch: list[Click], step: int) -> None:
        self._submit(self.hosts[host], batch, step)

    @rule(host=hosts, batch=batches, span=spans, others=st.lists(clicks, max_size=2))
    def ballots_wait_while_the_other_host_goes_on(
        self, host: int, batch: list[Click], span: timedelta, others: list[Click]
    ) -> None:
        """As they wait for the day's row, time passes, and the day may end."""
        one, other = self._one_and_the_other(host)
        with before_transaction(one.engine, 0, partial(self._go_on, other, span, others)):
            self._submit(one, batch)

    @rule(host=hosts)
    def days_end(self, host: int) -> None:
        self._end_days(self.hosts[host])

    @rule(host=hosts, step=steps)
    def days_end_and_a_step_breaks(self, host: int, step: int) -> None:
        self._end_days(self.hosts[host], step)

    @rule(
        host=hosts,
        missed=st.integers(2, 4),
        number=st.integers(0, 9),
        span=spans,
        others=st.lists(clicks, max_size=2),
        step=st.none() | steps,
    )
    def days_end_while_the_other_host_goes_on(
        self, host: int, missed: int, number: int, span: timedelta, others: list[Click],
        step: int | None,
    ) -> None:  # fmt: skip
        """Several days may be due, and the other host may come between any two of the steps."""
        self.time_passes(missed * ONE_DAY)
        one, other = self._one_and_the_other(host)
        now = one.now

        def go_on() -> None:
            self._learn(now)
            self._go_on(other, span, others)

        with before_transaction(one.engine, number, go_on):
            self._end_days(one, step)

    @rule(host=hosts, missed=st.integers(1, 3), moves=st.lists(moves, min_size=3, max_size=8))
    def a_hand_moves_days(self, host: int, missed: int, moves: list[tuple[str, int]]) -> None:
        """Whoever closes or draws single days, out of turn too, gets only what is due."""
        self.time_passes(missed * ONE_DAY)
        at = self.hosts[host]
        with Session(at.engine) as session, session.begin():
            Draw.open_until(session.connection(), at.today)
        for status, place in moves:
            self.store = Store.read(self.observer)
            days = [*sorted(self.days - self.model.drawn), FIRST_DAY, FIRST_DAY - ONE_DAY]
            day = days[place % len(days)]
            with Session(at.engine) as session, session.begin():
                if status == CLOSED:
                    self._close_by_hand(session, at, day)
                else:
                    self._draw_by_hand(session, at, day)
            self._learn_claims()

    @rule(span=spans)
    def time_passes(self, span: timedelta) -> None:
        for host in self.hosts:
            host.now += span

    @rule(past=st.sampled_from([-INSTANT, timedelta(), timedelta(seconds=1)]))
    def midnight_comes(self, past: timedelta) -> None:
        to = closes_at(max(host.today for host in self.hosts)) + past
        for host in self.hosts:
            host.now = to

    @rule(host=hosts, by=st.sampled_from([*SPANS, *(-span for span in SPANS), FAR_BACK]))
    def a_clock_is_set(self, host: int, by: timedelta) -> None:
        self.hosts[host].now += by

    @rule(host=hosts, lottery_id=st.sampled_from([*LOTTERIES]), days=st.integers(-1, 4))
    def a_due_date_is_changed(self, host: int, lottery_id: int, days: int) -> None:
        at, closed_on = self.hosts[host], self.model.closes_on[lottery_id]
        closes_on = at.today + days * ONE_DAY
        refusal: type[LotteryError] | None = None
        if days < 0 and closes_on != closed_on:
            refusal = ClosesInThePast
        elif closes_on < FIRST_DAY and closes_on != closed_on:
            refusal = BadOpening
        elif lottery_id == RARE and self.model.won >= self.model.winnable:
            refusal = NoPrizeLeft if closes_on > closed_on else None
        self._edit(at, lottery_id, refusal, closes_on=closes_on)
        if refusal is None:
            self.met["extended"] += closed_on < at.today <= closes_on
            self.model.closes_on[lottery_id] = closes_on

    @rule(host=hosts, winnable=st.integers(1, 4))
    def a_limit_is_changed(self, host: int, winnable: int) -> None:
        at, model = self.hosts[host], self.model
        is_less = winnable != model.winnable and winnable < model.bound(self.days)
        limits = Limits(winnable=winnable)
        closes_on = model.closes_on[RARE]
        self._edit(at, RARE, TooFewPrizes if is_less else None, closes_on=closes_on, limits=limits)
        self.met["limit refused" if is_less else "limit changed"] += 1
        if not is_less:
            model.winnable = winnable
            if model.won >= winnable:
                model.closes_on[RARE] = min(closes_on, at.today - ONE_DAY)

    # What happens to prizes

    @rule(host=hosts, deeds=st.lists(deeds, min_size=3, max_size=8))
    def prizes_are_claimed_and_handed_over_or_lapse(
        self, host: int, deeds: list[tuple[str, int, int]]
    ) -> None:
        at = self.hosts[host]
        for deed, which, by in deeds:
            found = self._some_place(which)
            if found is not None and deed == CLAIMED:
                self._claim(at, *found, by)
            elif found is not None and deed == HANDED_OVER:
                self._hand_over(at, *found)
            elif found is not None:
                self._lapse(at, *found)

    def _claim(
        self, at: Host, place: tuple[date, int], events: dict[str, Row[Any]], by: int
    ) -> None:
        user_id = by or self.model.holder_of(*place)
        refusal: type[LotteryError] | None = None
        if OFFERED not in events or user_id != self.model.holder_of(*place):
            refusal = NotYourPrize
        elif CLAIMED in events and LAPSED not in events:
            refusal = AlreadyClaimed
        elif LAPSED in events or events[OFFERED].claim_until < at.today:
            refusal = ClaimOver
        self._do(at, claim, refusal, *place, user_id, contact="here")
        self.met["claimed"] += refusal is None
        self.met["claimed by another"] += refusal is NotYourPrize
        self.met["claimed too late"] += refusal is ClaimOver

    def _hand_over(self, at: Host, place: tuple[date, int], events: dict[str, Row[Any]]) -> None:
        refusal = self._ended(events)
        if refusal is None and CLAIMED not in events:
            refusal = NotClaimed
        day = day_of(events[OFFERED].at) if events else at.today
        self._do(at, hand_over, refusal, *place, handed_on=day)
        self.met["handed over"] += refusal is None

    def _lapse(self, at: Host, place: tuple[date, int], events: dict[str, Row[Any]]) -> None:
        refusal = self._ended(events)
        self._do(at, lapse, refusal, *place, reason="Gone", claim_days=CLAIM_DAYS)
        self.met["lapsed by hand"] += refusal is None

    @rule(host=hosts, step=st.none() | steps)
    def claims_are_due(self, host: int, step: int | None) -> None:
        self._end_claims(self.hosts[host], step)

    def _end_claims(self, host: Host, step: int | None = None) -> None:
        before = self.model.claims
        late = {
            place for place, events in before.items()
            if events.keys() == {OFFERED} and events[OFFERED].claim_until < host.today
        }  # fmt: skip
        with Break(host.engine, step) as broken, Session(host.engine) as session:
            claims.run_due(session, host.now, CLAIM_DAYS)
        self._learn_claims()
        after = self.model.claims
        lapsed = {place for place in before if LAPSED in after[place].keys() - before[place].keys()}
        assert lapsed <= late
        if broken.has_come:
            self.met["claims half done"] += lapsed != late
        else:
            assert lapsed == late
        self.met["lapsed unclaimed"] += len(lapsed)

    def _some_place(self, which: int) -> tuple[tuple[date, int], dict[str, Row[Any]]] | None:
        """Pick a place of a drawn day, one of the newest, and what happened to its prize."""
        places = [(day, place) for day, of_day in self.model.winners.items() for place, _ in of_day]
        if which % 4:  # whose turn it is
            places = [*self.model.claims]
        if not places:
            return None
        place = sorted(places)[-1 - which % len(places)]
        return place, self.model.claims.get(place, {})

    def _ended(self, events: dict[str, Row[Any]]) -> type[LotteryError] | None:
        if OFFERED not in events:
            return NoPrize
        if HANDED_OVER in events:
            return AlreadyHandedOver
        return AlreadyLapsed if LAPSED in events else None

    def _do(
        self, host: Host, what: Callable[..., None], refusal: type[LotteryError] | None,
        *given: object, **named: object,
    ) -> None:  # fmt: skip
        expected = pytest.raises(refusal) if refusal else nullcontext()
        with expected, Session(host.engine) as session, session.begin():
            what(session, *given, **named, now=host.now)
        self._learn_claims()

    def _edit(
        self, host: Host, lottery_id: int, refusal: type[LotteryError] | None, **terms: Any
    ) -> None:
        expected = pytest.raises(refusal) if refusal else nullcontext()
        name = f"Lottery {lottery_id}"
        with expected, Session(host.engine) as session, session.begin():
            now = starts_at(host.today)
            edit_lottery(session, lottery_id, now, name=name, prize="", **terms)

    def _learn_claims(self) -> None:
        """Learn what happened to prizes, which is only ever added, and what finished by it."""
        self.store = Store.read(self.observer)
        for place, events in self.model.claims.items():
            assert events.items() <= self.store.claims[place].items()
        new = self.store.claims.keys() - self.model.claims.keys()
        self.met["moved up"] += sum(place > 1 for _, place in new)
        before = self.model.claims
        self.model.winners, self.model.claims = self.store.winners, self.store.claims
        lapsed = sum(
            LAPSED in events.keys() - before.get(place, {}).keys()
            and self.model.lottery_of(*place) == RARE
            for place, events in self.model.claims.items()
        )
        closes_on, _ = self.store.lotteries[RARE]
        if closes_on != self.model.closes_on[RARE]:
            # at some instant of the step: prizes that lapse after the last one was won open nothing
            assert self.model.won <= self.model.winnable <= self.model.won + lapsed
            assert closes_on < self.model.closes_on[RARE]
            self.model.closes_on[RARE] = closes_on
            self.met["all prizes won"] += 1

    # What must be so after each step

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        self.store = Store.read(self.observer)
        self._what_was_accepted_is_stored_and_stays_as_it_was_acknowledged()
        self._numbers_are_dense_and_as_many_as_the_days_count()
        self._holdings_are_what_everybody_holds()
        self._every_day_from_the_first_to_the_last_has_one_draw()
        self._days_end_in_their_order_and_only_when_they_are_ended()
        self._what_is_closed_is_fixed_and_what_is_drawn_follows_from_it()
        self._one_place_at_most_holds_a_days_prize()
        self._no_limit_is_exceeded_and_nobody_plays_for_a_prize_that_is_gone()

    def _what_was_accepted_is_stored_and_stays_as_it_was_acknowledged(self) -> None:
        assert self.store.receipts == self.model.receipts

    def _numbers_are_dense_and_as_many_as_the_days_count(self) -> None:
        assert self.store.ballots == {
            day: [(number, *ballot) for number, ballot in enumerate(ballots, 1)]
            for day, ballots in self.model.ballots.items()
        }
        for draw in self.store.draws:
            assert draw.ballot_count == len(self.store.ballots.get(draw.day, []))

    def _holdings_are_what_everybody_holds(self) -> None:
        assert self.store.holdings == Counter(
            (day, user_id, lottery_id)
            for day, ballots in self.model.ballots.items()
            for user_id, lottery_id, _ in ballots
        )

    def _every_day_from_the_first_to_the_last_has_one_draw(self) -> None:
        days = [draw.day for draw in self.store.draws]
        assert days == [FIRST_DAY + step * ONE_DAY for step in range(len(days))]
        assert days[-1] >= self.last_day
        self.last_day = days[-1]

    def _days_end_in_their_order_and_only_when_they_are_ended(self) -> None:
        assert self.store.days(CLOSED, DRAWN) == self.model.over
        assert self.store.days(DRAWN) == self.model.drawn
        assert self.claimed <= self.model.drawn
        statuses = [draw.status for draw in self.store.draws]
        assert statuses == sorted(statuses, key=[DRAWN, CLOSED, OPEN].index)

    def _what_is_closed_is_fixed_and_what_is_drawn_follows_from_it(self) -> None:
        for draw in self.store.draws:
            winners = self.store.winners.get(draw.day, [])
            if draw.status != OPEN:
                fixed = (draw.ballot_count, draw.frontier, draw.places, draw.closed_at)
                assert self.fixed.setdefault(draw.day, fixed) == fixed
                assert draw.closed_at >= closes_at(draw.day)
                assert draw.places in {host.places for host in self.hosts}
            if draw.status == DRAWN:
                outcome = (draw.drawn_at, *winners)
                assert self.outcomes.setdefault(draw.day, outcome) == outcome
                assert draw.drawn_at >= draw.closed_at
                picks = winning_ballots(draw.seed, draw.ballot_count, draw.places)
                assert winners == [(pick.place, pick.number) for pick in picks]
            else:
                assert not winners

    def _one_place_at_most_holds_a_days_prize(self) -> None:
        assert self.store.claims == self.model.claims
        for day, of_day in self.store.winners.items():
            events = [self.store.claims.get((day, place), {}) for place, _ in of_day]
            offered = [each for each in events if each]
            assert offered, "a day with a winner and nobody who was offered the prize"
            assert offered == events[: len(offered)]
            assert all(LAPSED in each for each in offered[:-1])
            for each in offered:
                assert each.keys() - {OFFERED} <= {CLAIMED, HANDED_OVER} or LAPSED in each
                until = each[OFFERED].claim_until
                assert CLAIMED not in each or day_of(each[CLAIMED].at) <= until

    def _no_limit_is_exceeded_and_nobody_plays_for_a_prize_that_is_gone(self) -> None:
        model = self.model
        assert self.store.lotteries == {
            number: (closes_on, model.winnable if number == RARE else None)
            for number, closes_on in model.closes_on.items()
        }
        few = [count for (_, _, of), count in self.store.holdings.items() if of == FEW]
        assert max(few, default=0) <= MOST_A_DAY
        playing = [day for day in self.days - model.drawn if model.is_rare(day)]
        assert model.won + len(playing) <= model.winnable

    def teardown(self) -> None:
        """End all days and claims and audit the whole, unless a step has failed already."""
        if sys.exc_info()[0] is not None:
            return
        for name, count in self._seen().items():
            self.met[name] += count
        for host in self.hosts:
            host.now = starts_at(self.last_day) + 2 * ONE_DAY
            self._end_days(host)
        for number, place in enumerate(sorted(self.model.claims)[-9:]):
            if number % 3:  # others lapse
                self._claim(self.hosts[0], place, self.model.claims[place], 0)
            if number % 3 == 1:
                self._hand_over(self.hosts[1], place, self.model.claims[place])
        for host in self.hosts:
            host.now += (CLAIM_DAYS + 2) * ONE_DAY
            self._end_claims(host)
        self.the_store_holds_what_the_model_holds()
        if all(host.places == 1 for host in self.hosts):
            self.met["audited"] += 1
            with Session(self.observer) as session:
                given = [
                    GrantedBallots(token=token, **each._asdict())
                    for token, each in self.model.receipts.items()
                ]
                audit(session, map(receipt, given))

    def _seen(self) -> dict[str, int]:
        counts = [draw.ballot_count for draw in self.store.draws if draw.status == DRAWN]
        return {"drawn with ballots": sum(map(bool, counts)), "drawn without": counts.count(0)}

    def _close_by_hand(self, session: Session, at: Host, day: date) -> None:
        if at.now < closes_at(day):
            with pytest.raises(TooEarly):
                Draw.close(session, day, at.now, at.places, LOG_KEYS)
            return
        in_turn = self._before(day) <= self.model.over
        closed = Draw.close(session, day, at.now, at.places, LOG_KEYS)
        assert closed == (in_turn and day in self.days - self.model.over)
        self.met["closed out of turn"] += not in_turn
        self.model.over |= {day} if closed else set()

    def _draw_by_hand(self, session: Session, at: Host, day: date) -> None:
        in_turn = self._before(day) <= self.model.drawn
        drawn = Draw.draw(session, day, at.now, LOG_KEYS, claim_days=CLAIM_DAYS)
        assert drawn == (in_turn and day in self.model.over - self.model.drawn)
        self.met["drawn out of turn"] += day in self.model.over and not in_turn
        self.model.drawn |= {day} if drawn else set()
        self.claimed |= {day} if drawn else set()

    def _before(self, day: date) -> set[date]:
        return {each for each in self.days if each < day}

    def _one_and_the_other(self, number: int) -> tuple[Host, Host]:
        return self.hosts[number], self.hosts[1 - number]

    @property
    def days(self) -> set[date]:
        """Return the days that have a draw, by what was last read."""
        return self.store.days(OPEN, CLOSED, DRAWN)

    def _go_on(self, host: Host, span: timedelta, batch: list[Click]) -> None:
        """Let time pass, and a host do what it does meanwhile."""
        self.time_passes(span)
        self._end_days(host)
        if batch:
            self._submit(host, batch)

    def _submit(self, host: Host, batch: Sequence[Click], step: int | None = None) -> None:
        """Submit together, and compare the answers with the model's.

        Where a step broke, nobody has an answer, but the store has the ballots if it had them by
        then, and has them whole.
        """
        batch = in_turns(batch)
        submissions = [
            AskedBallots.of(**click._asdict(), username=f"player{click.user_id}") for click in batch
        ]
        with Break(host.engine, step) as broken:
            futures = host.box.admit_together(submissions)
        for click, future in zip(batch, futures, strict=True):
            error = future.exception(timeout=0)
            answer = type(error) if error else a_receipt(future.result())
            lost = broken.has_come and answer is NotAdmitted
            if not lost or broken.came_after_commit:
                known = click.token in self.model.receipts
                expected = self.model.admit(click, host.now)
                assert lost or answer == expected
                self.met[answer.__name__ if isinstance(answer, type) else "receipt"] += 1
                self.met["receipt of before"] += known and isinstance(answer, Receipt)
            self.met["lost"] += lost and not broken.came_after_commit
            self.met["stored but not answered"] += lost and broken.came_after_commit

    def _end_days(self, host: Host, step: int | None = None) -> None:
        """Do what is due; once that is done, no day before today is left."""
        now = host.now
        drawn_before, claimed_before = set(self.model.drawn), set(self.claimed)
        with Break(host.engine, step) as broken, Session(host.engine) as session:
            drawn = run_due(session, now, host.places, LOG_KEYS, claim_days=CLAIM_DAYS)
        self._learn(now)
        if broken.has_come:
            self.met["days half ended"] += self.model.drawn != self.model.over
            return
        assert self.model.drawn == self.model.over
        assert self.model.over >= {day for day in self.days if day < day_of(now)}
        by_others = self.claimed - claimed_before
        assert drawn == sorted(self.model.drawn - drawn_before - by_others)
        self.met["ended by both"] += bool(drawn and by_others)
        self.claimed |= set(drawn)

    def _learn(self, now: datetime) -> None:
        """Learn from the store how far a host came, which may only be forward and to its day."""
        self.store = Store.read(self.observer)
        due = {day for day in self.days if day < day_of(now)}
        over, drawn = self.store.days(CLOSED, DRAWN), self.store.days(DRAWN)
        assert self.model.over <= over <= self.model.over | due
        assert self.model.drawn <= drawn <= over
        self.model.over, self.model.drawn = over, drawn
        self._learn_claims()


@pytest.fixture
def engines(database_url: str) -> Iterator[list[Engine]]:
    """Return the engines of two hosts of one database, and one for whoever looks on."""
    options = database.engine_options(database_url)
    engines = [create_engine(database_url, **options) for _ in range(3)]
    for engine in engines:
        database.prepare(engine)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", do_not_flush)
    yield engines
    for engine in engines:
        engine.dispose()


def do_not_flush(connection: Any, record: object) -> None:
    """Spare the disk: no power fails here."""
    connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture
def begin_anew(
    database_url: str, engines: list[Engine], request: pytest.FixtureRequest
) -> Callable[[], None]:
    """Return a function that empties the database, in whose tables no row can be deleted."""
    if engines[0].dialect.name == "postgresql":
        return partial(empty, database_url)
    schema: Path = request.getfixturevalue("sqlite_file")
    file = make_url(database_url).database
    assert file is not None

    def copy() -> None:
        for engine in engines:
            engine.dispose()
        shutil.copy(schema, file)

    return copy


def test_whatever_happens_the_store_holds_what_was_answered(
    engines: list[Engine], begin_anew: Callable[[], None]
) -> None:
    met: Counter[str] = Counter()

    class EmptyMachine(LotteryMachine):
        def __init__(self) -> None:
            begin_anew()
            super().__init__(engines, met)

    machine = EmptyMachine if EXAMPLES in os.environ else seed(SEED)(EmptyMachine)
    run_state_machine_as_test(machine, settings=SETTINGS)

    print(met, f"{EXAMPLES}=5000 in the environment makes up more and other days", sep="\n")
    if EXAMPLES not in os.environ:
        assert set(met.elements()) >= EXPECTED
