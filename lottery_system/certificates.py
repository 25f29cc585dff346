"""Certificates of draws, receipts, signed offers and checkpoints, made from rows.

Maps rows to the protocol's files. Nothing here is stored; everything is derived from rows.
"""

import logging
from collections.abc import Sequence
from datetime import date
from itertools import chain

from sqlalchemy import Connection

from lottery_system.errors import LotteryError
from lottery_system.fairness import tiles
from lottery_system.fairness.certificate import (
    Beacon,
    Certificate,
    Holder,
    Journal,
    Receipt,
    Winner,
    format_certificate,
)
from lottery_system.fairness.checks import Verdict, holds
from lottery_system.fairness.commitment import SALT_BYTES
from lottery_system.fairness.merkle import EMPTY_ROOT, Frontier
from lottery_system.fairness.note import (
    Checkpoint,
    VerifierKey,
    format_vkey,
    parse_vkey,
    sign_checkpoint,
)
from lottery_system.fairness.offers import (
    Offers,
    SignedOffers,
    format_offers,
    format_signed_offers,
    open_offers,
)
from lottery_system.fairness.records import parse_freeze, parse_genesis
from lottery_system.fairness.selection import winning_ballots
from lottery_system.fairness.tlog_proof import TlogProof, format_proof
from lottery_system.fairness.verify import verify
from lottery_system.models import DRAWN, LOST, OPEN, LogKeys, Offer
from lottery_system.queries.cosignatures import certified_checkpoint
from lottery_system.queries.day import look_up
from lottery_system.queries.logs import (
    StoredRecord,
    ballot_records,
    ballot_tiles,
    freeze_of,
    journal_record,
    journal_tiles,
    last_record,
    runs,
)
from lottery_system.queries.recoveries import ended_key, recoveries
from lottery_system.queries.timestamps import Stamped, stamped_of
from lottery_system.queries.usernames import usernames_of
from lottery_system.timestamp_proof import format_file

log = logging.getLogger(__name__)


class NotDrawn(LotteryError):
    """A day has no certificate, or not yet."""


class NotClosed(LotteryError):
    """A day has no freeze, or not yet."""


class NotStamped(LotteryError):
    """No calendar has stamped a day's closing, or not yet."""


class NoSuchReceipt(LotteryError):
    """There is no such ballot, it is somebody else's, or the log was never of that size."""


class NoOffers(LotteryError):
    """A day has no signed list of offers, or not yet."""


class UnsoundOffers(LotteryError):
    """A day's stored offers do not match their signed note, and are not published."""

    def __init__(self, day: date) -> None:
        super().__init__(
            "The list of prizes for %(day)s isn’t the one that was signed, so we don’t publish it. "
            "Whoever runs the server finds the reason in its log; `flask draw audit` says more.",
            day=day,
        )


class Unsound(LotteryError):
    """A day's certificate fails its checks, and is not published."""

    def __init__(self, day: date) -> None:
        super().__init__(
            "The certificate for %(day)s fails its own checks, so we don’t publish it. Whoever "
            "runs the server finds the reason in its log; `flask draw audit` says more.",
            day=day,
        )


def certificate_of(connection: Connection, day: date, log_keys: LogKeys) -> str:
    """Return the certificate of a drawn day as JSON, after all checks passed.

    Raises:
        NotDrawn: there is none, or not yet.
        Unsound: a check fails; the log says which.
    """
    draw, winners = look_up(connection, day, user_id=None)
    frozen = freeze_of(connection, day)
    if draw is None or draw.status != DRAWN or frozen is None:
        raise NotDrawn("There’s no certificate for %(day)s, or not yet.", day=day)
    assert draw.seed is not None
    timeline = frozen.timeline
    genesis = journal_record(connection, 0, timeline)
    assert genesis is not None
    key = key_of(connection, timeline, log_keys)
    freeze = parse_freeze(frozen.record)
    read_journal = journal_tiles(connection, timeline)
    size = frozen.number + 1
    counters = {
        pick.number: pick.counter for pick in winning_ballots(draw.seed, freeze.size, freeze.places)
    }
    beacon = None
    if freeze.round is not None and log_keys.chain is not None:
        assert draw.beacon_signature is not None
        beacon = Beacon(freeze.round, draw.beacon_signature, log_keys.chain)
    text = format_certificate(
        Certificate(
            genesis=genesis.record,
            freeze=frozen.record,
            journal=Journal(
                checkpoint=certified_checkpoint(connection, frozen),
                genesis_proof=tiles.prove_inclusion(read_journal, 0, size),
                index=frozen.number,
                proof=tiles.prove_inclusion(read_journal, frozen.number, size),
            ),
            beacon=beacon,
            winners=[
                Winner(
                    place=winner.place,
                    number=winner.number,
                    counter=counters.get(winner.number, 0),
                    ballot=record,
                    proof=proof,
                    holder=holder,
                )
                for winner in winners
                for record, holder, proof in [_ballot(connection, day, winner.number, freeze.size)]
            ],
            log_key=format_vkey(key),
        )
    )
    _demand_sound(day, text, key)
    return text


