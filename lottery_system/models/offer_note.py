"""The signed note of a day's offers: by it nobody can say later that something else was won."""

from datetime import date

from sqlalchemy import Connection, ForeignKey, Text, insert
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.fairness.note import SigningKey
from lottery_system.fairness.offers import sign_offers
from lottery_system.models.base import Base, table_of
from lottery_system.models.offer import Offer


class OfferNote(Base):
    """What was signed of a day's offers when it closed; only ever added, kept for ever.

    Days that were closed before there were such notes have none. The text that is signed is not
    stored: it follows from the offers, which are kept as well.
    """

    __tablename__ = "offer_notes"

    day: Mapped[date] = mapped_column(ForeignKey("draws.day"), primary_key=True)
    #: a signed note, see `fairness.offers`
    note: Mapped[str] = mapped_column(Text)

    @classmethod
    def sign(cls, connection: Connection, day: date, key: SigningKey) -> None:
        """Sign a day's offers, in the transaction that closes it and has just kept them.

        The primary key refuses a second note of a day.
        """
        note = sign_offers(Offer.of_day(connection, day), key).note
        connection.execute(insert(table_of(cls)).values(day=day, note=note))
