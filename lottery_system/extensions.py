"""The extensions, made here and bound to an application in `create_app`."""

from collections.abc import Iterator
from contextlib import contextmanager

from apscheduler.schedulers.gevent import GeventScheduler
from flask import Flask
from flask_apscheduler import APScheduler
from flask_limiter import Limiter
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from lottery_system.addresses import client_network
from lottery_system.csrf_tokens import MaskedTokens
from lottery_system.database import READING, ReadingSession
from lottery_system.models import Base
from lottery_system.throttles import STORAGE_URI


class RouteLimiter(Limiter):
    """A limiter of the routes that are marked for it, which check themselves.

    Its hooks before, after and at the end of every request are left out: they are for limits that
    hold for all routes, of which there are none, and cost a page without a query half its time.
    """

    def init_app(self, app: Flask) -> None:
        """Bind to an application that is told to have the hooks already."""
        app.extensions.setdefault("limiter", set()).add(self)
        super().init_app(app)


db = SQLAlchemy(model_class=Base, session_options={"class_": ReadingSession})
migrate = Migrate()
login_manager = LoginManager()
csrf = MaskedTokens()
limiter = RouteLimiter(client_network, storage_uri=STORAGE_URI, headers_enabled=False)
scheduler = APScheduler(GeventScheduler())


@contextmanager
def transaction() -> Iterator[Session]:
    """Begin a transaction that may write, and commit it, once, at the end of the block.

    Nothing in the block may wait for anything but the database: on SQLite it holds the one lock.
    """
    with new_session() as session, session.begin():
        yield session


def reading() -> Connection:
    """Return a connection that only reads, to be used in a `with`.

    For busy pages, whose rows then cost a third of what entities in a session do.
    """
    return db.engines[READING].connect()


def reading_session() -> Session:
    """Return a session that only reads."""
    return Session(db.engines[READING])


def new_session() -> Session:
    """Return a session that may write; what it loaded stays readable after it is closed."""
    return Session(db.engine, expire_on_commit=False)
