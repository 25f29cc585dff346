"""Draw: the event of one UTC day. It takes ballots, closes, and is drawn, each exactly once.

Every transition is one conditional UPDATE whose row count is checked, so that any number of workers
and hosts may try at once and one succeeds.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    CheckConstraint,
    Connection,
    CursorResult,
    Enum,
    LargeBinary,
    Select,
    Update,
    bindparam,
    case,
    exists,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from lottery_system.clock import ONE_DAY, closes_at, day_of, starts_at
from lottery_system.errors import BadBeacon, TooEarly
from lottery_system.fairness import beacon, commitment
from lottery_system.fairness.merkle import Frontier
from lottery_system.fairness.records import Freeze, format_freeze
from lottery_system.fairness.selection import SEED_BYTES, seed_of, winning_ballots
from lottery_system.models.base import Base, UTCDateTime, insert_into, table_of
from lottery_system.models.claim_event import ClaimEvent
from lottery_system.models.database_clock import Clocks, DatabaseClock
from lottery_system.models.journal import JournalRecord, LogKeys
from lottery_system.models.offer import Offer
from lottery_system.models.offer_note import OfferNote
from lottery_system.models.prizes import finish_won
from lottery_system.models.winner import Winner


class DrawStatus(StrEnum):
    """What a day's draw stands at."""

    OPEN = "open"
    CLOSED = "closed"
    DRAWN = "drawn"
    #: its result was published and lost with the database; it is never drawn again
    LOST = "lost"


OPEN, CLOSED, DRAWN, LOST = DrawStatus


class Turn(NamedTuple):
    """The lock on a day for adding ballots, held until the transaction ends."""

    day: date
    #: ballots in the day so far; the next one's number is one more
    ballot_count: int
    #: the instant of admission, always within `day`
    now: datetime
    #: the day's log so far
    frontier: Frontier
    #: how many records the journal has
    journal_size: int
    #: times of the host's and the database's clocks, to be compared
    clocks: Clocks


#: text, as a migration has made it
_STATUS = Enum(DrawStatus, native_enum=False, length=6, values_callable=list)


