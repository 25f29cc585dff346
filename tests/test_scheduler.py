"""The scheduler triggers ticks whatever happens to the wall clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from flask import Flask
from flask_apscheduler import APScheduler

from lottery_system import scheduler
from lottery_system.clock import utcnow
from tests.conftest import FIRST_NOON, Clock

MINUTE = timedelta(minutes=1)


@pytest.fixture
def alarms(monkeypatch: pytest.MonkeyPatch) -> Iterator[APScheduler]:
    """Return a scheduler that knows when it would ring, and does not."""
    alarms = APScheduler(BackgroundScheduler(timezone=UTC))
    alarms.start(paused=True)
    monkeypatch.setattr(scheduler, "scheduler", alarms)
    yield alarms
    alarms.shutdown()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_clock_that_was_a_year_ahead_leaves_no_alarm_a_year_ahead(
    app: Flask, clock: Clock, alarms: APScheduler
) -> None:
    clock.set(FIRST_NOON + timedelta(days=365))
    alarms.add_job("each minute", utcnow, trigger=CronTrigger(second=0, timezone=UTC))
    assert next_ring(alarms) > FIRST_NOON + timedelta(days=364)
    clock.set(FIRST_NOON + timedelta(seconds=1))

    scheduler.watch(app)

    assert next_ring(alarms) == FIRST_NOON + MINUTE


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_alarm_that_is_due_is_not_put_off(app: Flask, clock: Clock, alarms: APScheduler) -> None:
    alarms.add_job("each minute", utcnow, trigger=CronTrigger(second=0, timezone=UTC))
    due_at = next_ring(alarms)
    clock.turn(timedelta(days=365))

    scheduler.watch(app)

    assert next_ring(alarms) == due_at


def next_ring(alarms: APScheduler) -> datetime:
    (job,) = alarms.get_jobs()
    next_run_time: datetime = job.next_run_time
    return next_run_time
