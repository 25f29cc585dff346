"""Counters of attempts in the database, in the shape that Flask-Limiter asks for.

A counter in a worker's memory would let every worker be tried anew. Each count commits by itself,
since an attempt has happened whatever becomes of the request.
"""

from datetime import timedelta

from flask import current_app
from limits.storage import Storage
from sqlalchemy import Engine, case, delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from lottery_system.clock import utcnow
from lottery_system.models import Throttle
from lottery_system.models.base import insert_into

STORAGE_URI = "database://"


class DatabaseStorage(Storage):
    """Fixed windows in the table `throttles` of the application's database."""

    STORAGE_SCHEME = ["database"]  # noqa: RUF012 (as its base class declares it)

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return what may go wrong."""
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter, starting it anew after `expiry` seconds; return what it then is."""
        now = utcnow()
        with Session(_engine()) as session, session.begin():
            addition = insert_into(session.connection().dialect, Throttle).values(
                key=key, attempt_count=amount, expires_at=now + timedelta(seconds=expiry)
            )
            is_over = Throttle.expires_at <= now
            count = session.scalar(
                addition.on_conflict_do_update(
                    index_elements=["key"],
                    set_={
                        "attempt_count": case(
                            (is_over, amount), else_=Throttle.attempt_count + amount
                        ),
                        "expires_at": case(
                            (is_over, addition.excluded.expires_at), else_=Throttle.expires_at
                        ),
                    },
                ).returning(Throttle.attempt_count)
            )
        return count or 0

    def get(self, key: str) -> int:
        """Return what a counter stands at."""
        with Session(_engine()) as session:
            return (
                session.scalar(
                    select(Throttle.attempt_count).where(
                        Throttle.key == key, Throttle.expires_at > utcnow()
                    )
                )
                or 0
            )

    def get_expiry(self, key: str) -> float:
        """Return when a counter starts anew, in seconds since the epoch."""
        with Session(_engine()) as session:
            expires_at = session.scalar(select(Throttle.expires_at).where(Throttle.key == key))
        return (expires_at or utcnow()).timestamp()

    def check(self) -> bool:
        """Tell whether the storage can be used; the database's own checks say so."""
        return True

    def reset(self) -> int | None:
        """Forget all counters."""
        with Session(_engine()) as session, session.begin():
            session.execute(delete(Throttle))
        return None

    def clear(self, key: str) -> None:
        """Forget one counter."""
        with Session(_engine()) as session, session.begin():
            session.execute(delete(Throttle).where(Throttle.key == key))


def _engine() -> Engine:
    engine: Engine = current_app.extensions["sqlalchemy"].engine
    return engine
