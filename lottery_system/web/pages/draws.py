"""Pages of a draw's proof: the checks, the certificate, the receipts."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from hashlib import sha256
from typing import TypeVar

from flask import Blueprint, Flask, abort, current_app, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from lottery_system import certificates
from lottery_system.access import everybody, users, viewer
from lottery_system.certificates import NoOffers, NoSuchReceipt, NotClosed, NotDrawn, NotStamped
from lottery_system.clock import day_of, parse_day, utcnow
from lottery_system.extensions import reading
from lottery_system.fairness import beacon
from lottery_system.fairness.certificate import Receipt, format_receipt
from lottery_system.fairness.checks import CHECKS
from lottery_system.fairness.pin import format_pin
from lottery_system.fairness.records import parse_freeze, parse_genesis
from lottery_system.models import DRAWN
from lottery_system.parts import parts
from lottery_system.queries.day import look_up
from lottery_system.queries.logs import StoredRecord, freeze_of, journal_record
from lottery_system.queries.my_ballots import submissions_of
from lottery_system.web.days import DayPage, DayState, beacon_time, day_or_404, day_page
from lottery_system.web.drawing import tree_of
from lottery_system.web.errors import error_page
from lottery_system.web.forms import parse_number
from lottery_system.web.languages import language
from lottery_system.web.public import A_MOMENT, FOR_EVER, public
from lottery_system.web.remembered import apart
from lottery_system.web.texts import words_of
from lottery_system.web.words import translated

Content = TypeVar("Content")

blueprint = Blueprint("draws", __name__, url_prefix="/draws")

JSON = "application/json"
TEXT = "text/plain"
BYTES = "application/octet-stream"
#: certificates that a process remembers, all of days that are drawn
REMEMBERED = 64
#: of my submissions, those that the page names
RUNS = 20


@blueprint.get("/<day>")
@everybody
def show(day: str) -> tuple[str, int]:
    """Show what was fixed when, and let the reader check it."""
    utc_day = parse_day(day)
    if utc_day is None:
        page = DayPage(None, day_of(utcnow()), DayState.NO_DATE)
        return render_template("draws/missing.html", page=page, typed=day), 404
    user_id = viewer().id if current_user.is_authenticated else None
    with reading() as connection:
        page = day_page(connection, utc_day, utcnow(), user_id)
        frozen = freeze_of(connection, utc_day)
        timeline = frozen.timeline if frozen else None
        begun = journal_record(connection, 0, timeline)
        recovered = (page.draw and page.draw.recovered) or 0
        has_ended = timeline is not None and timeline < recovered
        # of the journal that goes on: whoever has that of an earlier one follows the statements
        newest = journal_record(connection, 0) if has_ended else begun
        pin = (
            format_pin(parts().keyring.log_keys(connection).key.verifier, _hash_of(newest))
            if newest
            else None
        )
        runs = submissions_of(
            connection, user_id, utc_day, before=None, limit=RUNS
        ) if user_id is not None else []  # fmt: skip
    if page.is_missing or page.state is DayState.LOST:
        return render_template("draws/missing.html", page=page), 404 if page.is_missing else 200
    genesis = parse_genesis(begun.record) if begun else None
    freeze = parse_freeze(frozen.record) if frozen else None
    has_offers = frozen is not None and frozen.offers_note is not None
    winners = page.winners
    text = render_template(
        "draws/show.html",
        page=page,
        genesis=genesis,
        freeze=freeze,
        beacon_time=beacon_time(freeze),
        is_late=freeze is not None
        and genesis is not None
        and freeze.round is not None
        and beacon.is_late(freeze.closes, freeze.frozen, genesis.gap),
        has_log=genesis is not None and utc_day >= genesis.first,
        pin=pin,
        has_offers=has_offers,
        is_stamped=frozen is not None and frozen.is_stamped,
        # all of them, since a verifier follows the line of journals that they make
        recoveries=[
            url_for("logs.recovery", timeline=number + 1)
            for number in range(recovered if page.notes or timeline else 0)
        ],
        checks={name: says for name, says in CHECKS.items() if has_offers or name != "offers"},
        words=words_of(current_app.static_folder or "", language()),
        tree=tree_of(freeze.size, winners[0].number) if winners and freeze else None,
        runs=runs,
    )
    return text, 200


def _hash_of(genesis: StoredRecord) -> bytes:
    return sha256(genesis.record.encode()).digest()


@blueprint.get("/<day>/certificate.json")
@everybody
def certificate(day: str) -> Response:
    """Show the certificate of a drawn day, which passed its own checks."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    try:
        return public(_certificate(app, day_or_404(day)), JSON, FOR_EVER)
    except NotDrawn as error:
        abort(404, translated(error))


