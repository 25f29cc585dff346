"""Journal: the append-only log of all days, with its genesis and a freeze for each day.

Record 0 is the genesis, record i+1 the freeze of draw i (daily-draw/v1, section 2: kinds of
logs). Each record is stored with the checkpoint that was signed when it was the last one, so that a
published certificate never changes.
"""

from collections.abc import Collection
from datetime import date
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import CheckConstraint, LargeBinary, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.errors import UnfitKeys
from lottery_system.fairness.beacon import ChainInfo
from lottery_system.fairness.merkle import Frontier, leaf_hash
from lottery_system.fairness.note import (
    Checkpoint,
    NoteError,
    SigningKey,
    open_checkpoint,
    sign_checkpoint,
)
from lottery_system.fairness.records import (
    Freeze,
    Genesis,
    format_freeze,
    format_genesis,
    parse_freeze,
    parse_genesis,
)
from lottery_system.models.base import Base
from lottery_system.models.tile import JournalTile


class LogKeys(NamedTuple):
    """The secret keys of a lottery's logs, and the beacon chosen for its lifetime."""

    #: signs the checkpoints of all logs
    key: SigningKey
    #: the beginning of the secret chain, 32 bytes
    tip: bytes
    #: the beacon's network; None in mode operator
    chain: ChainInfo | None

    def __repr__(self) -> str:
        """Show the lottery's name and no secret."""
        return f"LogKeys({self.key.name!r})"


class JournalRecord(Base):
    """One record of the journal; append-only."""

    __tablename__ = "journal"
    __table_args__ = (
        CheckConstraint("(number = 0) = (day IS NULL)", "day"),
        CheckConstraint("number >= 0", "number"),
        CheckConstraint("timeline >= 0", "timeline"),
    )

    #: 0 for the journal that this lottery began with; each recovery ends one and begins the next
    timeline: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=0)
    #: the leaf's index: 0 for the genesis, 1 for draw 0
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: whose freeze it is; the genesis has none
    day: Mapped[date | None] = mapped_column(unique=True)
    #: verbatim, as it is hashed
    record: Mapped[str] = mapped_column(Text)
    #: of the journal up to this record, a signed note
    checkpoint: Mapped[str] = mapped_column(Text)
    #: what the journal's tree needs to grow by the next one
    frontier: Mapped[bytes] = mapped_column(LargeBinary)

    @classmethod
    def genesis(cls, session: Session) -> Genesis | None:
        """Return what is fixed for the life of the journal at hand; None before the first start."""
        newest = select(func.max(cls.timeline)).scalar_subquery()
        record = session.scalar(select(cls.record).where(cls.timeline == newest, cls.number == 0))
        return parse_genesis(record) if record else None

    @classmethod
    def timeline_at_hand(cls, session: Session) -> int | None:
        """Return the timeline of the journal at hand; None before the first start."""
        return session.scalar(select(func.max(cls.timeline)))

    @classmethod
    def last(cls, session: Session) -> "JournalRecord | None":
        """Return the newest record."""
        newest = select(cls).order_by(cls.timeline.desc(), cls.number.desc()).limit(1)
        return session.scalar(newest)

    @classmethod
    def freezes(cls, session: Session, days: Collection[date]) -> dict[date, Freeze]:
        """Return the freezes of some days."""
        rows = session.execute(select(cls.day, cls.record).where(cls.day.in_(days)))
        return {row.day: parse_freeze(row.record) for row in rows if row.day}

    @classmethod
    def begin(cls, session: Session, genesis: Genesis, key: SigningKey, timeline: int = 0) -> None:
        """Write the genesis; the primary key refuses a second one."""
        cls._append(
            session,
            key,
            timeline=timeline,
            frontier=Frontier(),
            day=None,
            record=format_genesis(genesis),
        )

    @classmethod
    def before(cls, session: Session, draw: int, key: SigningKey) -> "JournalRecord":
        """Return the newest record, behind which the freeze of a draw belongs.

        Raises:
            RuntimeError: the draw is not the next one, which must be impossible.
            UnfitKeys: the key is another journal's: this one began after whoever closes the day
                read the keys.
        """
        last = cls.last(session)
        if last is not None and not last.is_signed_by(key):
            raise UnfitKeys(
                "The day stays open: the keys at hand are not those of the journal, which another "
                "process has begun meanwhile."
            )
        if last is None or last.number != draw:
            raise RuntimeError(f"the journal is not where draw {draw} follows")
        return last

    @property
    def hash(self) -> bytes:
        """Return what the record behind this one names as the one before."""
        return sha256(self.record.encode()).digest()

    def is_signed_by(self, key: SigningKey) -> bool:
        """Tell whether a key is that of this record's journal."""
        try:
            open_checkpoint(self.checkpoint, key.verifier)
        except NoteError:
            return False
        return True

    def freeze(self, session: Session, freeze: Freeze, key: SigningKey) -> None:
        """Write the freeze of a day behind this record, in the transaction that closes the day."""
        self._append(
            session,
            key,
            timeline=self.timeline,
            frontier=Frontier.from_bytes(self.number + 1, self.frontier),
            day=freeze.day,
            record=format_freeze(freeze),
        )

    @classmethod
    def _append(
        cls,
        session: Session,
        key: SigningKey,
        *,
        timeline: int,
        frontier: Frontier,
        day: date | None,
        record: bytes,
    ) -> None:
        grown, rows = frontier.extend([leaf_hash(record)])
        checkpoint = sign_checkpoint(Checkpoint(key.name, grown.size, grown.root), key)
        session.add(
            cls(
                timeline=timeline,
                number=frontier.size,
                day=day,
                record=record.decode("ascii"),
                checkpoint=checkpoint,
                frontier=grown.to_bytes(),
            )
        )
        session.flush()
        JournalTile.grow(session.connection(), timeline, rows)
