"""gunicorn's configuration: `gunicorn --config config/gunicorn.py`."""

# gunicorn reads this file before anything else of ours: a wrong setting ends the start here, with
# its sentence, and what is imported later finds the cooperative standard library.
from gevent import monkey

monkey.patch_all()

import os
import resource
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
from gunicorn.glogging import Logger

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from config import load, metrics_files
from config.connections import BoundedWorker, is_stream
from config.demo import DemoRuns, lock_folder
from config.files import keep_files_private
from config.log_lines import FORMATTERS, FloodFilter

keep_files_private()
_settings = load(os.environ)
if _settings.demo:
    try:
        lock_folder(_settings.storage, alone=False)
    except DemoRuns as error:
        sys.exit(str(error))
_metrics = metrics_files.begin()

wsgi_app = "lottery_system:create_app()"
bind = _settings.bind
workers = _settings.workers
control_socket_disable = True
#: connections of a worker at once: those that wait for their request, the streams of `/live`, and
#: twice what may wait in its ballot box, so that a full box is told to those who come
worker_connections = 6000
#: the application alone knows whom to believe (LOTTERY_TRUSTED_PROXIES); gunicorn believes nobody,
#: not even this machine, about addresses, scheme or paths
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
#: seconds that a worker may take to finish what it has begun; the ballot box needs less
graceful_timeout = 30
proc_name = "lottery"

_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))  # each connection is an open file


class Worker(BoundedWorker):
    """A worker that knows how many proxies are in front."""

    trusted_proxies = _settings.trusted_proxies


worker_class = Worker


class EventLogger(Logger):  # type: ignore[misc]
    """Logs what happens to the server; pages are not events, and a proxy in front logs them."""

    def access(self, *_: object) -> None:
        """Say nothing."""


logger_class = EventLogger
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": FORMATTERS[_settings.log_format]}},
    # strangers can cause most lines as often as they like
    "filters": {"floods": {"()": FloodFilter}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["floods"],
        }
    },
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {
            "level": "INFO",
            "handlers": ["stderr"],
            "propagate": False,
        },
        # it notes every tick; what a tick did is noted by the draws
        "apscheduler": {"level": "WARNING"},
        "alembic": {"level": "WARNING"},
        # a refused form has its line already
        "flask_wtf": {"level": "WARNING"},
    },
}


