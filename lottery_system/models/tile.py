"""Tiles: the hashes of the logs, append-only, in the order of the tree.

A tile (256 hashes of one level, C2SP tlog-tiles) is stored in pieces, each written by the
transaction that added its leaves. Rows never change; a tile is the concatenation of its pieces. A
day's leaf hashes, level 0, are stored with their submissions.
"""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import CheckConstraint, Connection, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.fairness.merkle import Row
from lottery_system.fairness.tiles import pieces
from lottery_system.models.base import Base, table_of


class JournalTile(Base):
    """A piece of a tile of the journal."""

    __tablename__ = "journal_tiles"
    __table_args__ = (
        CheckConstraint("first >= 0 AND first < 256", "first"),
        {"sqlite_with_rowid": False},
    )

    #: of the journal, see `JournalRecord`
    timeline: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=0)
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: of the tile within its level
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: place of the piece's first hash in the tile
    first: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: 32 bytes each
    hashes: Mapped[bytes] = mapped_column(LargeBinary)

    @classmethod
    def grow(cls, connection: Connection, timeline: int, rows: Sequence[Row]) -> None:
        """Store the nodes that became perfect in a journal."""
        added = [{"timeline": timeline, **each} for each in _pieces(rows)]
        connection.execute(_ADD_TO_JOURNAL, added)


class BallotTile(Base):
    """A piece of a tile of a day's log of ballots, from level 1 on."""

    __tablename__ = "ballot_tiles"
    __table_args__ = (
        CheckConstraint("first >= 0 AND first < 256", "first"),
        CheckConstraint("level >= 1", "level"),
        {"sqlite_with_rowid": False},
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: of the tile within its level
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: place of the piece's first hash in the tile
    first: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    #: 32 bytes each
    hashes: Mapped[bytes] = mapped_column(LargeBinary)

    @classmethod
    def grow(cls, connection: Connection, day: date, rows: Sequence[Row]) -> None:
        """Store the nodes that became perfect in a day's log, once in 256 ballots."""
        rows_of_level = [{"day": day, **each} for each in _pieces(rows) if each["level"]]
        if rows_of_level:
            connection.execute(_ADD_TO_DAY, rows_of_level)


def _pieces(rows: Sequence[Row]) -> list[dict[str, object]]:
    return [
        {
            "level": piece.tile.level,
            "number": piece.tile.number,
            "first": piece.offset,
            "hashes": piece.hashes,
        }
        for piece in pieces(rows)
    ]


_ADD_TO_JOURNAL = table_of(JournalTile).insert()
_ADD_TO_DAY = table_of(BallotTile).insert()
