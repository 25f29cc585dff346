"""Signed notes of offers: each proves which prizes a day's ballots could win."""

from datetime import date

from sqlalchemy import Connection, ForeignKey, Text, insert
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.fairness.note import SigningKey
from lottery_system.fairness.offers import sign_offers
from lottery_system.models.base import Base, table_of
from lottery_system.models.offer import Offer


class OfferNote(Base):
    """The signed note of a day's offers, made when it closed; append-only, kept for ever.

    Days that closed before migration 0010 have none. The signed text is not stored, since it is
    made of the offers, which are kept as well.
    """

    __tablename__ = "offer_notes"

    day: Mapped[date] = mapped_column(ForeignKey("draws.day"), primary_key=True)
    #: a signed note, see `fairness.offers`
    note: Mapped[str] = mapped_column(Text)

    @classmethod
    def sign(cls, connection: Connection, day: date, key: SigningKey) -> None:
        """Sign a day's offers; call it in the transaction that closes the day and has stored them.

        The primary key refuses a second note for a day.
        """
        note = sign_offers(Offer.of_day(connection, day), key).note
        connection.execute(insert(table_of(cls)).values(day=day, note=note))
