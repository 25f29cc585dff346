"""Timestamps: what calendars attest of the checkpoints that days were closed with (OpenTimestamps).

A calendar first promises, and hours later proves, which block of Bitcoin attests it. Nothing of a
draw depends on either.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, ForeignKeyConstraint, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.models.base import Base, insert_into
from lottery_system.timestamp_proof import ProofPath, format_proof, is_complete


class Timestamp(Base):
    """One calendar's proof about the checkpoint of one record; append-only, kept for ever.

    The complete proof is a row of its own beside the one that it completes, so that nothing can
    put a promise in its place.
    """

    __tablename__ = "timestamps"
    __table_args__ = (
        ForeignKeyConstraint(["timeline", "number"], ["journal.timeline", "journal.number"]),
    )

    timeline: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: of the record whose checkpoint is stamped
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: the address that was asked, without a password
    calendar: Mapped[str] = mapped_column(Text, primary_key=True)
    #: whether it names a block
    is_complete: Mapped[bool] = mapped_column(primary_key=True)
    #: from the checkpoint's SHA-256 on, as files `.ots` have it behind their digest
    proof: Mapped[bytes] = mapped_column(LargeBinary)

    @classmethod
    def keep(
        cls,
        connection: Connection,
        timeline: int,
        number: int,
        calendar: str,
        proof: Iterable[ProofPath],
    ) -> None:
        """Store a calendar's proof, unless there is one of it already that is as complete."""
        paths = list(proof)
        connection.execute(
            insert_into(connection.dialect, cls).on_conflict_do_nothing(),
            {
                "timeline": timeline,
                "number": number,
                "calendar": calendar,
                "is_complete": is_complete(paths),
                "proof": format_proof(paths),
            },
        )
