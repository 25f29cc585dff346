"""Rows of long exports, asked for a piece at a time."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import TypeVar

from sqlalchemy import Connection

from lottery_system.extensions import reading
from lottery_system.models import DRAWN, LOST, AccountEvent, DrawStatus
from lottery_system.models.account_event import EventRow
from lottery_system.queries import AnyRow
from lottery_system.queries.claims import my_claims_after
from lottery_system.queries.exports import (
    PIECE,
    ExportedSubmission,
    submissions_after,
)
from lottery_system.queries.my_ballots import PlaceWon, places_of

Exported = TypeVar("Exported")
#: what one's own data say of what happened to the account
EVENT = ("happened_at", "kind", "actor", "by_command", "browser", "detail")
#: what one's own data say of a claim
CLAIM = (
    "day", "place", "number", "lottery_name", "prize", "state", "offered_at", "claim_until",
    "claimed_at", "message", "contact", "handed_over_at", "handed_on", "note", "lapsed_at",
    "reason",
)  # fmt: skip


def pieces(
    ask: Callable[..., Sequence[Exported]],
    begin: tuple[object, ...],
    key: Callable[[Exported], tuple[object, ...]],
) -> Iterator[Sequence[Exported]]:
    """Yield rows a piece at a time, each behind the last; holds no connection in between.

    Args:
        ask: returns a piece of what is behind a key.
        begin: before all keys.
        key: of a row.
    """
    while True:
        with reading() as connection:
            piece = ask(connection, *begin)
        if not piece:
            return
        yield piece
        begin = key(piece[-1])


def my_submissions(user_id: int) -> Iterator[list[dict[str, object]]]:
    """Yield somebody's submissions, the oldest first, a piece at a time."""

    def ask(connection: Connection, day: date, first_number: int) -> Sequence[ExportedSubmission]:
        return submissions_after(connection, user_id, day, first_number)

    for piece in pieces(
        ask, (date.min, 0), lambda row: (row.submission.day, row.submission.first_number)
    ):
        with reading() as connection:
            places = places_of(connection, user_id, {row.submission.day for row in piece})
        yield [_described(row, places.get(row.submission.day, {})) for row in piece]


def _described(exported: ExportedSubmission, places: dict[int, PlaceWon]) -> dict[str, object]:
    """Describe a submission; `places` are those that ballots of its day took, by place."""
    row, status = exported
    mine = range(row.first_number, row.last_number + 1)
    taken = {place: each for place, each in places.items() if each.number in mine}
    won = {place: each for place, each in taken.items() if each.has_won}
    return {
        "day": row.day.isoformat(),
        "first_number": row.first_number,
        "last_number": row.last_number,
        "lottery": row.lottery_name,
        "submitted_at": row.submitted_at.isoformat(),
        "result": _result(status, taken),
        "places": " ".join(f"{place}:{each.number}" for place, each in taken.items()),
        # one lottery, so one prize, however many of its ballots won
        "prize": next((each.prize for each in won.values()), ""),
        "states": " ".join(f"{place}:{each.state}" for place, each in won.items() if each.state),
    }


def _result(status: DrawStatus, taken: dict[int, PlaceWon]) -> str:
    if status != DRAWN:
        return "records lost" if status == LOST else "waiting"
    if 1 in taken:
        return "won"
    return "reserve" if taken else "not won"


def my_claims(user_id: int) -> Iterator[list[dict[str, object]]]:
    """Yield a user's claims for the export, oldest first, a piece at a time."""

    def ask(connection: Connection, day: date, place: int) -> Sequence[AnyRow]:
        return my_claims_after(connection, user_id, day, place, PIECE)

    for piece in pieces(ask, (date.min, 0), lambda row: (row.day, row.place)):
        yield [{name: _written(row._mapping[name]) for name in CLAIM} for row in piece]


def my_events(user_id: int) -> Iterator[list[dict[str, object]]]:
    """Yield what happened to somebody's account, the newest first, a piece at a time."""

    def ask(connection: Connection, before: int) -> Sequence[EventRow]:
        return AccountEvent.latest_of(connection, user_id, PIECE, before)

    for piece in pieces(ask, (2**31 - 1,), lambda row: (row.id,)):
        yield [{name: _written(getattr(row, name)) for name in EVENT} for row in piece]


def _written(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
