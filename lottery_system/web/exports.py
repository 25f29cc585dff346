"""Exports: tables as CSV (RFC 4180), UTF-8 with a byte order mark, which Excel opens rightly."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import chain

from flask import Blueprint, Response
from sqlalchemy import Connection

from lottery_system.access import everybody, organisers, users, viewer
from lottery_system.extensions import reading
from lottery_system.models import DRAWN, LOST
from lottery_system.queries import AnyRow
from lottery_system.queries.claims import my_claims_after, states_of
from lottery_system.queries.exports import (
    PIECE,
    submissions_after,
    users_after,
    winners_after,
)
from lottery_system.queries.my_ballots import places_of
from lottery_system.web.downloads import download

blueprint = Blueprint("exports", __name__)

#: what one's own data say of a claim
CLAIM = (
    "day", "place", "number", "lottery_name", "prize", "state", "offered_at", "claim_until",
    "claimed_at", "message", "contact", "handed_over_at", "handed_on", "note", "lapsed_at",
    "reason",
)  # fmt: skip

#: without it Excel takes UTF-8 for the encoding of the machine; a first line `sep=,` would make it
#: forget that again, and is a row of the table to everybody else
BYTE_ORDER_MARK = "\ufeff"
#: where a spreadsheet would take what follows for a formula (OWASP, "CSV Injection"): at the
#: beginning, and behind what separates cells where a comma does not; in full-width forms as well
FORMULA = re.compile(r"(^\s*|[;\t]\s*)(?=[=+@\-\uff1d\uff0b\uff20\uff0d\ufe66\ufe62\ufe6b\ufe63])")


@blueprint.get("/winners.csv")
@everybody
def winners() -> Response:
    """Hand out all draws and their places, the oldest first."""
    head = (
        "day", "ballots", "place", "number", "username", "lottery", "closed_at", "drawn_at",
        "prize", "state", "reason", "handed_on",
    )  # fmt: skip
    return _table("winners.csv", head, _winners())


@blueprint.get("/ballots.csv")
@users
def ballots() -> Response:
    """Hand out one's own submissions, the oldest first."""
    head = ("day", "first_number", "last_number", "lottery", "submitted_at", "result", "places")
    pieces = (
        [[row[name] for name in head] for row in piece] for piece in my_submissions(viewer().id)
    )
    return _table("my-ballots.csv", head, pieces)


@blueprint.get("/organiser/participants.csv")
@organisers
def participants() -> Response:
    """Hand out who signed up, the oldest first."""
    head = ("username", "signed_up_at", "is_organiser", "closed_at")
    return _table("participants.csv", head, _participants())


def my_submissions(user_id: int) -> Iterator[list[dict[str, object]]]:
    """Yield somebody's submissions, the oldest first, a piece at a time."""

    def ask(connection: Connection, day: date, first_number: int) -> Sequence[AnyRow]:
        return submissions_after(connection, user_id, day, first_number)

    for piece in _pieces(ask, (date.min, 0), lambda row: (row.day, row.first_number)):
        with reading() as connection:
            places = places_of(connection, user_id, {row.day for row in piece})
        yield [_described(row, places.get(row.day, {})) for row in piece]


def my_claims(user_id: int) -> Iterator[list[dict[str, object]]]:
    """Yield what is kept of somebody's claims, the oldest first, a piece at a time."""

    def ask(connection: Connection, day: date, place: int) -> Sequence[AnyRow]:
        return my_claims_after(connection, user_id, day, place, PIECE)

    for piece in _pieces(ask, (date.min, 0), lambda row: (row.day, row.place)):
        yield [{name: _written(row._mapping[name]) for name in CLAIM} for row in piece]


def _written(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _described(row: AnyRow, places: dict[int, int]) -> dict[str, object]:
    """Describe a submission; `places` are those that ballots of its day took, by place."""
    mine = range(row.first_number, row.last_number + 1)
    taken = {place: number for place, number in places.items() if number in mine}
    return {
        "day": row.day.isoformat(),
        "first_number": row.first_number,
        "last_number": row.last_number,
        "lottery": row.lottery_name,
        "submitted_at": row.submitted_at.isoformat(),
        "result": _result(row.status, taken),
        "places": " ".join(f"{place}:{number}" for place, number in taken.items()),
    }


def _result(status: str, taken: dict[int, int]) -> str:
    if status != DRAWN:
        return "records lost" if status == LOST else "waiting"
    if 1 in taken:
        return "won"
    return "reserve" if taken else "not won"


def _winners() -> Iterator[list[Sequence[object]]]:
    for piece in _pieces(winners_after, (date.min, 0), lambda row: (row.day, row.place or 0)):
        with reading() as connection:
            states = {
                (day, each.place): (each.state, each.reason or "", each.handed_on or "")
                for day, places in states_of(connection, {row.day for row in piece}).items()
                for each in places
            }
        yield [
            (
                row.day.isoformat(), row.ballot_count, row.place, row.number, row.username,
                row.lottery_name, row.closed_at.isoformat(), row.drawn_at.isoformat(),
                row.prize, *states.get((row.day, row.place), ("", "", "")),
            )
            for row in piece
        ]  # fmt: skip


def _participants() -> Iterator[list[Sequence[object]]]:
    for piece in _pieces(users_after, (0,), lambda row: (row.id,)):
        yield [
            (
                row.username,
                row.created_at.isoformat(),
                row.is_organiser,
                row.closed_at.isoformat() if row.closed_at else "",
            )
            for row in piece
        ]


def _pieces(
    ask: Callable[..., Sequence[AnyRow]],
    begin: tuple[object, ...],
    key: Callable[[AnyRow], tuple[object, ...]],
) -> Iterator[Sequence[AnyRow]]:
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


def _table(
    name: str, head: Sequence[str], pieces: Iterable[Iterable[Sequence[object]]]
) -> Response:
    lines = (_lines(rows) for rows in pieces)
    return download(name, "text/csv", chain([BYTE_ORDER_MARK + _lines([head])], lines))


def _lines(rows: Iterable[Sequence[object]]) -> str:
    lines = io.StringIO()
    csv.writer(lines).writerows([_plain(value) for value in row] for row in rows)
    return lines.getvalue()


def _plain(value: object) -> object:
    """Return a value that no spreadsheet runs."""
    return FORMULA.sub(r"\1'", value) if isinstance(value, str) else value
