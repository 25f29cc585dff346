"""Witnesses: has the journal cosigned, and stops where they have seen another or a longer one.

The high-water mark says what this server knows of itself; witnesses say what others know of it.
Either alone stops signing. A witness cannot make up a longer journal, since its head has this
lottery's signature; what it only claims stops signing, too, until somebody has looked.

No witness is asked within a transaction. One that is down is told of in the log, once, and holds
nothing up.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from sqlalchemy import Connection

from config import Settings
from lottery_system import witness_client
from lottery_system.clock import ONE_DAY
from lottery_system.evidence import Evidence, Proof
from lottery_system.extensions import reading, transaction
from lottery_system.fairness import tiles
from lottery_system.fairness.commitment import DRAWS
from lottery_system.fairness.note import (
    Checkpoint,
    CryptographyMissing,
    NoteError,
    VerifierKey,
    open_checkpoint,
    parse_vkey,
)
from lottery_system.fairness.policy import Policy, Witness
from lottery_system.fairness.records import parse_genesis
from lottery_system.mark import Head, Mark
from lottery_system.models import Cosignature, LogKeys
from lottery_system.models.cosignature import witness_digest
from lottery_system.pause import Pause
from lottery_system.queries.cosignatures import cosigners, newest_cosigned
from lottery_system.queries.logs import (
    StoredRecord,
    journal_head,
    journal_record,
    journal_tiles,
    last_record,
)
from lottery_system.queries.recoveries import recoveries
from lottery_system.rollback import RECOVER, RESTORE, Rollback
from lottery_system.witness_client import Heard, Submission
from lottery_system.witness_policy import demand_own_log, read_policy

log = logging.getLogger(__name__)

#: by which the pause knows what is found here
CAUSE = "witness"
#: seconds that a tick waits for witnesses in all, before the draws of mode operator
BUDGET = 30.0

_STRANGE = "it shows a checkpoint that this lottery did not sign"
#: whichever of the two journals a database has, the other one contradicts it
_RECOVER_FORK = f"Both are signed, so that restoring the other one ends nothing: {RECOVER}."
#: where a witness says more than it shows
_LOOK = (
    "Restore the newest backup. If the database is known to be the newest, the witness is wrong: "
    "take it out of LOTTERY_WITNESSES, and start again."
)


def of(settings: Settings, rollback: Rollback, pause: Pause) -> "Witnesses":
    """Return the witnesses that the settings name.

    Raises:
        SettingsError: their file is not a policy for this lottery.
    """
    return Witnesses(read_policy(settings), settings.storage, rollback, pause)


class Standing(NamedTuple):
    """What a witness stands at, for the operator."""

    witness: Witness
    #: the greatest size of the present journal whose cosignature is stored; 0 for none
    stored: int
    #: what it shows to have cosigned last; None where it shows nothing
    shown: Checkpoint | None
    #: what is to be said of it; None if all is well
    reason: str | None
    #: whether it has seen another journal than the database has
    is_other: bool


class Witnesses:
    """The witnesses of a policy, as one process knows them.

    Args:
        policy: None where there are none; then nothing is asked.
        storage: where evidence is kept.
        rollback: asked before a checkpoint is shown to a witness.
        pause: is set while a witness has seen another journal.
    """

    def __init__(
        self, policy: Policy | None, storage: Path, rollback: Rollback, pause: Pause
    ) -> None:
        self.policy = policy
        self._evidence = Evidence(storage)
        self._rollback = rollback
        self._pause = pause
        #: by the digest of its key
        self._witnesses: dict[bytes, Witness] = (
            {witness_digest(each.key): each for each in policy.witnesses} if policy else {}
        )
        #: those that this process has heard of the present journal
        self._heard: set[bytes] = set()
        self._timeline: int | None = None
        #: sizes that witnesses claim to have cosigned and do not show
        self._claims: dict[bytes, int] = {}
        #: those that say that the journal is another one, and do not show it
        self._forks: set[bytes] = set()
        #: what the log was last told of each
        self._told: dict[bytes, str] = {}
        self._seconds_left = 0.0

    def look(self, log_keys: LogKeys) -> None:
        """Ask those that were not heard yet, have missing cosignatures made, and set the pause.

        Outside of any transaction; nothing happens before the journal has begun.

        Raises:
            UnfitKeys: the policy's log has another key.
        """
        if self.policy is None:
            self.judge(log_keys)  # a proof stays one when whoever showed it is not asked any more
            return
        demand_own_log(self.policy, log_keys.key.verifier)
        self._seconds_left = BUDGET
        self.judge(log_keys)
        suspects = self._claims.keys() | self._forks
        silent = self._witnesses.keys() - self._heard
        self._ask(witness_client.look, silent | suspects, log_keys, witness_client.PATIENCE)
        if self.judge(log_keys):
            self.submit(log_keys, witness_client.PATIENCE)

    def learn(self, log_keys: LogKeys) -> None:
        """Ask all for what they show, and submit nothing.

        What they show and the database lacks is kept as evidence, and `published` counts it.
        """
        self._ask(witness_client.shown, set(self._witnesses), log_keys, witness_client.PATIENCE)

    def cosign(self, log_keys: LogKeys, seconds: float = BUDGET) -> None:
        """Have the newest record cosigned before its draw; waits as long as the tick still may.

        Raises:
            Paused: a witness has seen another journal.
        """
        if self.policy is None:
            return
        before = monotonic()
        self.submit(log_keys, max(min(seconds, self._seconds_left), 0.0))
        self._seconds_left -= monotonic() - before
        self._pause.refuse(CAUSE)

    def submit(self, log_keys: LogKeys, patience: float) -> None:
        """Submit the newest checkpoint to the witnesses whose cosignature is missing."""
        with reading() as connection:
            last = last_record(connection)
            if last is None:
                return
            self._rollback.publish(connection, last)
            signed = cosigners(connection, last.timeline, last.number)
        missing = self._witnesses.keys() - signed
        if patience > 0:
            self._ask(witness_client.submit, missing, log_keys, patience)
            self.judge(log_keys)

    def count(self, connection: Connection) -> tuple[int, int] | None:
        """Return how many have cosigned the newest record, and of how many; None without any."""
        last = last_record(connection)
        if not self._witnesses or last is None:
            return None
        signed = cosigners(connection, last.timeline, last.number)
        return len(signed & self._witnesses.keys()), len(self._witnesses)

    def judge(self, log_keys: LogKeys) -> bool:
        """Compare what is known of witnesses with the database, and set or clear the pause.

        Returns:
            Whether nothing contradicts it.
        """
        with reading() as connection:
            last = last_record(connection)
            if last is None:
                return True
            if last.timeline != self._timeline:  # what was heard is of a journal that ended
                self._timeline = last.timeline
                self._heard.clear()
                self._claims.clear()
                self._forks.clear()
            reason = next(self._contradictions(connection, last, log_keys.key.verifier), None)
        if reason is None:
            self._pause.clear(CAUSE)
        else:
            self._pause.set(CAUSE, reason)
        return reason is None

    def published(self, connection: Connection, mark: Mark, log_keys: LogKeys) -> Mark:
        """Return the mark with the journal's head that witnesses show, if the database lacks it."""
        genesis = journal_record(connection, 0)
        heads = [
            Head(each.head.size, each.head.root)
            for each in self._evidence.proofs(log_keys.key.verifier)
            # a longer one is no lottery's: whoever signed it has its key, and has lost nothing
            if each.head.size <= DRAWS + 1 and _contradiction(connection, each.head) is not None
        ]
        if not heads or genesis is None:
            return mark
        seen = max(heads, key=lambda head: head.size)
        known = journal_head(connection, mark.journal.size)
        is_mark_here = known is not None and known.root == mark.journal.root
        if seen.size < mark.journal.size and not is_mark_here:
            return mark  # which knows of a greater loss
        last_day = parse_genesis(genesis.record).first + (seen.size - 2) * ONE_DAY
        return mark.closed(seen, last_day)._replace(journal=seen)

    def standings(self, log_keys: LogKeys) -> list[Standing]:
        """Ask all witnesses for what they show of what they cosigned last; changes nothing."""
        if self.policy is None:
            return []
        with reading() as connection:
            last = last_record(connection)
            if last is None:
                return []
            stored = newest_cosigned(connection, last.timeline)
        heard = witness_client.shown(self._submissions(last, list(self._witnesses), log_keys))
        found = []
        for (digest, witness), each in zip(self._witnesses.items(), heard, strict=True):
            head, reason, other = None, each.reason, None
            if each.note is not None:
                with reading() as connection:
                    head, reason = self._read(connection, each.note, log_keys.key.verifier)
                    other = _contradiction(connection, head) if head else None
            found.append(
                Standing(witness, stored.get(digest, 0), head, other or reason, other is not None)
            )
        return found

    def _ask(
        self,
        ask: Callable[[Sequence[Submission], float], list[Heard]],
        digests: set[bytes],
        log_keys: LogKeys,
        patience: float,
    ) -> None:
        """Ask some witnesses at once, store what they signed, and remember what they said."""
        with reading() as connection:
            last = last_record(connection)
        if last is None or not digests:
            return
        ordered = sorted(digests)
        for digest, heard in zip(
            ordered, ask(self._submissions(last, ordered, log_keys), patience), strict=True
        ):
            self._remember(digest, heard, last, log_keys.key.verifier)

    def _submissions(
        self, last: StoredRecord, digests: Sequence[bytes], log_keys: LogKeys
    ) -> list[Submission]:
        size = last.number + 1
        with reading() as connection:
            engine = connection.engine
            known = newest_cosigned(connection, last.timeline)

        def prove(old: int) -> Sequence[bytes]:
            with engine.connect() as connection:
                read = journal_tiles(connection, last.timeline)
                return tiles.prove_consistency(read, old, size)

        return [
            Submission(
                self._witnesses[each],
                log_keys.key.verifier,
                size,
                last.checkpoint,
                known.get(each, 0),
                prove,
            )
            for each in digests
        ]

    def _remember(self, digest: bytes, heard: Heard, last: StoredRecord, key: VerifierKey) -> None:
        reason, head = heard.reason, None
        if heard.cosigned is not None:
            with transaction() as session:
                Cosignature.keep(session.connection(), last.timeline, last.number, heard.cosigned)
        elif heard.note is not None:
            with reading() as connection:
                # read after the answer: another process may have closed a day meanwhile
                head, said = self._read(connection, heard.note, key)
                reason = said if head is None else _contradiction(connection, head)
            if head is not None and reason is not None:
                self._evidence.keep(digest, heard.note, last.checkpoint, key)
            elif head is not None and (heard.is_fork or head.size < (heard.claims or 0)):
                reason = "it refuses what its own last checkpoint does not contradict"
        if heard.cosigned is not None or head is not None:
            # silence, faults and notes of others take back nothing
            self._claims.pop(digest, None)
            self._forks.discard(digest)
        else:
            self._claim(digest, heard)
        if heard.is_there:
            self._heard.add(digest)
        self._tell(digest, reason)

    def _claim(self, digest: bytes, heard: Heard) -> None:
        """Remember what a witness says and does not show."""
        if heard.claims is not None:
            self._claims[digest] = heard.claims
        if heard.is_fork:
            self._forks.add(digest)

    def _read(
        self, connection: Connection, note: str, key: VerifierKey
    ) -> tuple[Checkpoint | None, str | None]:
        """Return the head that a witness shows, or why it says nothing of the present journal."""
        try:
            head = open_checkpoint(note, key)
            return (head, None) if head.origin == key.name else (None, _STRANGE)
        except (NoteError, CryptographyMissing):
            pass
        for timeline, statement in recoveries(connection):
            try:
                head = open_checkpoint(note, parse_vkey(statement.key))
            except (NoteError, CryptographyMissing):
                continue
            if head.size > statement.signed:
                return None, (
                    f"it has cosigned {head.size} records of a journal that ended, and the "
                    f"statement /log/recovery/{timeline} says that {statement.signed} were signed"
                )
            known = journal_head(connection, head.size, timeline - 1)
            if known is not None and known.root != head.root:
                return None, (
                    f"it shows another journal of the key that ended, of {head.size} records. "
                    "Whoever signed it had that key. Keep what it shows, and send its operator the "
                    f"statement /log/recovery/{timeline}"
                )
            return None, (
                f"it holds a journal that ended ({head.size} records). Send its operator the "
                f"statement /log/recovery/{timeline} and the present key"
            )
        return None, _STRANGE

    def _contradictions(
        self, connection: Connection, last: StoredRecord, key: VerifierKey
    ) -> Iterator[str]:
        """Yield why the database is not what witnesses have seen."""
        for proof in self._evidence.proofs(key):
            if proof.head.origin != key.name:
                continue
            reason = _contradiction(connection, proof.head, is_own=proof.is_own)
            if reason is not None:
                is_older = proof.head.size > last.number + 1
                yield f"{reason} {_place_of(proof)} {RESTORE if is_older else _RECOVER_FORK}"
        ended = max((each.signed for _, each in recoveries(connection)), default=0)
        # a witness may still hold the journal that ended, unless it has signed the present one
        is_here = newest_cosigned(connection, last.timeline) if ended else {}
        for digest, size in self._claims.items():
            if size > max(last.number + 1, 0 if digest in is_here else ended):
                yield (
                    f"The witness {self._name(digest)} says that it has cosigned {size} records of "
                    f"the journal, and the database has {last.number + 1}; it does not show them. "
                    f"{_LOOK}"
                )
        for digest in self._forks:
            if not ended or digest in is_here:
                yield (
                    f"The witness {self._name(digest)} says that it has cosigned another journal "
                    f"of this lottery; it does not show it. {_LOOK}"
                )

    def _tell(self, digest: bytes, reason: str | None) -> None:
        """Log what a witness stands at, where that has changed."""
        if reason == self._told.get(digest):
            return
        if reason is None:
            log.info("witness %s: it answers again", self._name(digest))
            del self._told[digest]
        else:
            log.warning("witness %s: %s", self._name(digest), reason)
            self._told[digest] = reason

    def _name(self, digest: bytes) -> str:
        return self._witnesses[digest].key.name


def _place_of(proof: Proof) -> str:
    """Say where a proof is."""
    if proof.is_written:
        return f"Its proof is {proof.file}."
    return f"Its proof cannot be written to {proof.file}: make room there, and see that it can be."


def _contradiction(
    connection: Connection, head: Checkpoint | Head, *, is_own: bool = False
) -> str | None:
    """Return how a head that this lottery signed contradicts the database; None if it does not.

    Args:
        is_own: no witness showed it; it was this lottery's own when one showed another.
    """
    last = last_record(connection)
    size = last.number + 1 if last else 0
    if head.size > size:
        seen = f"this lottery has signed {head.size}"
        if not is_own:
            seen = f"a witness has seen {head.size} that this lottery signed"
        return (
            f"The database is older than what was published: its journal has {size} records, and "
            f"{seen}."
        )
    known = journal_head(connection, head.size)
    if known is None or known.root != head.root:
        seen = "Its own checkpoint of" if is_own else "A witness has seen another one of"
        than = "is of another one than" if is_own else "than"
        return (
            "FORK: this lottery has signed two different journals. "
            f"{seen} {head.size} records {than} the database has."
        )
    return None
