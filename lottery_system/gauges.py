"""Gauges: what a process is at right now, looked at every ten seconds and at each scrape."""

from flask import Flask
from sqlalchemy.pool import QueuePool

from lottery_system import clock_check, free_space, keys, metrics, rollback, witnesses
from lottery_system.extensions import db
from lottery_system.parts import parts_of
from lottery_system.runtime.database import READING

#: what alarms go by is there from the start as 0: of a counter that begins at 1 Prometheus does not
#: know that it has grown
CAUSES = (clock_check.CAUSE, free_space.CAUSE, keys.CAUSE, rollback.CAUSE, witnesses.CAUSE)
REASONS = ("not_admitted", "no_answer", "queue_full", "paused")


def look(app: Flask) -> None:
    """Set the gauges of this process; asks nothing of the database."""
    parts = parts_of(app)
    for cause in CAUSES:
        metrics.PAUSED.labels(cause).set(cause in parts.pause.causes)
    for reason in REASONS:
        metrics.BALLOTS_REFUSED.labels(reason)
    metrics.WORKERS.set(1)
    metrics.QUEUE_LENGTH.set(parts.ballot_box.queue_length)
    metrics.STREAMS.set(parts.broadcast.listener_count)
    with app.app_context():
        for key, engine in db.engines.items():
            pool = engine.pool
            if isinstance(pool, QueuePool):
                name = "reading" if key == READING else "writing"
                metrics.CONNECTIONS.labels(name).set(pool.checkedout())
                metrics.MOST_CONNECTIONS.labels(name).set(pool.size() + max(0, pool._max_overflow))


def look_at_readiness(app: Flask) -> None:
    """Try whether a ballot could be stored, unless that was just tried, and keep it as a gauge."""
    metrics.READY.set(not parts_of(app).readiness.look())
