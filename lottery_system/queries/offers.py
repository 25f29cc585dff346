"""Queries of offers: a lottery's name and prize when a day closed, or now while it is open."""

from datetime import date

from sqlalchemy import ColumnElement, Connection, FromClause, bindparam, func, select

from lottery_system.models import Lottery, LotteryChange, Offer, OfferNote
from lottery_system.models.base import table_of

_lottery, _offer, _change, _note = (
    table_of(model).c for model in (Lottery, Offer, LotteryChange, OfferNote)
)

LOTTERY_NAME = func.coalesce(_change.name, _lottery.name).label("lottery_name")
PRIZE = func.coalesce(_change.prize, _lottery.prize).label("prize")


def with_offers(
    rows: FromClause, day: ColumnElement[object], lottery_id: ColumnElement[int]
) -> FromClause:
    """Join rows that have a day and a lottery with the tables of `LOTTERY_NAME` and `PRIZE`.

    The number of rows stays the same; the joins use primary keys.
    """
    return (
        rows.outerjoin(table_of(Lottery), _lottery.id == lottery_id)
        .outerjoin(table_of(Offer), (_offer.day == day) & (_offer.lottery_id == lottery_id))
        .outerjoin(table_of(LotteryChange), _change.id == _offer.change_id)
    )


def note_of(connection: Connection, day: date) -> str | None:
    """Return the signed note of a day's offers; None if the day has none."""
    note: str | None = connection.scalar(_NOTE, {"day": day})
    return note


def first_note(connection: Connection) -> date | None:
    """Return the first day with a signed note of offers; all later closed days have one, too."""
    day: date | None = connection.scalar(_FIRST_NOTE)
    return day


_NOTE = select(_note.note).where(_note.day == bindparam("day"))
_FIRST_NOTE = select(func.min(_note.day))
