"""The alarm clock. It says that something may be due; the database knows what is."""

import logging
from datetime import UTC

from apscheduler.triggers.cron import CronTrigger
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from lottery_system import draws
from lottery_system.clock import utcnow
from lottery_system.errors import LotteryError, Paused
from lottery_system.extensions import new_session, reading, scheduler
from lottery_system.models import LoginSession, Throttle

log = logging.getLogger(__name__)

#: APScheduler's own grace is one second, after which it skips a job that it could not start
ALWAYS = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}


def start(app: Flask) -> None:
    """Tick at once, each minute, and a second after midnight, in this process.

    The minute's tick falls on midnight too; should the timer be early by a hair, the one a second
    later is not.
    """

    def tick_here() -> None:
        tick(app)

    scheduler.init_app(app)
    scheduler.start()
    scheduler.add_job("at start", tick_here, **ALWAYS)
    scheduler.add_job(
        "each minute", tick_here, trigger=CronTrigger(second=0, timezone=UTC), **ALWAYS
    )
    midnight = CronTrigger(hour=0, minute=0, second=1, timezone=UTC)
    scheduler.add_job("midnight", tick_here, trigger=midnight, **ALWAYS)


def tick(app: Flask) -> None:
    """Do whatever is due; what fails stays due for the next tick."""
    now = utcnow()
    with app.app_context(), new_session() as session:
        try:
            rollback, keyring = app.extensions["rollback"], app.extensions["keyring"]
            with reading() as connection:
                rollback.look(connection)
            app.extensions["pause"].refuse()
            operator = keyring.begin(now)
            with reading() as connection:  # which makes the mark of a lottery that has just begun
                rollback.raise_all(connection)
            places = app.extensions["settings"].places
            draws.run_due(
                session, now, places, operator, keyring.fetch_signature, rollback=rollback
            )
            with session.begin():
                LoginSession.sweep(session, now)
                Throttle.sweep(session, now)
        except Paused:
            pass  # whoever found out has said why
        except (SQLAlchemyError, LotteryError) as error:
            log.error("tick: %s; trying again at the next", str(error).splitlines()[0])