def signed_offers_of(connection: Connection, day: date, log_keys: LogKeys) -> str:
    """Verify a day's signed list of offers and return it as JSON.

    Raises:
        NoOffers: there is none, or not yet.
        UnsoundOffers: the stored offers do not match the note; the log says why.
    """
    frozen = freeze_of(connection, day)
    if frozen is None or frozen.offers_note is None:
        draw, _ = look_up(connection, day, user_id=None)
        if draw is not None and draw.status == OPEN:
            raise NoOffers(
                "The list of prizes for %(day)s is signed when the day closes. Come back then.",
                day=day,
            )
        raise NoOffers(
            "There’s no signed list of prizes for %(day)s. Only days that closed after we began to "
            "sign these lists have one.",
            day=day,
        )
    try:
        signed, _ = open_offers_of(connection, frozen, log_keys)
    except ValueError as error:
        log.error("offers of %s: %s", day, error)
        raise UnsoundOffers(day) from None
    return format_signed_offers(signed)


def freeze_proof_of(connection: Connection, day: date) -> tuple[str, bool]:
    """Return the tlog-proof that a day's freeze is in the journal, as its certificate has it.

    Returns:
        The proof, and whether it is final: until the day is drawn, witnesses may add to it.

    Raises:
        NotClosed: there is none, or not yet.
    """
    frozen = _closing(connection, day)
    draw, _ = look_up(connection, day, user_id=None)
    size = frozen.number + 1
    proof = format_proof(
        TlogProof(
            leaf=frozen.number,
            hashes=tiles.prove_inclusion(
                journal_tiles(connection, frozen.timeline), frozen.number, size
            ),
            checkpoint=certified_checkpoint(connection, frozen),
            extra=frozen.record.encode(),
        )
    )
    return proof, draw is not None and draw.status == DRAWN


def closing_checkpoint_of(connection: Connection, day: date) -> str:
    """Return the checkpoint that a day was closed with, without cosignatures; it never changes.

    Raises:
        NotClosed: there is none, or not yet.
    """
    return _closing(connection, day).checkpoint


def timestamp_of(connection: Connection, day: date) -> bytes:
    """Return the file `.ots` of the checkpoint that a day was closed with, of all calendars.

    Raises:
        NotStamped: there is none, or not yet.
    """
    stamped = stamped_of(connection, day)
    if stamped is None or not stamped.proofs:
        raise NotStamped(
            "There’s no timestamp for %(day)s, or not yet. If the lottery has timestamps, they "
            "come minutes after a day closes.",
            day=day,
        )
    return timestamp_file(stamped)


def timestamp_file(stamped: Stamped) -> bytes:
    """Write the file `.ots` of a checkpoint that has proofs."""
    return format_file(stamped.digest, chain.from_iterable(map(stamped.paths_by, stamped.proofs)))


def proof_of_receipt(receipt: Receipt) -> str:
    """Return the tlog-proof in a receipt; it names nobody, since the record hides its holder."""
    return format_proof(
        TlogProof(receipt.index, receipt.proof, receipt.checkpoint, receipt.ballot.encode())
    )


def open_offers_of(
    connection: Connection, frozen: StoredRecord, log_keys: LogKeys
) -> tuple[SignedOffers, Offers]:
    """Verify the note of a day's stored offers and return both.

    Args:
        frozen: the day's freeze, with the note.

    Raises:
        ValueError: the stored offers do not match the note.
    """
    genesis = journal_record(connection, 0, frozen.timeline)
    assert genesis is not None
    assert frozen.day is not None
    assert frozen.offers_note is not None
    text = format_offers(Offer.of_day(connection, frozen.day))
    signed = SignedOffers(text, frozen.offers_note)
    key, name = (
        key_of(connection, frozen.timeline, log_keys),
        parse_genesis(genesis.record).name,
    )
    return signed, open_offers(signed, key, name, frozen.day)


def key_of(connection: Connection, timeline: int | None, log_keys: LogKeys) -> VerifierKey:
    """Return the key of a journal, which may be one that ended; None is the present one."""
    ended = ended_key(connection, timeline) if timeline is not None else None
    return parse_vkey(ended) if ended else log_keys.key.verifier


