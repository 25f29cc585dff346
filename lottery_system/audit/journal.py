"""Audit of the journal: every record, tile and checkpoint, from the genesis on."""

from collections.abc import Iterator, Sequence
from hashlib import sha256

from sqlalchemy import Connection

from lottery_system.audit.heads import Fault, check_ends, check_heads
from lottery_system.clock import ONE_DAY, closes_at
from lottery_system.fairness import merkle, tiles
from lottery_system.fairness.commitment import check_secret, follow_chain
from lottery_system.fairness.cosignature import TIME_BYTES
from lottery_system.fairness.note import (
    Checkpoint,
    NoteError,
    VerifierKey,
    open_checkpoint,
    parse_signatures,
)
from lottery_system.fairness.records import Genesis, RecordError, parse_freeze
from lottery_system.queries import AnyRow
from lottery_system.queries.cosignatures import all_cosignatures
from lottery_system.queries.logs import journal_rows, journal_tiles
from lottery_system.queries.timestamps import all_timestamps
from lottery_system.timestamp_proof import ProofError, is_complete, parse_proof

#: records that are read together
STEP = 1024


def check_journal(
    connection: Connection,
    timeline: int,
    genesis: Genesis,
    key: VerifierKey,
    heads: Sequence[Checkpoint] = (),
) -> Iterator[Fault]:
    """Check a journal's records against each other, its tiles, its checkpoints and its heads."""
    chain = _Chain(genesis)
    frontier = merkle.Frontier()
    is_whole = True
    while rows := journal_rows(connection, frontier.size, STEP, timeline):
        before, leaves = frontier, []
        for row in rows:
            if row.number != frontier.size:
                yield f"record {frontier.size} of the journal is missing"
                return
            record = row.record.encode()
            yield from chain.follow(row.number, record)
            leaf = merkle.leaf_hash(record)
            leaves.append(leaf)
            frontier, _ = frontier.extend([leaf])
            if is_whole:
                faults = list(_checkpoint(row, frontier, genesis, key))
                yield from faults
                # what stands behind a changed record does not fit either
                is_whole = not faults
        yield from check_heads(heads, before, leaves)
    yield from check_ends(heads, frontier.size)
    yield from _cosignatures(connection, timeline)
    yield from _timestamps(connection, timeline)
    try:
        root = tiles.root(journal_tiles(connection, timeline), frontier.size)
    except tiles.MissingTile:
        root = b""
    if root != frontier.root:
        yield "the journal's records and its tiles do not match"


class _Chain:
    """What each record of the journal says of the one before."""

    def __init__(self, genesis: Genesis) -> None:
        self._genesis = genesis
        self._link, self._previous = genesis.anchor, b""

    def follow(self, number: int, record: bytes) -> Iterator[Fault]:
        """Check the next record, and remember it."""
        if number:
            yield from self._freeze(number, record)
        self._previous = sha256(record).digest()

    def _freeze(self, number: int, record: bytes) -> Iterator[Fault]:
        genesis, day = self._genesis, self._genesis.first + (number - 1) * ONE_DAY
        try:
            freeze = parse_freeze(record)
        except RecordError as error:
            yield f"record {number} of the journal is not the freeze of {day}: {error}"
            return
        if (freeze.draw, freeze.day, freeze.closes) != (number - 1, day, closes_at(day)):
            yield f"record {number} of the journal is not the freeze of {day}"
        if freeze.previous != self._previous:
            yield f"the freeze of {day} does not follow the record before"
        # one step from the secret before, which is quicker than all steps from the anchor
        if follow_chain(freeze.secret, 1) != self._link and not check_secret(
            freeze.secret, number - 1, genesis.anchor
        ):
            yield f"the freeze of {day} reveals another secret than the committed one"
        self._link = freeze.secret


def _cosignatures(connection: Connection, timeline: int) -> Iterator[Fault]:
    """Check that each is a line of a note, with the time that it is stored with.

    Whether they hold, whoever has the witnesses' keys can tell from the certificates.
    """
    for row in all_cosignatures(connection, timeline):
        try:
            (signature,) = parse_signatures(row.line)
            time = int.from_bytes(signature.signature[:TIME_BYTES], "big")
        except ValueError:
            time = None
        if time != row.time:
            yield f"a cosignature of record {row.number} of the journal is malformed"


def _timestamps(connection: Connection, timeline: int) -> Iterator[Fault]:
    """Check that each is a proof about its checkpoint, as complete as it is stored to be.

    Whether a block attests it, whoever has the chain of blocks can tell from the files.
    """
    for row in all_timestamps(connection, timeline):
        try:
            paths = parse_proof(row.proof, sha256(row.checkpoint.encode()).digest())
        except ProofError:
            paths = []
        if not paths or is_complete(paths) != row.is_complete:
            yield f"a timestamp of record {row.number} of the journal is malformed"


def _checkpoint(
    row: AnyRow, frontier: merkle.Frontier, genesis: Genesis, key: VerifierKey
) -> Iterator[Fault]:
    """Check the checkpoint that was signed when a record was the last one."""
    try:
        checkpoint = open_checkpoint(row.checkpoint, key)
    except NoteError as error:
        yield f"the journal's checkpoint at record {row.number}: {error}"
        return
    if checkpoint.origin != genesis.name:
        yield f"the journal's checkpoint at record {row.number} has another name than the genesis"
    fits = (checkpoint.size, checkpoint.root) == (frontier.size, frontier.root)
    if not fits or row.frontier != frontier.to_bytes():
        yield f"record {row.number} of the journal and its checkpoint do not match"
