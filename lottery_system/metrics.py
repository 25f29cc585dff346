"""Metrics for Prometheus: what a process counts and measures, added up over the workers of a host.

Under gunicorn each process keeps its figures in files of one folder (`config/metrics_files.py`);
whichever worker is asked adds up all of them. Elsewhere they are the process's own.

The values of labels come from the code alone: no request chooses one, and no user is one.
"""

import os
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from config.metrics_files import FOLDER, while_nothing_is_merged
from lottery_system.runtime.offload import Offload

disable_created_metrics()  # type: ignore[no-untyped-call]
_own = CollectorRegistry()
#: reading the files of many workers takes milliseconds, in which others are to be served
_collect = Offload(threads=1, niceness=10)

#: an endpoint is the name of a route, or this one word for whatever is no address of ours
UNKNOWN = "unknown"
#: a request's end is the start of its answer: streams last for minutes
REQUESTS = Counter(
    "lottery_requests", "Requests answered", ["endpoint", "status"], registry=_own
)  # fmt: skip
REQUEST_SECONDS = Histogram(
    "lottery_request_seconds",
    "From a request, read to its end, to the start of its answer",
    ["endpoint"],
    buckets=(0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=_own,
)

BALLOTS_STORED = Counter("lottery_ballots_stored", "Ballots stored", registry=_own)
BALLOTS_REFUSED = Counter(
    "lottery_ballots_refused", "Ballots not stored, by reason", ["reason"], registry=_own
)
BALLOT_WAIT = Histogram(
    "lottery_ballot_wait_seconds",
    "From a submission in the queue to its answer",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
    registry=_own,
)
BATCH_SIZE = Histogram(
    "lottery_ballot_batch_submissions",
    "Submissions that share a transaction",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
    registry=_own,
)

CLOSING_SECONDS = Histogram(
    "lottery_closing_seconds",
    "Closing a day, its commit included",
    buckets=(0.01, 0.05, 0.25, 1, 5, 15, 60),
    registry=_own,
)
DRAWING_SECONDS = Histogram(
    "lottery_drawing_seconds",
    "Drawing a closed day, its commit included",
    buckets=(0.01, 0.05, 0.25, 1, 5, 15, 60),
    registry=_own,
)
BEACON_FAILURES = Counter(
    "lottery_beacon_failures", "Times that no relay of the beacon answered", registry=_own
)
LAST_TICK = Gauge(
    "lottery_last_tick_timestamp_seconds",
    "Last tick that did all that was due, of the worker where that is longest ago, 0 for none",
    multiprocess_mode="livemin",
    registry=_own,
)
CLOCK_SKEW = Gauge(
    "lottery_clock_skew_seconds",
    "By how much this host's clock is ahead of another, when they were last compared",
    ["against"],
    multiprocess_mode="livemostrecent",
    registry=_own,
)

READY = Gauge(
    "lottery_ready",
    "Whether each worker could store a ballot",
    multiprocess_mode="livemin",
    registry=_own,
)
PAUSED = Gauge(
    "lottery_paused",
    "Whether a worker is paused, by cause",
    ["cause"],
    multiprocess_mode="livemax",
    registry=_own,
)
WORKERS = Gauge("lottery_workers", "Workers", multiprocess_mode="livesum", registry=_own)
QUEUE_LENGTH = Gauge(
    "lottery_ballot_queue_length",
    "Submissions that wait",
    multiprocess_mode="livesum",
    registry=_own,
)
STREAMS = Gauge(
    "lottery_streams_open", "Open streams of /live", multiprocess_mode="livesum", registry=_own
)
CONNECTIONS = Gauge(
    "lottery_database_connections",
    "Connections to the database in use",
    ["engine"],
    multiprocess_mode="livesum",
    registry=_own,
)
MOST_CONNECTIONS = Gauge(
    "lottery_database_connections_limit",
    "Connections to the database that may be in use",
    ["engine"],
    multiprocess_mode="livesum",
    registry=_own,
)


def exposition() -> bytes:
    """Write all figures in Prometheus's text format, those of all workers added up."""
    folder = os.environ.get(FOLDER)
    return _collect(_of_all, Path(folder)) if folder else generate_latest(_own)


def _of_all(folder: Path) -> bytes:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    with while_nothing_is_merged(folder):
        return generate_latest(registry)
