"""Health checks and metrics for load balancers, container engines and Prometheus."""

import logging

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError

from lottery_system.access import everybody, operators
from lottery_system.clock import starts_at, utcnow
from lottery_system.extensions import db
from lottery_system.health import standing
from lottery_system.models import Mail
from lottery_system.parts import parts

log = logging.getLogger(__name__)

blueprint = Blueprint("monitoring", __name__)


@blueprint.get("/healthz")
@everybody
def healthz() -> Response:
    """Tell that the process lives; asks nothing of the database."""
    return Response("alive\n", mimetype="text/plain")


@blueprint.get("/readyz")
@everybody
def readyz() -> Response:
    """Tell that it can serve, that it is not paused, and that no draw is overdue."""
    now = utcnow()
    if reasons := parts().pause.reasons:
        text = "".join(f"paused: {reason}\n" for reason in reasons)
        return Response(text, 503, mimetype="text/plain")
    try:
        overdue = standing(db.session(), now, parts().settings.gap).overdue(now)
    except SQLAlchemyError as error:
        log.error("readyz: %s", str(error).splitlines()[0])
        return Response("the database does not answer\n", 503, mimetype="text/plain")
    if overdue:
        days = ", ".join(day.isoformat() for day in overdue)
        return Response(f"draws overdue: {days}\n", 503, mimetype="text/plain")
    return Response("ready\n", mimetype="text/plain")


@blueprint.get("/metrics")
@operators
def metrics() -> Response:
    """Show what draws and mails stand at, for Prometheus.

    All figures come from the database, so that it does not matter which worker is asked.
    """
    now = utcnow()
    status = standing(db.session(), now, parts().settings.gap)
    mails = Mail.counts(db.session.connection())
    registry = CollectorRegistry()
    for name, text, value in (
        ("lottery_ballots_today", "Ballots of the day that is open", status.today_ballot_count),
        ("lottery_draws_undrawn", "Days that are over and not drawn", len(status.undrawn)),
        ("lottery_draws_overdue", "Days whose draw is late", len(status.overdue(now))),
        (
            "lottery_last_drawn_day_seconds",
            "Start of the latest drawn day, seconds since the epoch, 0 for none",
            starts_at(status.last_drawn).timestamp() if status.last_drawn else 0,
        ),
        ("lottery_mails_waiting", "Mails that are to be sent", mails.waiting),
        ("lottery_mails_set_aside", "Mails that could not be sent", mails.set_aside),
    ):
        Gauge(name, text, registry=registry).set(value)
    return Response(generate_latest(registry), mimetype=CONTENT_TYPE_LATEST)
