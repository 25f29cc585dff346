"""Health checks and metrics for load balancers, container engines and Prometheus."""

from flask import Blueprint, Response, current_app
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError

from lottery_system import gauges
from lottery_system.access import everybody, operators
from lottery_system.clock import starts_at, utcnow
from lottery_system.extensions import db
from lottery_system.health import last_ballot_at, standing
from lottery_system.metrics import exposition
from lottery_system.models import Mail
from lottery_system.parts import parts
from lottery_system.schema import revision
from lottery_system.version import VERSION

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
    """Show what this host's workers count, and what draws and mails stand at, for Prometheus.

    The former come from the workers, all added up; the latter from the database, so that all hosts
    say the same.
    """
    gauges.look(current_app)
    registry = CollectorRegistry()
    is_up = Gauge("lottery_database_up", "Whether the database answers", registry=registry)
    try:
        _add_figures(registry)
        is_up.set(1)
    except SQLAlchemyError:
        is_up.set(0)
    return Response(generate_latest(registry) + exposition(), mimetype=CONTENT_TYPE_LATEST)


def _add_figures(registry: CollectorRegistry) -> None:
    """Add what the database says, all of it or nothing.

    Raises:
        SQLAlchemyError: it does not answer.
    """
    now = utcnow()
    status = standing(db.session(), now, parts().settings.gap)
    connection = db.session.connection()
    mails = Mail.counts(connection)
    last_ballot = last_ballot_at(connection)
    build = {"version": VERSION, "schema": revision(connection)}
    for name, text, value in (
        ("lottery_ballots_today", "Ballots of the day that is open", status.today_ballot_count),
        (
            "lottery_last_ballot_timestamp_seconds",
            "When the last ballot was stored, 0 for none",
            last_ballot.timestamp() if last_ballot else 0,
        ),
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
    Gauge("lottery_build_info", "What runs here", list(build), registry=registry).labels(
        **build
    ).set(1)
