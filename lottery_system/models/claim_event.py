"""Claims of prizes as an append-only log: offered, claimed, handed over, or lapsed."""

from datetime import date, datetime, timedelta

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    insert,
    select,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.clock import day_of
from lottery_system.models.ballot import Ballot
from lottery_system.models.base import Base, table_of
from lottery_system.models.mail import Mail, MailKind
from lottery_system.models.winner import Winner

OFFERED, CLAIMED, HANDED_OVER, LAPSED = "offered", "claimed", "handed_over", "lapsed"

#: longest texts of a claim, in characters
REASON_LENGTH = NOTE_LENGTH = 500
MESSAGE_LENGTH = 1000
CONTACT_LENGTH = 200

_HAS_ENDED = text("kind IN ('handed_over', 'lapsed')")


class ClaimEvent(Base):
    """An event of the prize of a place; append-only, kept for ever.

    Triggers enforce the order. A winner is offered the prize once its day is drawn, a reserve once
    the place before it has lapsed. The prize is claimed before its deadline, and ends once: handed
    over or lapsed.
    """

    __tablename__ = "claim_events"
    __table_args__ = (
        ForeignKeyConstraint(["day", "place"], ["winners.day", "winners.place"]),
        CheckConstraint("kind IN ('offered', 'claimed', 'handed_over', 'lapsed')", "kind"),
        CheckConstraint(
            "(claim_until IS NULL OR kind = 'offered')"
            " AND (kind = 'lapsed') = (reason IS NOT NULL)"
            " AND (kind = 'handed_over') = (handed_on IS NOT NULL)"
            " AND (kind = 'handed_over') = (note IS NOT NULL)",
            "values",
        ),
        Index(
            "ix_claim_events_one_end",
            "day",
            "place",
            unique=True,
            sqlite_where=_HAS_ENDED,
            postgresql_where=_HAS_ENDED,
        ),
        Index("ix_claim_events_kind_lottery_id", "kind", "lottery_id"),
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(11), primary_key=True)
    #: lottery and owner of the ballot in this place, checked by a trigger
    lottery_id: Mapped[int] = mapped_column(ForeignKey("lotteries.id"))
    holder_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    at: Mapped[datetime]
    #: None: the tick, or a command of the operator
    done_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    #: of an offer: the last UTC day to claim it; None for no deadline
    claim_until: Mapped[date | None]
    #: why it lapsed; everyone can read it
    reason: Mapped[str | None] = mapped_column(String(REASON_LENGTH))
    #: when and how it was handed over; everyone can read it
    handed_on: Mapped[date | None]
    note: Mapped[str | None] = mapped_column(String(NOTE_LENGTH))

    @classmethod
    def offer(
        cls,
        connection: Connection,
        day: date,
        place: int,
        at: datetime,
        claim_days: int | None,
        *,
        tells: bool = True,
    ) -> int:
        """Offer the prize of a place, and return the lottery whose prize it is.

        Args:
            claim_days: days to claim it after that of `at`; None for no deadline.
            tells: whether a mail tells the winner, who may have an address.
        """
        winner, ballot = table_of(Winner).c, table_of(Ballot).c
        row = connection.execute(
            select(ballot.lottery_id, ballot.user_id)
            .join_from(
                table_of(Winner),
                table_of(Ballot),
                (ballot.day == winner.day) & (ballot.number == winner.number),
            )
            .where(winner.day == day, winner.place == place)
        ).one()
        connection.execute(
            insert(table_of(cls)),
            {
                "day": day,
                "place": place,
                "kind": OFFERED,
                "lottery_id": row.lottery_id,
                "holder_id": row.user_id,
                "at": at,
                "claim_until": (
                    None if claim_days is None else day_of(at) + timedelta(days=claim_days)
                ),
            },
        )
        if tells:
            event = f"won/{day}/{place}"
            Mail.add(
                connection, MailKind.WON, row.user_id, at, event=event, detail=f"{day}/{place}"
            )
        lottery_id: int = row.lottery_id
        return lottery_id


class ClaimContact(Base):
    """A winner's private message and contact for the organisers; deleted 30 days after the end."""

    __tablename__ = "claim_contacts"
    __table_args__ = (ForeignKeyConstraint(["day", "place"], ["winners.day", "winners.place"]),)

    day: Mapped[date] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    message: Mapped[str] = mapped_column(String(MESSAGE_LENGTH))
    contact: Mapped[str] = mapped_column(String(CONTACT_LENGTH))
