"""Health checks and metrics for load balancers, container engines and Prometheus."""

from collections.abc import Iterable

from flask import Blueprint, Response, current_app
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
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

IS_UP = "Whether the database answers"


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
    try:
        figures = _Figures([_gauge("lottery_database_up", IS_UP, 1), *_figures_of_the_database()])
    except SQLAlchemyError:
        figures = _Figures([_gauge("lottery_database_up", IS_UP, 0)])
    registry = CollectorRegistry()
    registry.register(figures)
    return Response(generate_latest(registry) + exposition(), mimetype=CONTENT_TYPE_LATEST)


class _Figures(Collector):
    """Figures of this one answer.

    Not `Gauge`: under gunicorn each worker would keep its own in a file, and /metrics go on telling
    what a worker saw when it was last asked, even once it has ended.
    """

    def __init__(self, figures: list[Metric]) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        return self._figures


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _figures_of_the_database() -> list[Metric]:
    """Return what the database says, all of it or nothing.

    Raises:
        SQLAlchemyError: it does not answer.
    """
    now = utcnow()
    status = standing(db.session(), now, parts().settings.gap)
    connection = db.session.connection()
    mails = Mail.counts(connection)
    last_ballot = last_ballot_at(connection)
    build = GaugeMetricFamily("lottery_build_info", "What runs here", labels=["version", "schema"])
    build.add_metric([VERSION, revision(connection) or ""], 1)
    figures = (
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
    )
    return [*(_gauge(*figure) for figure in figures), build]
