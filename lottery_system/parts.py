"""Application state: the parts that an application is made of, one object for each process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore

from flask import Flask, current_app
from sqlalchemy.orm import Session

from config import Settings
from lottery_system.ballot_box import BallotBox
from lottery_system.clock_check import ClockCheck
from lottery_system.closing_check import ClosingCheck
from lottery_system.download_turns import DownloadTurns
from lottery_system.extensions import transaction
from lottery_system.free_space import FreeSpace
from lottery_system.keys import Keyring
from lottery_system.models.login_session import Viewer
from lottery_system.pause import Pause
from lottery_system.postman import Postman
from lottery_system.queries.live import Moment
from lottery_system.readiness import Readiness
from lottery_system.rollback import Rollback
from lottery_system.runtime.broadcast import Broadcast
from lottery_system.runtime.gathering import Gathering
from lottery_system.seen_log_ins import SeenLogIns
from lottery_system.site_cache import SiteCache
from lottery_system.timestamps import Timestamps
from lottery_system.witnesses import Witnesses

#: key in Flask's `app.extensions`
NAME = "lottery"


@dataclass(frozen=True, repr=False)
class Parts:
    """What `create_app` makes once and views, commands and the scheduler use."""

    settings: Settings
    pause: Pause
    free_space: FreeSpace
    rollback: Rollback
    clock_check: ClockCheck
    closing_check: ClosingCheck
    keyring: Keyring = field(repr=False)
    witnesses: Witnesses
    timestamps: Timestamps
    ballot_box: BallotBox
    readiness: Readiness
    #: who is logged in, by token
    viewers: Gathering[str, Viewer]
    seen_log_ins: SeenLogIns
    #: slots for attempts to log in that wait
    log_in_waits: BoundedSemaphore
    downloads: DownloadTurns
    broadcast: Broadcast[Moment]
    site: SiteCache
    #: None where no mails are sent
    postman: Postman | None


def keep(app: Flask, parts: Parts) -> None:
    """Store the parts of an application, replacing any before."""
    app.extensions[NAME] = parts


def parts_of(app: Flask) -> Parts:
    """Return the parts of an application."""
    stored = app.extensions[NAME]
    assert isinstance(stored, Parts)
    return stored


def parts() -> Parts:
    """Return the parts of the current application."""
    return parts_of(current_app)


@contextmanager
def checked_transaction() -> Iterator[Session]:
    """Begin a transaction about prizes, which follow from draws and are refused when draws are.

    Raises:
        Paused: no draws are made for now, or the database was rolled back.
    """
    parts().pause.refuse_draws()
    with transaction() as session:
        parts().rollback.check(session.connection())
        yield session
