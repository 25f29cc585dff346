"""Background scheduler: triggers ticks; the database says what is due."""

import logging
from collections.abc import Callable
from datetime import UTC
from threading import Thread
from time import sleep

from apscheduler.triggers.cron import CronTrigger
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from lottery_system import due_draws, gauges, metrics
from lottery_system.clock import utcnow
from lottery_system.clock_past import ClockPast
from lottery_system.errors import LotteryError, Paused
from lottery_system.extensions import db, new_session, reading, scheduler
from lottery_system.models import (
    AccountEvent,
    AccountLink,
    LoginSession,
    Mail,
    ResetRequest,
    Throttle,
    UsedChallenge,
)
from lottery_system.parts import parts_of
from lottery_system.runtime.database import let_idle_go
from lottery_system.web.mails import write_mail

log = logging.getLogger(__name__)

#: APScheduler's own grace is one second, after which it skips a job that it could not start
ALWAYS = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}

#: seconds, by the monotonic clock, between two looks at wall clock and disk, or at readiness
WATCH = 10
#: seconds between two batches of mails; not in the tick, which no mail server may keep waiting
MAIL_EVERY = 5
#: seconds between two looks at what calendars are to stamp; not in the tick either
STAMP_EVERY = 60


def start(app: Flask) -> None:
    """Tick at once, each minute, and a second after midnight, in this process.

    The minute's tick falls on midnight too; if it fires slightly early, the one a second later does
    not.
    """

    def tick_here() -> None:
        tick(app)

    parts = parts_of(app)
    parts.clock_check.remember(ClockPast(parts.settings.storage))
    recall(app)
    scheduler.init_app(app)
    scheduler.start()
    scheduler.add_job("at start", tick_here, **ALWAYS)
    scheduler.add_job(
        "each minute", tick_here, trigger=CronTrigger(second=0, timezone=UTC), **ALWAYS
    )
    midnight = CronTrigger(hour=0, minute=0, second=1, timezone=UTC)
    scheduler.add_job("midnight", tick_here, trigger=midnight, **ALWAYS)

    _every(WATCH, "clock", lambda: watch(app))
    gauges.look(app)
    _every(WATCH, "gauges", lambda: show(app), at_once=True)
    if parts.postman is not None:
        _every(MAIL_EVERY, "mail", lambda: send_mails(app))
    if parts.settings.timestamp_urls:
        _every(STAMP_EVERY, "timestamps", lambda: stamp(app), at_once=True)


def recall(app: Flask) -> None:
    """Pause at once if witnesses are known to have seen another journal, before anybody is served.

    What they say now, the first tick asks.
    """
    parts = parts_of(app)
    with app.app_context():
        try:
            parts.witnesses.judge(parts.keyring.log_keys())
        except (SQLAlchemyError, LotteryError) as error:
            log.warning("start: %s; the first tick tries again", str(error).splitlines()[0])


def _every(seconds: float, name: str, do: Callable[[], None], *, at_once: bool = False) -> None:
    """Do something again and again, by the monotonic clock, as long as the process lives."""

    def go_on() -> None:
        if not at_once:
            sleep(seconds)
        while True:
            try:
                do()
            except Exception:  # whatever failed, the next time must come
                log.exception("%s: a fault of ours", name)
            sleep(seconds)

    Thread(target=go_on, name=name, daemon=True).start()


def watch(app: Flask) -> None:
    """Check whether the wall clock was set, whether clocks agree again, and the free disk space.

    APScheduler uses the wall clock: set back by a year, its next job would run in a year.
    """
    for job in scheduler.get_jobs():
        rings_at = job.trigger.get_next_fire_time(None, utcnow())
        if job.next_run_time and rings_at and job.next_run_time > rings_at:
            job.reschedule(job.trigger)
    parts_of(app).free_space.look()
    clock_check = parts_of(app).clock_check
    if clock_check.is_in_doubt:
        with app.app_context(), new_session() as session:
            try:
                clock_check.look(session)
            except SQLAlchemyError as error:
                log.error("clock: %s; trying again soon", str(error).splitlines()[0])


def show(app: Flask) -> None:
    """Show to whoever watches what this process is at, and whether it could store a ballot."""
    gauges.look(app)
    gauges.look_at_readiness(app)


def tick(app: Flask) -> None:
    """Do whatever is due; what fails stays due for the next tick."""
    parts = parts_of(app)
    parts.free_space.look()
    with app.app_context():
        for engine in db.engines.values():
            let_idle_go(engine)
    with app.app_context(), new_session() as session:
        try:
            now = parts.clock_check.look(session)
            due_draws.run(session, now, parts, parts.closing_check)
            with session.begin():
                parts.seen_log_ins.store(session, now)
                LoginSession.sweep(session, now)
                Throttle.sweep(session, now)
                AccountEvent.sweep(session, now)
                AccountLink.sweep(session, now)
                Mail.sweep(session, now)
                ResetRequest.sweep(session, now)
                UsedChallenge.sweep(session, now)
            metrics.LAST_TICK.set(utcnow().timestamp())
        except Paused:
            pass  # it was logged when the pause began
        except (SQLAlchemyError, LotteryError) as error:
            log.error("tick: %s; trying again at the next", str(error).splitlines()[0])


def send_mails(app: Flask) -> None:
    """Send one batch of the mails that are due; what fails stays due.

    While draws are paused none is sent: a database that has forgotten draws may have forgotten what
    was sent.
    """
    parts = parts_of(app)
    assert parts.postman is not None
    with app.app_context(), new_session() as session:
        try:
            parts.pause.refuse_draws()
            parts.postman.run_due(
                session,
                utcnow(),
                lambda letter, now: write_mail(app, letter, now),
                rollback=parts.rollback,
            )
        except Paused:
            pass  # it was logged when the pause began
        except (SQLAlchemyError, LotteryError) as error:
            log.error("mail: %s; trying again", str(error).splitlines()[0])


def stamp(app: Flask) -> None:
    """Have the newest closings stamped by calendars; what fails is asked again.

    Not while draws are paused: a database that was rolled back has nothing to prove.
    """
    parts = parts_of(app)
    with app.app_context():
        try:
            parts.pause.refuse_draws()
            with reading() as connection:  # at the start no tick may have asked yet
                parts.rollback.check(connection)
            parts.timestamps.look(utcnow())
        except Paused:
            pass  # it was logged when the pause began
        except SQLAlchemyError as error:
            log.error("timestamp: %s; trying again", str(error).splitlines()[0])
