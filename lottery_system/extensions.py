"""Flask extensions, created here and bound to an application in `create_app`."""

from collections.abc import Iterator
from contextlib import contextmanager

from apscheduler.schedulers.gevent import GeventScheduler
from flask_apscheduler import APScheduler
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from lottery_system.csrf_tokens import MaskedTokens
from lottery_system.models import Base
from lottery_system.runtime.database import READING, ReadingSession

db = SQLAlchemy(model_class=Base, session_options={"class_": ReadingSession})
migrate = Migrate()
login_manager = LoginManager()
csrf = MaskedTokens()
scheduler = APScheduler(GeventScheduler())


@contextmanager
def transaction() -> Iterator[Session]:
    """Begin a transaction that may write, and commit it, once, at the end of the block.

    Nothing in the block may wait for anything but the database: on SQLite it holds the one lock.
    """
    with new_session() as session, session.begin():
        yield session


@contextmanager
def reading() -> Iterator[Connection]:
    """Yield a connection that only reads; that of the request's session if it holds one.

    For busy pages: plain rows cost a third of ORM entities. A request never waits for a second
    connection while it holds one: if all requests of a worker did, none would get it.
    """
    if db.session.registry.has():
        session = db.session()
        if session.in_transaction():
            yield session.connection()
            return
    with db.engines[READING].connect() as connection:
        yield connection


def reading_session() -> Session:
    """Return a session that only reads."""
    return Session(db.engines[READING])


def new_session() -> Session:
    """Return a session that may write; what it loaded stays readable after it is closed."""
    return Session(db.engine, expire_on_commit=False)
