"""Closing check: too many days at once, rows in the future, and the beacon block a close."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system import drand, draws, scheduler
from lottery_system.clock import closes_at, starts_at
from lottery_system.clock_check import ClockCheck
from lottery_system.closing_check import RELAY_PATIENCE, ClosingCheck
from lottery_system.errors import Paused
from lottery_system.fairness.beacon import QUICKNET, ChainInfo, due_time, round_at, time_of
from lottery_system.models import CLOSED, DRAWN, OPEN, Draw, JournalRecord, LogKeys, Lottery
from lottery_system.pause import Pause
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit, settings_for
from tests.stand_ins.log_keys import LOG_KEYS, begin
from tests.stand_ins.relay import Kind, Relay, always, answer, hiding, newest, silent
from tests.stand_ins.rounds import BEACON_DAY, BEACON_GAP, BEACON_OPERATOR, BEACON_ROUND

ONE_DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MIDNIGHT = closes_at(BEACON_DAY)
DUE = datetime.fromtimestamp(time_of(QUICKNET, BEACON_ROUND), UTC)
#: a round of a year before
OLD_ROUND = 657_413
LATER_ROUND = 20_791_007


class Host:
    """A process that closes days, by a clock that tests set."""

    def __init__(self, session: Session, log_keys: LogKeys, **settings: str) -> None:
        self.session = session
        self.log_keys = log_keys
        self.now = FIRST_NOON
        self.uptime = 0.0
        self.pause = Pause()
        self.settings = settings_for(
            "sqlite:////nowhere", **{"LOTTERY_CLOCK_TOLERANCE": "60", **settings}
        )
        self.clock_check = self._clock_check()
        # relays that dawdle are waited for, all together, so long
        fetch = partial(drand.fetch_newest, patience=1.0)
        self.check = ClosingCheck(self.settings, self.clock_check, fetch_newest=fetch)

    def tick(self, now: datetime) -> str | None:
        """Do what is due, and return why nothing was closed, if so."""
        self.now = now
        draws.run_due(self.session, now, 1, self.log_keys, check=self.check)
        return self.check.held

    def statuses(self) -> list[str]:
        with self.session.begin():
            return list(self.session.scalars(select(Draw.status).order_by(Draw.day)))

    def _clock_check(self) -> ClockCheck:
        tolerance = self.settings.clock_tolerance
        return ClockCheck(tolerance, self.pause, lambda: self.now, lambda: self.uptime)


@pytest.fixture
def host(session: Session) -> Host:
    begin(session, FIRST_NOON)
    return Host(session, LOG_KEYS)


def test_thirty_one_missed_days_are_made_up_without_asking(host: Host) -> None:
    assert host.tick(FIRST_NOON + 31 * ONE_DAY) is None

    assert host.statuses() == [DRAWN] * 31 + [OPEN]


def test_more_missed_days_wait_for_a_person(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    for minutes in range(3):
        reason = host.tick(FIRST_NOON + 32 * ONE_DAY + minutes * 60 * SECOND)

    assert reason is not None
    assert reason.startswith("32 days are over and not closed, 2026-11-19 to 2026-12-20.")
    assert host.statuses() == [OPEN] * 33
    assert [record.getMessage() for record in caplog.records] == [f"no day is closed: {reason}"]


Type = Callable[..., Result]


@pytest.fixture
def type_(app: Flask, clock: Clock) -> Type:
    """Return a function that runs a command with its arguments."""
    return lambda command: app.test_cli_runner().invoke(args=command.split())


def test_a_person_confirms_them_by_a_command_and_ballots_go_on_meanwhile(
    app: Flask, session: Session, cast: Cast, big_chance: Lottery, clock: Clock,
    submit: Submit, type_: Type,
) -> None:  # fmt: skip
    with session.begin():
        lottery = session.get_one(Lottery, big_chance.id)
        lottery.change(lottery.name, "", FIRST_DAY + 60 * ONE_DAY, FIRST_NOON, cast.alice.id)
    begin(session, FIRST_NOON)
    submit(cast.bob, big_chance)
    scheduler.tick(app)
    clock.turn(32 * ONE_DAY)

    scheduler.tick(app)
    asked = type_("draw run")
    ballot = submit(cast.bob, big_chance)
    figures = app.test_client().get("/metrics").text

    assert asked.exit_code == 1
    assert "32 days are over and not closed, 2026-11-19 to 2026-12-20." in asked.output
    assert "If today is 2026-12-21, run `flask --app lottery_system draw run --confirm`" in (
        asked.output
    )
    assert (ballot.day, ballot.first_number) == (FIRST_DAY + 32 * ONE_DAY, 1)
    assert "lottery_draws_overdue 32.0" in figures
    with session.begin():
        assert set(session.scalars(select(Draw.status))) == {OPEN}

    confirmed = type_("draw run --confirm")

    assert confirmed.exit_code == 0
    with session.begin():
        statuses = session.scalars(select(Draw.status).order_by(Draw.day)).all()
    assert statuses == [DRAWN] * 32 + [OPEN]


@pytest.fixture
def given_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    return {"LOTTERY_CLOCK_TOLERANCE": getattr(request, "param", "off")}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("given_settings", ["60"], indirect=True)
def test_nothing_is_done_by_command_or_page_where_the_database_has_another_time(
    app: Flask, cast: Cast, big_chance: Lottery, session: Session, submit: Submit, type_: Type
) -> None:
    with pytest.raises(Paused) as refused:
        submit(cast.bob, big_chance)
    done = type_("draw run")

    assert (done.exit_code, done.output) == (1, f"Error: {refused.value.reason}\n")
    assert "the database's. Set the one that is wrong, by NTP" in done.output
    with session.begin():
        assert session.scalars(select(Draw)).all() == []


@pytest.mark.parametrize("days", [1, 40])
def test_a_day_is_not_closed_while_the_last_close_is_in_the_future(host: Host, days: int) -> None:
    with host.session.begin():
        connection = host.session.connection()
        Draw.open_until(connection, FIRST_DAY + 2 * ONE_DAY)
        wrong = FIRST_NOON + (days + 2) * ONE_DAY
        assert Draw.close(host.session, FIRST_DAY, wrong, 1, LOG_KEYS)
    now = FIRST_NOON + 2 * ONE_DAY

    reason = host.tick(now)

    assert reason is not None
    assert reason.startswith(f"The last close is of {wrong:%Y-%m-%d} 12:00:00 UTC")
    assert host.statuses() == [DRAWN, OPEN, OPEN]
    assert not host.pause.reasons
    assert host.tick(wrong - 60 * SECOND) is None or days > 31
    host.check = ClosingCheck(host.settings, host.clock_check, is_confirmed=True)
    assert host.tick(wrong - 60 * SECOND) is None
    assert host.statuses()[:3] == [DRAWN] * 3


@pytest.mark.parametrize("ahead", [61 * SECOND, ONE_DAY])
def test_a_day_is_not_closed_while_the_last_ballot_is_in_the_future(
    host: Host, cast: Cast, big_chance: Lottery, clock: Clock, submit: Submit, ahead: timedelta
) -> None:
    now = FIRST_NOON + ONE_DAY
    clock.set(now + ahead)
    submit(cast.bob, big_chance)

    reason = host.tick(now)

    assert reason is not None
    assert reason.startswith("The last ballot of 2026-11-2")
    assert host.statuses()[0] == OPEN
    assert host.tick(now + ahead - 60 * SECOND) is None
    assert host.statuses()[0] == DRAWN


def test_where_clocks_are_not_compared_only_the_number_of_days_holds(session: Session) -> None:
    begin(session, FIRST_NOON)
    host = Host(session, LOG_KEYS, LOTTERY_CLOCK_TOLERANCE="off")
    with session.begin():
        Draw.open_until(session.connection(), FIRST_DAY + ONE_DAY)
        Draw.close(session, FIRST_DAY, FIRST_NOON + 20 * ONE_DAY, 1, LOG_KEYS)

    assert host.tick(FIRST_NOON + 2 * ONE_DAY) is None
    assert host.tick(FIRST_NOON + 50 * ONE_DAY) is not None


@pytest.fixture
def relays(session: Session) -> Iterator[Callable[..., Host]]:
    """Return a function that starts relays and makes a host in mode beacon that asks them."""
    begin(session, starts_at(BEACON_DAY), BEACON_OPERATOR, BEACON_GAP)
    started: list[Relay] = []

    def start(*kinds: str | Kind) -> Host:
        started.extend(Relay(kind) for kind in kinds)
        urls = " ".join(relay.url for relay in started) or "http://127.0.0.1:9"
        return Host(
            session,
            BEACON_OPERATOR,
            LOTTERY_BEACON="drand",
            LOTTERY_BEACON_GAP=str(BEACON_GAP),
            LOTTERY_BEACON_URLS=urls,
        )

    yield start
    for relay in started:
        relay.__exit__()


Relays = Callable[..., Host]


def freeze_of(host: Host) -> int | None:
    """Return the round that the day was frozen to take, if it was frozen."""
    with host.session.begin():
        freezes = JournalRecord.freezes(host.session, [BEACON_DAY])
    return freezes[BEACON_DAY].round if freezes else None


def test_a_day_is_closed_where_the_beacon_agrees(relays: Relays) -> None:
    host = relays(newest(BEACON_ROUND))
    late = DUE + 90 * SECOND  # and its newest round may be a minute old

    assert host.tick(late) is None

    assert freeze_of(host) == round_at(QUICKNET, late + BEACON_GAP * SECOND)


@pytest.mark.parametrize(
    "kinds",
    [
        [newest(BEACON_ROUND)],
        [hiding(OLD_ROUND)],
        [newest(OLD_ROUND), "wrong signature", "silent", newest(BEACON_ROUND)],
        ["failing", hiding(OLD_ROUND)],
        [newest(LATER_ROUND)],
    ],
    ids=["honest", "hiding its newest", "one honest of four", "failing and hiding", "much later"],
)
def test_no_freeze_takes_a_round_that_is_out_already(
    relays: Relays, kinds: list[str | Kind], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = relays(*kinds)
    signed: list[object] = []
    monkeypatch.setattr(JournalRecord, "freeze", lambda *freeze: signed.append(freeze))
    behind = DUE - 5 * SECOND  # this host's clock, when the round of that time is out

    reason = host.tick(behind)

    assert reason is not None
    assert signed == []
    assert host.statuses()[0] == OPEN


def test_a_clock_within_bounds_takes_a_later_round_a_little_later(relays: Relays) -> None:
    host = relays(newest(BEACON_ROUND))
    reason = host.tick(DUE - 5 * SECOND)
    assert reason is not None
    assert reason.startswith(f"Round {BEACON_ROUND} of the beacon, which the draw of {BEACON_DAY}")
    assert not host.pause.reasons  # ballots go on

    assert host.tick(DUE + 55 * SECOND) is None

    assert freeze_of(host) == round_at(QUICKNET, DUE + (55 + BEACON_GAP) * SECOND)


def test_a_clock_that_is_behind_the_beacon_pauses_everything(relays: Relays) -> None:
    host = relays(newest(BEACON_ROUND))

    reason = host.tick(MIDNIGHT + 10 * SECOND)

    assert reason == "This host's clock is 17 hours behind: the beacon has signed a round of a " \
        "later time. Set it right, by NTP."  # fmt: skip
    assert host.pause.reasons == (reason,)
    assert host.statuses() == [OPEN, OPEN]


def test_a_freeze_that_took_too_long_is_not_committed(relays: Relays) -> None:
    host = relays()
    host.now = DUE - SECOND * 30  # when it is to be committed, by a clock that may be behind

    draws.run_due(host.session, DUE - 90 * SECOND, 1, host.log_keys, check=host.check)

    assert host.check.held is not None
    assert freeze_of(host) is None
    assert host.statuses() == [OPEN, OPEN]
    assert host.tick(DUE + 2 * SECOND) is None
    assert freeze_of(host) == round_at(QUICKNET, DUE + (2 + BEACON_GAP) * SECOND)


#: says that a round to come is the newest, with a signature of its own
LIAR = always(answer(json.dumps({"round": 2 * BEACON_ROUND, "signature": "ab" * 48}).encode()))
#: seconds by which a host's clock may be off unnoticed, and before or after the round's time
OFFSETS = (-60, -59, -31, -3, -1, 0, 1, 20, 60)


def honest_at(true_time: float) -> int | None:
    """Return the newest round that the network has signed."""
    return round_at(QUICKNET, datetime.fromtimestamp(int(true_time) - 2, UTC))


@pytest.mark.parametrize("relay", ["honest", "slow", "lying", "a minute old"])
def test_no_freeze_is_signed_for_a_round_whose_signature_somebody_could_already_have(
    relays: Relays, relay: str
) -> None:
    """Whatever the relays say, and by however much the clock is off within the tolerance."""
    host = relays()
    signed, held = 0, 0
    for behind in OFFSETS:
        for early in OFFSETS:
            true_time = DUE.timestamp() - early
            host.now = datetime.fromtimestamp(true_time - behind, UTC)
            newest_told = {
                "honest": honest_at(true_time),
                "slow": None,
                "lying": None,  # what is not signed does not count: drand.fetch_newest
                "a minute old": honest_at(true_time - 60),
            }[relay]
            clock_check = ClockCheck(60, Pause(), lambda: host.now, lambda: 0.0)
            check = ClosingCheck(
                host.settings, clock_check, fetch_newest=lambda *_, told=newest_told: told
            )
            days = [BEACON_DAY]
            may_close = check.may_close(host.session, days, host.now, host.log_keys)
            if not (may_close and check.is_in_time(BEACON_DAY, host.now, host.log_keys)):
                held += 1
                continue
            frozen = host.now.replace(microsecond=0)
            number = round_at(QUICKNET, due_time(MIDNIGHT, frozen, BEACON_GAP))
            assert true_time < time_of(QUICKNET, number), (behind, early)
            signed += 1

    assert signed > 20
    assert held > 20


@pytest.mark.parametrize(
    "kinds",
    [[silent], [], [LIAR, silent], [silent, "not found"]],
    ids=["slow", "none", "lying and slow", "slow and failing"],
)
def test_where_no_relay_answers_a_freeze_keeps_away_from_its_round_and_waits_a_minute_at_most(
    relays: Relays, kinds: list[str | Kind], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = relays(*kinds)
    signed: list[object] = []
    freeze = JournalRecord.freeze

    def sign(record: JournalRecord, session: Session, *given: Any) -> None:
        signed.append(given)
        freeze(record, session, *given)

    monkeypatch.setattr(JournalRecord, "freeze", sign)

    reason = host.tick(DUE - 30 * SECOND)  # half a minute behind, and the round is out

    assert reason is not None
    assert reason.startswith(f"Round {BEACON_ROUND} of the beacon")
    assert signed == []
    assert host.tick(DUE) is None
    assert freeze_of(host) == round_at(QUICKNET, DUE + BEACON_GAP * SECOND)


@pytest.mark.parametrize("kinds", [[], ["not found"], ["wrong signature"], ["garbage", "failing"]])
def test_relays_that_do_not_help_hold_nothing(relays: Relays, kinds: list[str]) -> None:
    host = relays(*kinds)

    assert host.tick(MIDNIGHT + SECOND) is None

    assert freeze_of(host) == BEACON_ROUND


def test_asking_ends_soon_however_slow_the_relays_are(
    relays: Relays, caplog: pytest.LogCaptureFixture
) -> None:
    host = relays("silent", "slow body", "slow headers", silent)
    begun = monotonic()

    assert host.tick(MIDNIGHT + SECOND) is None

    assert monotonic() - begun < 5
    assert freeze_of(host) == BEACON_ROUND
    lines = [record.getMessage() for record in caplog.records if "answered" in record.getMessage()]
    assert len(lines) == 4


def test_relays_that_all_lag_hold_closing_for_a_day_and_not_for_ever(relays: Relays) -> None:
    host = relays(newest(OLD_ROUND), newest(1000), "not found")
    reason = host.tick(MIDNIGHT + SECOND)
    assert reason is not None
    assert reason.startswith("The beacon's newest round is of 2023-09-15 11:00:03 UTC, 395 days")
    assert host.statuses()[0] == OPEN
    assert not host.pause.reasons  # relays alone stop no ballots
    host.uptime += RELAY_PATIENCE - 1
    assert host.tick(MIDNIGHT + 2 * SECOND) is not None

    host.uptime += 1

    assert host.tick(MIDNIGHT + 3 * SECOND) is None
    assert host.statuses()[0] == CLOSED


def test_one_relay_that_keeps_up_is_enough(relays: Relays) -> None:
    host = relays(newest(OLD_ROUND), newest(1000), newest(BEACON_ROUND))

    assert host.tick(DUE + 10 * SECOND) is None


def test_a_clock_a_day_ahead_closes_nothing_in_mode_beacon(relays: Relays) -> None:
    host = relays(newest(BEACON_ROUND))  # 17:13 of the day after
    with host.session.begin():
        Draw.open_until(host.session.connection(), BEACON_DAY + ONE_DAY)
    assert host.tick(DUE + SECOND) is None

    reason = host.tick(DUE + ONE_DAY)

    assert reason is not None
    assert "24 hours behind this host's clock" in reason
    assert host.statuses() == [CLOSED, OPEN, OPEN]


def test_relays_are_asked_outside_of_any_transaction_and_once_a_close(relays: Relays) -> None:
    host = relays()
    asked: list[list[int]] = []

    def fetch(urls: Sequence[str], chain: ChainInfo, also: Collection[int]) -> int | None:
        assert not host.session.in_transaction()
        asked.append(list(also))
        return None

    host.check = ClosingCheck(host.settings, host.clock_check, fetch_newest=fetch)
    for minutes in range(3):
        host.tick(MIDNIGHT - 60 * SECOND + minutes * 60 * SECOND)

    assert asked == [[BEACON_ROUND]]
