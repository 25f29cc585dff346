"""The public logs over HTTP (C2SP tlog-tiles): the journal and each day's ballots."""

from datetime import date

from flask import Blueprint, abort
from flask_babel import gettext, lazy_gettext
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from lottery_system.access import everybody
from lottery_system.certificates import newest_checkpoint
from lottery_system.extensions import reading
from lottery_system.fairness.tiles import (
    ReadTiles,
    Tile,
    TilePath,
    parse_path,
    width_at,
)
from lottery_system.parts import parts
from lottery_system.queries.cosignatures import cosigned_checkpoint
from lottery_system.queries.logs import (
    ReadRecords,
    StoredRecord,
    ballot_records,
    ballot_tiles,
    freeze_of,
    journal_records,
    journal_tiles,
    last_record,
    log_size,
    tile_data,
)
from lottery_system.queries.recoveries import ended_key, statement_of
from lottery_system.web.days import day_or_404
from lottery_system.web.public import A_MOMENT, FOR_EVER, compressed, public
from lottery_system.web.words import long_day

blueprint = Blueprint("logs", __name__, url_prefix="/log")

TEXT = "text/plain"
BYTES = "application/octet-stream"


@blueprint.get("/checkpoint")
@everybody
def checkpoint() -> Response:
    """Show the journal's newest checkpoint, with the cosignatures of witnesses."""
    with reading() as connection:
        last = last_record(connection)
        if last is None:
            abort(404, lazy_gettext("The public log starts with the first draw."))
        parts().rollback.publish(connection, last)
        return public(cosigned_checkpoint(connection, last), TEXT, A_MOMENT)


@blueprint.get("/tile/<path:path>")
@everybody
def tile(path: str) -> Response:
    """Show hashes or records of the journal."""
    tile_path = _parsed(path)
    with reading() as connection:
        last = last_record(connection)
        return _tile(
            tile_path,
            last.number + 1 if last else 0,
            journal_tiles(connection),
            lambda first, count: journal_records(connection, first, count),
            is_ended=False,
        )


@blueprint.get("/recovery/<int(max=9999):timeline>")
@everybody
def recovery(timeline: int) -> Response:
    """Show the signed statement that ended a journal and began the one of a timeline."""
    with reading() as connection:
        statement = statement_of(connection, timeline)
    if statement is None:
        abort(404, gettext("There’s no statement with this number."))
    return public(statement, TEXT, FOR_EVER)


@blueprint.get("/ended/<int(max=9999):timeline>/checkpoint")
@everybody
def ended_checkpoint(timeline: int) -> Response:
    """Show the last checkpoint of a journal that a recovery ended, as far as it is left."""
    with reading() as connection:
        checkpoint = cosigned_checkpoint(connection, _last_of_ended(connection, timeline))
    return public(checkpoint, TEXT, A_MOMENT)


@blueprint.get("/ended/<int(max=9999):timeline>/tile/<path:path>")
@everybody
def ended_tile(timeline: int, path: str) -> Response:
    """Show hashes or records of a journal that a recovery ended."""
    tile_path = _parsed(path)
    with reading() as connection:
        last = _last_of_ended(connection, timeline)
        return _tile(
            tile_path,
            last.number + 1,
            journal_tiles(connection, timeline),
            lambda first, count: journal_records(connection, first, count, timeline),
            is_ended=True,
        )


def _last_of_ended(connection: Connection, timeline: int) -> StoredRecord:
    last = last_record(connection, timeline) if ended_key(connection, timeline) else None
    if last is None:
        # said later, in whose language may take a query, and so another connection
        abort(404, lazy_gettext("There’s no earlier log with this number."))
    return last


@blueprint.get("/<day>/checkpoint")
@everybody
def day_checkpoint(day: str) -> Response:
    """Show the newest checkpoint of a day's ballots."""
    utc_day = day_or_404(day)
    with reading() as connection, parts().rollback.signing(connection, utc_day):
        signed = newest_checkpoint(connection, utc_day, parts().keyring.log_keys(connection))
    if signed is None:
        abort(404, gettext("There’s no log for %(day)s.", day=long_day(utc_day)))
    return public(signed, TEXT, A_MOMENT)


@blueprint.get("/<day>/tile/<path:path>")
@everybody
def day_tile(day: str, path: str) -> Response:
    """Show hashes or records of a day's ballots."""
    of_day, tile_path = day_or_404(day), _parsed(path)
    with reading() as connection:
        return _tile(
            tile_path,
            log_size(connection, of_day),
            ballot_tiles(connection, of_day),
            _records_of(connection, of_day),
            is_ended=freeze_of(connection, of_day) is not None,
        )


def _records_of(connection: Connection, day: date) -> ReadRecords:
    return lambda first, count: ballot_records(connection, day, first + 1, first + count)


def _tile(
    tile_path: TilePath, size: int, read: ReadTiles, read_records: ReadRecords, *, is_ended: bool
) -> Response:
    """Answer with a tile, or with as much of its beginning as was asked for.

    Args:
        is_ended: the log can grow no more; one that can may also lose records by a recovery, and
            have others at the same address afterwards.
    """
    seconds = FOR_EVER if is_ended else A_MOMENT
    tile = Tile(tile_path.level or 0, tile_path.number)
    if tile_path.width > width_at(tile, size):
        abort(404, lazy_gettext("The log isn’t that long, or not yet."))
    answer = public(tile_data(tile_path, read, read_records), BYTES, seconds)
    return compressed(answer) if tile_path.level is None else answer


def _parsed(path: str) -> TilePath:
    try:
        return parse_path(path)
    except ValueError:
        abort(404, gettext("There’s no such tile. Tile addresses follow C2SP tlog-tiles."))