def keys_of(connection: Connection, log_keys: LogKeys) -> Sequence[VerifierKey]:
    """Return the keys of all stored journals, by timeline; the last is the present one's."""
    newest = last_record(connection)
    count = newest.timeline + 1 if newest else 0
    return [key_of(connection, timeline, log_keys) for timeline in range(count)]


def receipt_of(
    connection: Connection,
    day: date,
    number: int,
    user_id: int,
    *,
    log_keys: LogKeys,
    size: int | None = None,
) -> Receipt:
    """Return the receipt of a ballot for its holder.

    Args:
        size: of the log that the receipt is to be of; its present size if omitted.

    Raises:
        NoSuchReceipt: with a sentence that says why.
    """
    draw, _ = look_up(connection, day, user_id=None)
    present = draw.ballot_count if draw else 0
    covering = runs(connection, day, number, number) if 1 <= number <= present else []
    if not covering or covering[0].user_id != user_id or not covering[0].salts:
        _refuse_lost(connection, day, number, is_lost=draw is not None and draw.status == LOST)
        raise NoSuchReceipt(
            "You have no ballot %(number)s for %(day)s that has a receipt.", number=number, day=day
        )
    size = present if size is None else size
    if not number <= size <= present:
        raise NoSuchReceipt(
            "The log for %(day)s has %(present)s ballots, and ballot %(number)s is in it from "
            "size %(number)s on. Ask for a size from %(number)s to %(present)s.",
            day=day,
            present=present,
            number=number,
        )
    record, holder, proof = _ballot(connection, day, number, size)
    return Receipt(
        ballot=record,
        holder=holder,
        index=number - 1,
        proof=proof,
        checkpoint=day_checkpoint(connection, day, size, log_keys),
    )


def _refuse_lost(connection: Connection, day: date, number: int, *, is_lost: bool) -> None:
    """Say that a ballot is lost, if a recovery statement says so.

    Args:
        is_lost: whether the whole day is.

    Raises:
        NoSuchReceipt: it says so.
    """
    for timeline, statement in recoveries(connection):
        lost = [each for each in statement.ballots if each.day == day]
        covers_day = is_lost and day < statement.first
        if covers_day or any(each.left < number <= each.signed for each in lost):
            raise NoSuchReceipt(
                "You have no ballot %(number)s for %(day)s here. If you have a receipt for it, we "
                "accepted it and later lost it with our database. Our signed statement is at "
                "/log/recovery/%(recovery)s. Keep the receipt: it proves that we accepted this "
                "ballot.",
                number=number,
                day=day,
                recovery=timeline,
            )


def day_checkpoint(connection: Connection, day: date, size: int, log_keys: LogKeys) -> str:
    """Sign the head of a day's log as it was at a size."""
    root = tiles.root(ballot_tiles(connection, day), size) if size else EMPTY_ROOT
    return _signed(day, size, root, log_keys)


def newest_checkpoint(connection: Connection, day: date, log_keys: LogKeys) -> str | None:
    """Sign the head of a day's log as it is; None for a day that has none."""
    draw, _ = look_up(connection, day, user_id=None)
    if draw is None or (draw.ballot_count and not draw.frontier):
        return None
    root = Frontier.from_bytes(draw.ballot_count, draw.frontier).root
    return _signed(day, draw.ballot_count, root, log_keys)


def _signed(day: date, size: int, root: bytes, log_keys: LogKeys) -> str:
    checkpoint = Checkpoint(f"{log_keys.key.name}/{day}", size, root)
    return sign_checkpoint(checkpoint, log_keys.key)


def _ballot(
    connection: Connection, day: date, number: int, size: int
) -> tuple[str, Holder, Sequence[bytes]]:
    """Return a ballot's record, what opens its holder, and its proof in a log of a size."""
    (run,) = runs(connection, day, number, number)
    (record,) = ballot_records(connection, day, number, number)
    assert len(run.salts) == SALT_BYTES
    username = usernames_of(connection, [run.user_id])[run.user_id]
    proof = tiles.prove_inclusion(ballot_tiles(connection, day), number - 1, size)
    return record.decode(), Holder(username, run.salts), proof


def _closing(connection: Connection, day: date) -> StoredRecord:
    frozen = freeze_of(connection, day)
    if frozen is None:
        raise NotClosed(
            "There’s no closing record for %(day)s, or not yet. It’s made when the day closes.",
            day=day,
        )
    return frozen


def _demand_sound(day: date, certificate: str, key: VerifierKey) -> None:
    checks = verify(certificate.encode(), key=key)
    if not holds(checks):
        for check in checks:
            if check.verdict is Verdict.FAILED:
                log.error("certificate of %s: %s: %s", day, check.name, check.detail)
        raise Unsound(day)