class Draw(Base):
    """One UTC day over all lotteries: `open`, then `closed`, then `drawn`."""

    __tablename__ = "draws"
    __table_args__ = (
        CheckConstraint("ballot_count >= 0", "ballot_count"),
        CheckConstraint(
            "(status = 'open' AND seed IS NULL AND places IS NULL"
            " AND closed_at IS NULL AND drawn_at IS NULL)"
            " OR (status = 'closed' AND seed IS NULL AND places >= 1"
            " AND closed_at IS NOT NULL AND drawn_at IS NULL)"
            " OR (status = 'drawn' AND seed IS NOT NULL AND places >= 1"
            " AND closed_at IS NOT NULL AND drawn_at IS NOT NULL)"
            " OR (status = 'lost' AND seed IS NULL AND places IS NULL"
            " AND closed_at IS NULL AND drawn_at IS NULL)",
            "status",
        ),
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    status: Mapped[DrawStatus] = mapped_column(_STATUS, default=OPEN)
    #: accepted = stored = the greatest number of the day
    ballot_count: Mapped[int] = mapped_column(default=0)
    #: what the day's log needs to grow, see `merkle.Frontier`; its root is that of all ballots
    frontier: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    #: what the winning numbers follow from: freeze and beacon, hashed
    seed: Mapped[bytes | None] = mapped_column(LargeBinary(SEED_BYTES))
    #: the beacon's, of the round that the freeze names; None in mode operator
    beacon_signature: Mapped[bytes | None] = mapped_column(LargeBinary(beacon.SIGNATURE_BYTES))
    #: how many different winning ballots are drawn
    places: Mapped[int | None]
    closed_at: Mapped[datetime | None]
    drawn_at: Mapped[datetime | None]

    @classmethod
    def open_until(cls, connection: Connection, day: date) -> None:
        """Insert the missing draws up to `day`, without a gap.

        The first call fixes the first day.
        """
        last = connection.scalar(select(func.max(cls.day)))
        missing = [day] if last is None else _days_after(last, day)
        if missing:
            connection.execute(
                insert_into(connection.dialect, cls).on_conflict_do_nothing(),
                [
                    {"day": each, "status": OPEN, "ballot_count": 0, "frontier": b""}
                    for each in missing
                ],
            )

    @classmethod
    def take_turn(cls, connection: Connection, utcnow: Callable[[], datetime]) -> Turn:
        """Lock the day that ballots count in now, opening it if need be.

        Reads the clock under the lock: an earlier reading may be older than the close that it
        waited for. If another host, whose clock is ahead, has closed the day already, the ballots
        count in the next day, from its first instant. The same holds for a clock that was set back
        before the first day.
        """
        before = utcnow()
        day = day_of(before)
        while True:
            row = connection.execute(_turn(), {"day": day}).one_or_none()
            now = utcnow()
            if row is None:
                cls.open_until(connection, day)
                day = max(day, connection.scalar(select(func.min(cls.day))) or day)
            elif row.status != OPEN:
                day += ONE_DAY
            elif day_of(now) > day:
                day = day_of(now)
            else:
                frontier = Frontier.from_bytes(row.ballot_count, row.frontier)
                clocks = Clocks(before, row.database_clock, now)
                return Turn(
                    day=day,
                    ballot_count=row.ballot_count,
                    now=max(now, starts_at(day)),
                    frontier=frontier,
                    journal_size=row.journal_size,
                    clocks=clocks,
                )

    @classmethod
    def hold_all(cls, connection: Connection) -> None:
        """Lock all days: no ballot comes in and no day closes until the transaction ends.

        For decisions that depend on counts of ballots or wins. The open day's row is not enough:
        another host whose clock is ahead may open the next day. Call it before any other lock. On
        SQLite the transaction itself is that lock.
        """
        if connection.dialect.name == "postgresql":
            connection.execute(_HOLDING)

    @classmethod
    def count_ballots(cls, connection: Connection, turn: Turn, grown: Frontier) -> None:
        """Update the locked day to the ballots of its log.

        Raises:
            RuntimeError: the day moved under the lock, which must be impossible.
        """
        counted = connection.execute(
            _counting(),
            {
                "day_of_turn": turn.day,
                "count_of_turn": turn.ballot_count,
                "ballot_count": grown.size,
                "frontier": grown.to_bytes(),
            },
        )
        if _rows(counted) != 1:
            raise RuntimeError(f"the count of {turn.day} moved while its row was locked")

    @classmethod
    def first_undrawn(cls, session: Session) -> date:
        """Return the oldest day that is not drawn."""
        undrawn = cls.status.in_((OPEN, CLOSED))
        return session.scalars(select(func.min(cls.day)).where(undrawn)).one()

    @classmethod
    def due_to_close(cls, session: Session, now: datetime) -> Sequence[date]:
        """List the open days that are over, the oldest first."""
        return session.scalars(
            select(cls.day).where(cls.status == OPEN, cls.day < day_of(now)).order_by(cls.day)
        ).all()

    @classmethod
    def due_to_draw(cls, session: Session) -> Sequence[date]:
        """List the closed days that are not drawn, the oldest first."""
        return session.scalars(select(cls.day).where(cls.status == CLOSED).order_by(cls.day)).all()

    @classmethod
    def close(
        cls, session: Session, day: date, now: datetime, places: int, log_keys: LogKeys
    ) -> bool:
        """Close a day to ballots and write its freeze into the journal, in one transaction.

        Fixes count, log, places, secret, the beacon's round and the offers, which are signed. So a
        repeated draw finds the same winners, and a crash never leads to a second draw. Exactly one
        caller gets True; a day waits for the days before it.

        Raises:
            TooEarly: the midnight that ends the day has not come.
            RuntimeError: the journal has not begun.
            UnfitKeys: the keys are those of a journal that has ended since.
        """
        if now < closes_at(day):
            raise TooEarly(f"{day} closes at {closes_at(day):%Y-%m-%d %H:%M} UTC.")
        genesis = JournalRecord.genesis(session)
        if genesis is None:
            raise RuntimeError("no day can be closed before the journal has begun")
        draw = (day - genesis.first).days
        # before the day is locked: a chain of a hundred years takes milliseconds
        secret = commitment.reveal(log_keys.tip, draw) if draw >= 0 else b""
        values = {"status": CLOSED, "places": places, "closed_at": now}
        if not cls._move(session, day, OPEN, values):
            return False
        row = session.execute(select(cls.ballot_count, cls.frontier).where(cls.day == day)).one()
        frozen = now.replace(microsecond=0)
        number = None
        if log_keys.chain is not None:
            due = beacon.due_time(closes_at(day), frozen, genesis.gap)
            number = beacon.round_at(log_keys.chain, due)
        last = JournalRecord.before(session, draw, log_keys.key)
        freeze = Freeze(
            draw=draw,
            day=day,
            closes=closes_at(day),
            size=row.ballot_count,
            frozen=frozen,
            root=Frontier.from_bytes(row.ballot_count, row.frontier).root,
            places=places,
            secret=secret,
            round=number,
            previous=last.hash,
        )
        last.freeze(session, freeze, log_keys.key)
        Offer.keep(session.connection(), day)
        OfferNote.sign(session.connection(), day, log_keys.key)
        return True

    @classmethod
    def draw(
        cls,
        session: Session,
        day: date,
        now: datetime,
        log_keys: LogKeys,
        signature: bytes | None = None,
        *,
        claim_days: int | None = None,
    ) -> bool:
        """Make a closed day's draw: status, winners and the prize's offer in one transaction.

        Exactly one caller gets True; a day waits for the days before it. Where the last prize of a
        lottery is won, the lottery finishes with it.

        Args:
            signature: the beacon's, of the round that the day's freeze names; None in mode
                operator.
            claim_days: days after this one on which the prize can be claimed; None for any.

        Raises:
            BadBeacon: the signature is not the network's for that round, or there is none where
                the day needs one, or one where it needs none.
        """
        freeze = JournalRecord.freezes(session, [day]).get(day)
        if freeze is None:  # not closed
            return False
        _check_beacon(freeze, log_keys, signature)
        seed = seed_of(format_freeze(freeze), signature)
        # whoever closed it may have read the clock after us: `drawn_at` must not be before
        # `closed_at`
        drawn_at = case((cls.closed_at > now, cls.closed_at), else_=literal(now, UTCDateTime))
        values: dict[str, object] = {
            "status": DRAWN,
            "drawn_at": drawn_at,
            "seed": seed,
            "beacon_signature": signature,
        }
        if not cls._move(session, day, CLOSED, values):
            return False
        picks = winning_ballots(seed, freeze.size, freeze.places)
        if picks:
            session.execute(
                insert_into(session.connection().dialect, Winner),
                [{"day": day, "place": pick.place, "number": pick.number} for pick in picks],
            )
            at = session.scalars(select(cls.drawn_at).where(cls.day == day)).one() or now
            lottery_id = ClaimEvent.offer(session.connection(), day, 1, at, claim_days)
            finish_won(session.connection(), lottery_id, now)
        return True

    @classmethod
    def _move(
        cls, session: Session, day: date, status: DrawStatus, values: dict[str, object]
    ) -> bool:
        """Move a day out of `status`, unless somebody did or an earlier day is still in it."""
        earlier = aliased(cls)
        moved = session.execute(
            update(cls)
            .where(
                cls.day == day,
                cls.status == status,
                ~exists().where(earlier.day < day, earlier.status.in_((OPEN, status))),
            )
            .values(values)
            .execution_options(synchronize_session=False)
        )
        return _rows(moved) == 1


#: blocks transactions that lock or write rows of draws, but no readers
_HOLDING = text("LOCK TABLE draws IN EXCLUSIVE MODE")


@cache
def _turn() -> Select[Any]:
    """Build a busy statement, once: building it costs as much as running it."""
    draw = table_of(Draw).c
    journal, newest = table_of(JournalRecord).c, table_of(JournalRecord).alias("newest").c
    size = (
        select(func.coalesce(func.max(journal.number) + 1, 0))
        .where(journal.timeline == select(func.max(newest.timeline)).scalar_subquery())
        .scalar_subquery()
    )
    return (
        select(
            draw.status,
            draw.ballot_count,
            draw.frontier,
            size.label("journal_size"),
            DatabaseClock().label("database_clock"),
        )
        .where(draw.day == bindparam("day"))
        .with_for_update()
    )


@cache
def _counting() -> Update:
    """Build a busy statement, once."""
    draw = table_of(Draw)
    return update(draw).where(
        draw.c.day == bindparam("day_of_turn"),
        draw.c.status == OPEN,
        draw.c.ballot_count == bindparam("count_of_turn"),
    )


def _check_beacon(freeze: Freeze, log_keys: LogKeys, signature: bytes | None) -> None:
    if freeze.round is None or log_keys.chain is None or signature is None:
        if freeze.round is not None or signature is not None:
            raise BadBeacon(f"The draw of {freeze.day} takes round {freeze.round or 'none'}.")
        return
    if not beacon.check_signature(log_keys.chain, freeze.round, signature):
        raise BadBeacon(
            f"This is not the beacon's signature of round {freeze.round}, which the draw of "
            f"{freeze.day} takes. Nothing was drawn; look the round up again."
        )


def _days_after(last: date, day: date) -> list[date]:
    return [last + ONE_DAY * step for step in range(1, (day - last).days + 1)]


def _rows(result: object) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
