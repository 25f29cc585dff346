"""Cosignatures: which witnesses signed a record's checkpoint, and whether before its day was drawn.

A witness says with it that it had seen no other journal (C2SP tlog-cosignature). A certificate has
those that were here when its day was drawn, and never changes afterwards.
"""

from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, ForeignKeyConstraint, LargeBinary, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.fairness.cosignature import WitnessKey, format_witness_key
from lottery_system.models.base import Base, insert_into, table_of
from lottery_system.models.draw import CLOSED, Draw
from lottery_system.models.journal import JournalRecord


class Cosigned(NamedTuple):
    """What a witness answered, checked."""

    witness: WitnessKey
    #: seconds since 1970 by the witness's clock
    time: int
    #: the signature line, which ends with a line feed
    line: str


class Cosignature(Base):
    """One witness's signature below the checkpoint of one record; append-only, kept for ever."""

    __tablename__ = "cosignatures"
    __table_args__ = (
        ForeignKeyConstraint(["timeline", "number"], ["journal.timeline", "journal.number"]),
    )

    timeline: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: of the record whose checkpoint was signed
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: SHA-256 of the witness's key as policies have it, which may be long
    witness: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    #: seconds since 1970, as the witness says; nothing of a draw follows from it
    time: Mapped[int] = mapped_column(BigInteger)
    #: verbatim, with its line feed
    line: Mapped[str] = mapped_column(Text)
    #: whether it was here before the day was drawn; the genesis has no draw
    before_draw: Mapped[bool]

    @classmethod
    def keep(cls, connection: Connection, timeline: int, number: int, signed: Cosigned) -> None:
        """Store a cosignature, unless there is one of this witness already.

        The first is kept: a witness that is asked again answers with a later time.
        """
        day = select(JournalRecord.day).where(
            JournalRecord.timeline == timeline, JournalRecord.number == number
        )
        # locked, so that the draw is either over or waits for this
        status = connection.scalar(
            select(Draw.status)
            .where(Draw.day == day.scalar_subquery())
            .with_for_update(read=True, of=table_of(Draw))
        )
        connection.execute(
            insert_into(connection.dialect, cls).on_conflict_do_nothing(),
            {
                "timeline": timeline,
                "number": number,
                "witness": witness_digest(signed.witness),
                "time": signed.time,
                "line": signed.line,
                "before_draw": status is None or status == CLOSED,
            },
        )


def witness_digest(key: WitnessKey) -> bytes:
    """Return by what a witness's cosignatures are known."""
    return sha256(format_witness_key(key).encode()).digest()
