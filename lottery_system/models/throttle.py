"""Counters of rate limits, shared by all workers."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, String, case, delete, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base, insert_into, table_of


class Throttle(Base):
    """A counter that starts again when its window is over."""

    __tablename__ = "throttles"

    #: what is counted, for whom
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    attempt_count: Mapped[int]
    #: when the window ends
    expires_at: Mapped[datetime] = mapped_column(index=True)

    @classmethod
    def counted(
        cls, connection: Connection, keys: Collection[str], now: datetime
    ) -> dict[str, tuple[int, datetime]]:
        """Return what counters stand at and when their windows end, in one query."""
        counter = table_of(cls).c
        rows = connection.execute(
            select(counter.key, counter.attempt_count, counter.expires_at).where(
                counter.key.in_(keys), counter.expires_at > now
            )
        )
        return {row.key: (row.attempt_count, row.expires_at) for row in rows}

    @classmethod
    def add(
        cls, session: Session, key: str, most: int | None, window: timedelta, now: datetime
    ) -> bool:
        """Count one, starting again where the window is over; False where `most` are counted."""
        addition = insert_into(session.connection().dialect, cls).values(
            key=key, attempt_count=1, expires_at=now + window
        )
        is_over = cls.expires_at <= now
        count = session.scalar(
            addition.on_conflict_do_update(
                index_elements=["key"],
                set_={
                    "attempt_count": case((is_over, 1), else_=cls.attempt_count + 1),
                    "expires_at": case(
                        (is_over, addition.excluded.expires_at), else_=cls.expires_at
                    ),
                },
                where=None if most is None else or_(is_over, cls.attempt_count < most),
            ).returning(cls.attempt_count)
        )
        return count is not None

    @classmethod
    def take_back(cls, session: Session, key: str, now: datetime) -> None:
        """Uncount one, where its window is not over."""
        session.execute(
            update(cls)
            .where(cls.key == key, cls.expires_at > now, cls.attempt_count > 0)
            .values(attempt_count=cls.attempt_count - 1)
        )

    @classmethod
    def sweep(cls, session: Session, now: datetime) -> None:
        """Forget the counters whose window is over.

        Those that are being counted at this instant are left for the next time: whoever counts
        holds several, and two who wait for each other's would both wait for ever.
        """
        over = select(cls.key).where(cls.expires_at <= now).with_for_update(skip_locked=True)
        session.execute(
            delete(cls).where(cls.key.in_(over)),
            execution_options={"synchronize_session": False},
        )
