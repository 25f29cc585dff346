"""Application factory: `create_app` builds a lottery that anyone can run and anyone can check.

Imports nothing at the top, so that `lottery_system.fairness` works without installed packages.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from config import Settings


def create_app(settings: "Settings | None" = None, connections: int | None = None) -> "Flask":
    """Wire an application: settings, database, extensions, routes and commands.

    Args:
        settings: read from the environment if omitted.
        connections: how many to PostgreSQL this process may have; as many as it has use for if
            omitted.

    Raises:
        SettingsError: a setting is wrong.
    """
    import os
    from datetime import timedelta
    from threading import BoundedSemaphore

    from flask import Flask

    import config
    from config.database_address import for_reading
    from config.files import keep_files_private
    from lottery_system import access, cli, postman, readiness, web, witnesses
    from lottery_system.ballot_box import BallotBox
    from lottery_system.clock_check import ClockCheck
    from lottery_system.closing_check import ClosingCheck
    from lottery_system.download_turns import DownloadTurns
    from lottery_system.extensions import (
        csrf,
        db,
        login_manager,
        migrate,
        new_session,
        reading_session,
    )
    from lottery_system.free_space import FreeSpace
    from lottery_system.keys import Keyring
    from lottery_system.mark_files import MarkFiles
    from lottery_system.parts import Parts, keep
    from lottery_system.pause import Pause
    from lottery_system.rollback import Rollback
    from lottery_system.runtime import connection_budget, database
    from lottery_system.runtime.gathering import Gathering
    from lottery_system.seen_log_ins import SeenLogIns
    from lottery_system.site_cache import SiteCache
    from lottery_system.timestamps import Timestamps

    keep_files_private()
    settings = settings or config.load(os.environ)
    _make_private(settings)
    app = Flask(__name__, static_folder="../static", template_folder="../templates")
    app.config.from_mapping(_flask_config(settings))
    url, most = settings.database_url, connections or connection_budget.MOST
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = database.engine_options(url, most)
    app.config["SQLALCHEMY_BINDS"] = {
        database.READING: {"url": for_reading(url), **database.reading_options(url, most)}
    }
    pause = Pause()
    free_space = FreeSpace(settings.folders, settings.free_space, pause)
    rollback = Rollback(MarkFiles(settings.marks), pause)
    clock_check = ClockCheck(settings.clock_tolerance, pause)

    db.init_app(app)
    with app.app_context():
        database.prepare_engines(db.engine, db.engines[database.READING])
        ballot_box = BallotBox(
            db.engine,
            pause,
            rollback,
            check_clocks=clock_check.check_turn,
            ballots_per_hour=settings.ballots_per_hour,
            free_space=free_space,
            gap=timedelta(seconds=settings.gap),
        )
    keep(
        app,
        Parts(
            settings=settings,
            pause=pause,
            free_space=free_space,
            rollback=rollback,
            clock_check=clock_check,
            closing_check=ClosingCheck(settings, clock_check),
            keyring=Keyring(settings, new_session, reading_session),
            witnesses=witnesses.of(settings, rollback, pause),
            timestamps=Timestamps(settings.timestamp_urls),
            ballot_box=ballot_box,
            readiness=readiness.Readiness(ballot_box, pause),
            viewers=Gathering(web.login.viewers_of, database.OUTAGES),
            seen_log_ins=SeenLogIns(),
            log_in_waits=BoundedSemaphore(web.log_in_throttle.PLACES_TO_WAIT),
            downloads=DownloadTurns(app.app_context),
            broadcast=web.pages.live.broadcast_of(app),
            site=SiteCache(settings.name),
            postman=postman.of(settings.mail_server),
        ),
    )
    migrate.init_app(app, db, directory=os.path.join(app.root_path, "migrations"))
    web.prepare(app)
    csrf.init_app(app)
    login_manager.init_app(app, add_context_processor=False)

    web.register(app, settings)
    cli.register(app)
    access.guard(app)
    return app


def _make_private(settings: "Settings") -> None:
    """Take files that hold secrets from others, and log which ones those could read."""
    import logging

    from config.files import made_private

    log = logging.getLogger(__name__)
    private = made_private(settings.private_files)
    for file in private.tightened:
        log.warning("files: others could read %s; now they cannot", file)
    for file in private.failed:
        log.warning("files: others may read %s, which is not ours to change: chmod 600 it", file)


def _flask_config(settings: "Settings") -> dict[str, object]:
    """Translate our settings into the names that Flask and its extensions know."""
    from config.settings import LONGEST_BODY
    from lottery_system.models.login_session import LIFETIME
    from lottery_system.web.cookies import tag_of

    secure = settings.is_production
    tag = tag_of(settings.secret_key)
    return {
        "SECRET_KEY": settings.secret_key,
        "TESTING": settings.env == "testing",
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        # a `__Host-` cookie is taken only over TLS and for this host (RFC 6265bis 4.1.3.2)
        "SESSION_COOKIE_NAME": ("__Host-" if secure else "") + f"session-{tag}",
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": LIFETIME,
        "SESSION_REFRESH_EACH_REQUEST": False,
        # a form may stay open for as long as its session
        "WTF_CSRF_TIME_LIMIT": None,
        # `csrf_tokens` looks at more than the Referer
        "WTF_CSRF_SSL_STRICT": False,
        "MAX_CONTENT_LENGTH": LONGEST_BODY,
        # read by `form_origin`
        "PUBLIC_URL": settings.url,
        "SCHEDULER_API_ENABLED": False,
    }
