"""Queries of offers: a lottery's name and prize when a day closed, or now if it is open."""

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
    """Join rows that are of a day and a lottery with what `LOTTERY_NAME` and `PRIZE` are made of.

    Each row stays one, found by keys alone.
    """
    return (
        rows.outerjoin(table_of(Lottery), _lottery.id == lottery_id)
        .outerjoin(table_of(Offer), (_offer.day == day) & (_offer.lottery_id == lottery_id))
        .outerjoin(table_of(LotteryChange), _change.id == _offer.change_id)
    )


def note_of(connection: Connection, day: date) -> str | None:
    """Return the signed note of a day's offers; None for a day that has none."""
    found: str | None = connection.scalar(_NOTE, {"day": day})
    return found


def first_note(connection: Connection) -> date | None:
    """Return the first day whose offers were signed; all that were closed after it have a note."""
    found: date | None = connection.scalar(_FIRST_NOTE)
    return found


_NOTE = select(_note.note).where(_note.day == bindparam("day"))
_FIRST_NOTE = select(func.min(_note.day))
