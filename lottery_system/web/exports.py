"""Exports: tables as CSV (RFC 4180), UTF-8 with a byte order mark, which Excel opens rightly."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import chain
from typing import TypeVar

from flask import Blueprint, Response
from sqlalchemy import Connection

from lottery_system.access import everybody, organisers, users, viewer
from lottery_system.extensions import reading
from lottery_system.models import DRAWN, LOST, DrawStatus
from lottery_system.queries.exports import (
    ExportedSubmission,
    submissions_after,
    users_after,
    winners_after,
)
from lottery_system.queries.my_ballots import places_of
from lottery_system.web.downloads import download

Exported = TypeVar("Exported")

blueprint = Blueprint("exports", __name__)

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
        "prize",
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

    def ask(connection: Connection, day: date, first_number: int) -> Sequence[ExportedSubmission]:
        return submissions_after(connection, user_id, day, first_number)

    for piece in _pieces(
        ask, (date.min, 0), lambda row: (row.submission.day, row.submission.first_number)
    ):
        with reading() as connection:
            places = places_of(connection, user_id, {row.submission.day for row in piece})
        yield [_described(row, places.get(row.submission.day, {})) for row in piece]


def _described(exported: ExportedSubmission, places: dict[int, int]) -> dict[str, object]:
    """Describe a submission; `places` are those that ballots of its day took, by place."""
    row, status = exported
    mine = range(row.first_number, row.last_number + 1)
    taken = {place: number for place, number in places.items() if number in mine}
    return {
        "day": row.day.isoformat(),
        "first_number": row.first_number,
        "last_number": row.last_number,
        "lottery": row.lottery_name,
        "submitted_at": row.submitted_at.isoformat(),
        "result": _result(status, taken),
        "places": " ".join(f"{place}:{number}" for place, number in taken.items()),
    }


def _result(status: DrawStatus, taken: dict[int, int]) -> str:
    if status != DRAWN:
        return "records lost" if status == LOST else "waiting"
    if 1 in taken:
        return "won"
    return "reserve" if taken else "not won"


def _winners() -> Iterator[list[Sequence[object]]]:
    for piece in _pieces(winners_after, (date.min, 0), lambda row: (row.day, row.place or 0)):
        yield [
            (
                row.day.isoformat(), row.ballot_count, row.place, row.number, row.username,
                row.lottery_name, row.closed_at.isoformat(), row.drawn_at.isoformat(),
                row.prize,
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
