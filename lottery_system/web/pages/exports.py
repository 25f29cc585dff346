"""Exports as CSV (RFC 4180), UTF-8 with a byte order mark for Excel."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import chain

from flask import Blueprint, Response

from lottery_system.access import everybody, organisers, users, viewer
from lottery_system.extensions import reading
from lottery_system.queries.claims import states_of
from lottery_system.queries.exports import users_after, winners_after
from lottery_system.web.downloads import download
from lottery_system.web.exported_rows import my_submissions, pieces

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
        "state", "reason", "handed_on", "prize",
    )  # fmt: skip
    return _table("winners.csv", head, _winners())


@blueprint.get("/ballots.csv")
@users
def ballots() -> Response:
    """Hand out one's own submissions, the oldest first."""
    head = (
        "day", "first_number", "last_number", "lottery", "submitted_at", "result", "places",
        "prize", "states",
    )  # fmt: skip
    mine = (
        [[row[name] for name in head] for row in piece] for piece in my_submissions(viewer().id)
    )
    return _table("my-ballots.csv", head, mine)


@blueprint.get("/organiser/participants.csv")
@organisers
def participants() -> Response:
    """Hand out who signed up, the oldest first."""
    head = ("username", "signed_up_at", "is_organiser", "closed_at", "blocked_at")
    return _table("participants.csv", head, _participants())


def _winners() -> Iterator[list[Sequence[object]]]:
    for piece in pieces(winners_after, (date.min, 0), lambda row: (row.day, row.place or 0)):
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
                *states.get((row.day, row.place or 0), ("", "", "")), row.prize,
            )
            for row in piece
        ]  # fmt: skip


def _participants() -> Iterator[list[Sequence[object]]]:
    for piece in pieces(users_after, (0,), lambda row: (row.id,)):
        yield [
            (
                row.username,
                row.created_at.isoformat(),
                row.is_organiser,
                row.closed_at.isoformat() if row.closed_at else "",
                row.blocked_at.isoformat() if row.blocked_at else "",
            )
            for row in piece
        ]


def _table(name: str, head: Sequence[str], rows: Iterable[Iterable[Sequence[object]]]) -> Response:
    lines = (_lines(piece) for piece in rows)
    return download(name, "text/csv", chain([BYTE_ORDER_MARK + _lines([head])], lines))


def _lines(rows: Iterable[Sequence[object]]) -> str:
    lines = io.StringIO()
    csv.writer(lines).writerows([_plain(value) for value in row] for row in rows)
    return lines.getvalue()


def _plain(value: object) -> object:
    """Return a value that no spreadsheet runs."""
    return FORMULA.sub(r"\1'", value) if isinstance(value, str) else value
