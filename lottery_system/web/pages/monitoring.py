"""Health checks and metrics for load balancers, container engines and Prometheus."""

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from lottery_system.access import everybody, operators
from lottery_system.clock import starts_at, utcnow
from lottery_system.extensions import db
from lottery_system.health import standing
from lottery_system.models import Mail
from lottery_system.parts import parts

blueprint = Blueprint("monitoring", __name__)


@blueprint.get("/healthz")
@everybody
def healthz() -> Response:
    """Tell that the process lives; asks nothing of the database."""
    return Response("alive\n", mimetype="text/plain")


@blueprint.get("/readyz")
@everybody
def readyz() -> Response:
    """Tell whether a ballot could be stored now, or why not."""
    reasons = parts().readiness.look()
    text = "".join(f"{reason}\n" for reason in reasons) or "ready\n"
    return Response(text, 503 if reasons else 200, mimetype="text/plain")


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