def on_starting(server: Any) -> None:
    """Refuse a database of another version, and keys that do not match its journal, at the start.

    The first start begins the journal. If the database can't be reached, the server starts all the
    same; the workers retry, and players get 503 meanwhile. A clock in doubt stops the start only if
    the journal has not begun, since that fixes the first day.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from lottery_system import create_app
    from lottery_system.commands import reason_of
    from lottery_system.errors import OutdatedSchema, UnfitKeys
    from lottery_system.extensions import db, new_session, reading
    from lottery_system.models import JournalRecord
    from lottery_system.parts import parts_of
    from lottery_system.runtime import connection_budget, database
    from lottery_system.schema import demand_current

    if _settings.clock_tolerance is None:
        server.log.warning("clock: not checked, since LOTTERY_CLOCK_TOLERANCE is off")
    app = create_app()
    allowed: connection_budget.Allowed | None = None
    with app.app_context():
        try:
            with reading() as connection:
                database.demand_settings(connection)
                demand_current(connection)
                allowed = connection_budget.allowed_by(connection)
            parts = parts_of(app)
            rollback, pause = parts.rollback, parts.pause
            with new_session() as session:
                now = parts.clock_check.look(session)
                if pause.reasons and JournalRecord.genesis(session) is None:
                    sys.exit(pause.reasons[0])
            with reading() as connection:
                is_sound = rollback.look(connection)
            if is_sound:  # else pages stay readable, and say that it is paused
                log_keys = parts.keyring.begin(now)
                with reading() as connection:
                    rollback.look(connection)
                parts.witnesses.look(log_keys)  # the genesis is cosigned before anybody plays
        except (OutdatedSchema, UnfitKeys, database.PoolerUnset) as error:
            sys.exit(str(error))
        except SQLAlchemyError as error:
            server.log.error("start: %s", reason_of(error))
        finally:
            for engine in db.engines.values():
                engine.dispose()
        url = db.engine.url
    # a pooler has its own limit, which only its console tells
    if url.get_backend_name() == "sqlite" or database.is_pooled(url):
        return
    # gunicorn evaluates it in each worker, with literal arguments only
    server.app.app_uri = f"lottery_system:create_app(connections={_share(server, allowed)})"


def _share(server: Any, allowed: Any) -> int:
    """Return how many connections a worker may have, of those that PostgreSQL allows if known."""
    from lottery_system.runtime import connection_budget

    counts = {"workers": _settings.workers, "hosts": _settings.hosts}
    if allowed is None:
        share = connection_budget.assumed_share(**counts)
        server.log.warning("connections: assuming %s for each worker", share)
        return share
    try:
        return connection_budget.share_of(allowed, **counts)
    except connection_budget.TooFewConnections as error:
        sys.exit(str(error))


def when_ready(server: Any) -> None:
    """Print the address, and refuse HUP; what is counted from now on is the workers'.

    The master has the code in memory, so that workers it starts anew would run the old one.
    """
    metrics_files.forget(_metrics)
    server.log.info("The lottery is open: http://%s/", _settings.reached_at)
    server.handle_hup = lambda: server.log.warning(
        "HUP does nothing, since it would go on with the old code: restart the server "
        "(docs/operating.md, Restarting)"
    )


def post_fork(server: Any, worker: Any) -> None:
    """Tell a worker which master it takes over from after USR2; 0 for none."""
    worker.takes_over_from = server.master_pid


def pre_request(worker: Any, request: Any) -> None:
    """Yield to other connections first.

    Otherwise a connection whose next request is always ready would be served again and again, and
    keep all others of its worker waiting for seconds.
    """
    gevent.sleep(0)
    if is_stream(request):
        # a stream takes its connection along: a worker that stops need not wait whether another
        # request comes over it
        request.force_close()


def post_worker_init(worker: Any) -> None:
    """Start the scheduler in every worker, and end its streams when it stops.

    gunicorn waits for what it has begun, and streams would only end after minutes. They must not
    depend on the loop of the broadcast, which may itself be waiting for the database.
    """
    from lottery_system import scheduler
    from lottery_system.parts import parts_of

    broadcast = parts_of(worker.wsgi).broadcast

    def stop(number: int, frame: Any) -> None:
        worker.handle_exit(number, frame)
        gevent.spawn(broadcast.end)  # a signal handler must not wait for a lock
        gevent.spawn(worker.cut_idle)

    signal.signal(signal.SIGTERM, stop)
    signal.siginterrupt(signal.SIGTERM, False)  # as gunicorn has it
    scheduler.start(worker.wsgi)
    if worker.takes_over_from:  # both listen: whom the old workers do not serve any more waits here
        with suppress(ProcessLookupError):
            os.kill(worker.takes_over_from, signal.SIGTERM)


def worker_exit(server: Any, worker: Any) -> None:
    """Admit what still waits before the worker goes."""
    if getattr(worker, "wsgi", None):
        from lottery_system.parts import parts_of

        parts_of(worker.wsgi).ballot_box.drain()


def child_exit(server: Any, worker: Any) -> None:
    """Keep what a worker counted that has ended."""
    try:
        for name in metrics_files.merge_ended(_metrics, worker.pid):
            server.log.warning("metrics: %s cannot be read; what it counted is lost", name)
    except Exception:  # it would end the server
        server.log.exception("metrics: what a worker counted cannot be kept")


def on_exit(server: Any) -> None:
    """Remove what was counted."""
    shutil.rmtree(_metrics, ignore_errors=True)
