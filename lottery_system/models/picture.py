"""Uploaded images in the database: pictures of lotteries, and the logo."""

from sqlalchemy import Connection, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.models.base import Base, insert_into
from lottery_system.pictures import Encoded

DIGEST_LENGTH = 64
MEDIA_TYPE = "image/webp"


class Picture(Base):
    """A picture in two sizes, encoded by this application; never changed, never deleted.

    It is in the database because hosts share that, and backups include it.
    """

    __tablename__ = "pictures"

    #: SHA-256 of `bytes`, in hex
    digest: Mapped[str] = mapped_column(String(DIGEST_LENGTH), primary_key=True)
    media_type: Mapped[str] = mapped_column(String(20))
    #: pixels
    width: Mapped[int]
    height: Mapped[int]
    small_width: Mapped[int]
    small_height: Mapped[int]
    # last, so that SQLite skips them when it reads other columns; loaded only on access
    small_bytes: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    bytes: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)

    @classmethod
    def keep(cls, connection: Connection, encoded: Encoded) -> str:
        """Store a picture, unless it is stored already, and return its digest."""
        row = {
            "digest": encoded.digest,
            "media_type": MEDIA_TYPE,
            "width": encoded.large.width,
            "height": encoded.large.height,
            "small_width": encoded.small.width,
            "small_height": encoded.small.height,
            "small_bytes": encoded.small.content,
            "bytes": encoded.large.content,
        }
        adding = insert_into(connection.dialect, cls).values(row)
        connection.execute(adding.on_conflict_do_nothing())
        return encoded.digest