@blueprint.get("/<day>/offers.json")
@everybody
def offers(day: str) -> Response:
    """Serve the signed list of a closed day's offers."""

    def signed(connection: Connection, of_day: date) -> str:
        log_keys = parts().keyring.log_keys(connection)
        return certificates.signed_offers_of(connection, of_day, log_keys)

    return public(_of_closed_day(day, signed), JSON, FOR_EVER)


@blueprint.get("/<day>/freeze.tlog-proof")
@everybody
def freeze_proof(day: str) -> Response:
    """Serve the proof that a closed day's freeze is in the journal, for other logs' readers."""
    proof, is_final = _of_closed_day(day, certificates.freeze_proof_of)
    return public(proof, TEXT, FOR_EVER if is_final else A_MOMENT)


@blueprint.get("/<day>/checkpoint")
@everybody
def closing_checkpoint(day: str) -> Response:
    """Serve the checkpoint that a day was closed with, as calendars have stamped it."""
    return public(_of_closed_day(day, certificates.closing_checkpoint_of), TEXT, FOR_EVER)


@blueprint.get("/<day>/checkpoint.ots")
@everybody
def timestamp(day: str) -> Response:
    """Serve the proofs of calendars that it existed (OpenTimestamps); a block may still come."""
    return public(_of_closed_day(day, certificates.timestamp_of), BYTES, A_MOMENT)


def _of_closed_day(day: str, read: Callable[[Connection, date], Content]) -> Content:
    """Return what is published of a closed day; 404 says why there is none, or not yet."""
    of_day = day_or_404(day)
    try:
        with reading() as connection:
            parts().rollback.publish_newest(connection)
            return read(connection, of_day)
    except (NoOffers, NotClosed, NotStamped) as error:
        abort(404, translated(error))


@blueprint.get("/<day>/ballots/<int(max=2147483647):number>/receipt.json")
@users
def receipt(day: str, number: int) -> Response:
    """Show the receipt of a ballot to its holder."""
    return _receipt(day, number, format_receipt, JSON)


@blueprint.get("/<day>/ballots/<int(max=2147483647):number>/receipt.tlog-proof")
@users
def receipt_proof(day: str, number: int) -> Response:
    """Show the same to its holder as other logs' readers take it."""
    return _receipt(day, number, certificates.proof_of_receipt, TEXT)


def _receipt(day: str, number: int, write: Callable[[Receipt], str], media_type: str) -> Response:
    given_size = request.args.get("size", "")
    size = parse_number(given_size)
    if given_size and size is None:
        abort(422, gettext("Enter the size as a number of ballots, like 120."))
    of_day = day_or_404(day)
    try:
        with reading() as connection, parts().rollback.signing(connection, of_day):
            signed = certificates.receipt_of(
                connection,
                of_day,
                number,
                viewer().id,
                log_keys=parts().keyring.log_keys(connection),
                size=size,
            )
    except NoSuchReceipt as error:
        with reading() as connection:
            draw, _ = look_up(connection, of_day, user_id=None)
        is_drawn = draw is not None and draw.status == DRAWN
        return error_page(
            404, translated(error), receipts_of=of_day if is_drawn and size is None else None
        )
    return Response(write(signed), mimetype=media_type)


@blueprint.get("/<day>/receipt")
@users
def choose_receipt(day: str) -> Response:
    """Go to the receipt of the ballot whose number was typed."""
    number = parse_number(request.args.get("number", "").strip())
    if number is None:
        abort(422, gettext("Enter the number of one of your ballots, like 12."))
    return redirect(url_for("draws.receipt", day=day_or_404(day).isoformat(), number=number), 303)


@lru_cache(REMEMBERED)
def _certificate(app: Flask, day: date) -> str:
    """Return a certificate, which never changes."""

    def made() -> str:
        with reading() as connection:
            parts().rollback.check(connection)
            return certificates.certificate_of(
                connection, day, parts().keyring.log_keys(connection)
            )

    return apart(app, made)
