"""Journal monitor: all records of a downloaded journal, and whether it extends what was seen.

Whoever keeps a checkpoint of the journal, or runs this each day, finds a journal that was rolled
back, forked or rewritten, without believing the server (daily-draw/v1, section 13: what to keep).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from hashlib import sha256

from lottery_system.fairness import merkle, records
from lottery_system.fairness.certificate import parse_certificate
from lottery_system.fairness.checks import (
    RECOVERY,
    RECOVERY_HOLDS,
    Check,
    Failed,
    NotMade,
    demand,
    make,
)
from lottery_system.fairness.commitment import follow_chain
from lottery_system.fairness.note import (
    Checkpoint,
    NoteError,
    NotSigned,
    VerifierKey,
    format_vkey,
    open_checkpoint,
    parse_vkey,
)
from lottery_system.fairness.pin import Pin
from lottery_system.fairness.policy import Policy
from lottery_system.fairness.records import Freeze, Genesis
from lottery_system.fairness.recovery import Recovery, open_recovery, succession_of
from lottery_system.fairness.verify import demand_day, trusted_key
from lottery_system.fairness.witnessed import (
    NO_POLICY,
    WITNESSED,
    demand_log,
    demand_witnesses,
)

#: one more check of a certificate, made only where a checkpoint is given that somebody kept
HEAD = "head"
#: the checks of a journal in order, with what each says
JOURNAL_CHECKS = {
    "checkpoint": "the checkpoint of the public log is signed with the lottery's key",
    "records": "the records are all there, and are the ones that the checkpoint signs",
    "genesis": "the lottery's opening record comes first, and is the one that was noted",
    "freezes": "there is one closing record a day, in order, each after the one before",
    "secrets": "the secret of each day is the one sealed in the opening record",
    HEAD: "nothing that was seen before is missing or changed",
    WITNESSED: "enough witnesses signed the public log",
}


class _Journal:
    """A journal and what is known of it while it is checked."""

    def __init__(self, note: str, entries: Iterable[bytes], pin: Pin) -> None:
        self.note = note
        self.pin = pin
        #: the key that was given, from which statements may lead to that of `pin`
        self._given = pin.key
        self.entries = list(entries)
        self._checkpoint: Checkpoint | None = None
        #: the statement that ended it, if one was given
        self._ended: Recovery | None = None

    def follow(self, notes: Sequence[str]) -> str:
        """Go from the pin that was given to the journal's own, by statements of losses or new keys.

        Raises:
            Failed, NoteError, RecordError: they don't lead here, or one of them does not hold.
        """
        begun, genesis = self.genesis, sha256(self.entries[0]).digest()
        succession = succession_of([open_recovery(note) for note in notes], genesis)
        led, after = succession
        key, pinned = (led[-1].next if led else after[0].key), format_vkey(self.pin.key)
        demand(not after or after[0].key == key, "the statement of its end is of another key")
        known = genesis if pinned == key else succession.known_genesis(pinned, key)
        demand(known is not None, "no statement leads from the key given to this journal's")
        demand(self.pin.genesis in (None, known), _OTHER_GENESIS)
        demand(
            not led or led[-1].first == begun.first,
            "the statement says that the journal begins with another day",
        )
        self.pin = Pin(parse_vkey(key), genesis)
        self._ended = after[0] if after else None
        return RECOVERY_HOLDS

    def checkpoint(self) -> str:
        opened = open_checkpoint(self.note, self.pin.key)
        demand(opened.origin == self.pin.key.name, f"it is that of {opened.origin}")
        self._checkpoint = opened
        return JOURNAL_CHECKS["checkpoint"]

    @property
    def signed(self) -> Checkpoint:
        if self._checkpoint is None:
            raise NotMade("the journal's checkpoint could not be believed")
        return self._checkpoint

    @property
    def genesis(self) -> Genesis:
        demand(bool(self.entries), "the journal is empty")
        return records.parse_genesis(self.entries[0])

    def records(self) -> str:
        size, count = self.signed.size, len(self.entries)
        demand(count >= size, f"the checkpoint signs {size} records, and {count} are here")
        # those that a server has added since are of the next checkpoint
        self.entries = self.entries[:size]
        root = roots_at(self.entries, [size])[size]
        demand(root == self.signed.root, "the records are others than those that were signed")
        return JOURNAL_CHECKS["records"]

    def opening(self) -> str:
        genesis = self.genesis
        demand(genesis.name == self.pin.key.name, f"the opening record is that of {genesis.name}")
        demand(self.pin.genesis in (None, sha256(self.entries[0]).digest()), _OTHER_GENESIS)
        if self.pin.genesis is None:
            return "the lottery's opening record comes first; none was noted to compare it with"
        return JOURNAL_CHECKS["genesis"]

    def _freezes(self) -> Iterable[Freeze]:
        return map(records.parse_freeze, self.entries[1:])

    def freezes(self) -> str:
        genesis, previous = self.genesis, sha256(self.entries[0]).digest()
        for draw, (entry, freeze) in enumerate(zip(self.entries[1:], self._freezes(), strict=True)):
            demand(freeze.draw == draw, f"record {draw + 1} is draw {freeze.draw}, not draw {draw}")
            demand_day(genesis, freeze)
            demand(
                freeze.previous == previous,
                f"the closing record of {freeze.day} does not follow the one before",
            )
            previous = sha256(entry).digest()
        return JOURNAL_CHECKS["freezes"]

    def secrets(self) -> str:
        link = self.genesis.anchor
        for freeze in self._freezes():
            demand(
                follow_chain(freeze.secret, 1) == link,
                f"the secret of {freeze.day} is another than the one sealed",
            )
            link = freeze.secret
        return JOURNAL_CHECKS["secrets"]

    def kept(self, heads: Sequence[str]) -> str:
        ended = self._ended
        if ended is not None:
            demand(self.signed.size <= ended.kept, f"it had ended with {ended.kept} records")
        if not heads and ended is None:
            raise NotMade("nothing was seen before")
        try:
            opened = [open_checkpoint(head, self.pin.key) for head in heads]
        except NotSigned:
            raise Failed(
                "a checkpoint that was seen before is signed by another key; after a recovery, "
                "or new keys, begin a new folder with the new pin"
            ) from None
        if ended is not None and ended.kept:
            opened.append(Checkpoint(ended.name, ended.kept, ended.left))
        demand_heads(opened, self.entries)
        return JOURNAL_CHECKS[HEAD]

    def witnessed(self, policy: Policy | None) -> str:
        if policy is None:
            raise NotMade(NO_POLICY)
        _ = self.signed
        demand_log(policy, self.pin.key, self._given)
        return demand_witnesses(self.note, policy)


def check_journal(
    note: str,
    entries: Iterable[bytes],
    pin: Pin,
    heads: Sequence[str] = (),
    policy: Policy | None = None,
    *,
    recoveries: Sequence[str] = (),
) -> list[Check]:
    """Make all checks of a journal.

    Args:
        note: its checkpoint, a signed note.
        entries: its records in order, all of them.
        pin: the lottery's key, as somebody noted it.
        heads: checkpoints of it that were seen before, signed notes.
        policy: whose cosignatures its checkpoint needs, whenever they were made.
        recoveries: published statements, signed notes, that lead from the key to the journal's, or
            back to it; one that ended it says which records are left.

    Returns:
        All checks in the order of `JOURNAL_CHECKS`, and `RECOVERY` before them where a statement is
        given.
    """
    journal = _Journal(note, entries, pin)
    followed = [make(RECOVERY, lambda: journal.follow(recoveries))] if recoveries else []
    made: dict[str, Callable[[], str]] = {
        "checkpoint": journal.checkpoint,
        "records": journal.records,
        "genesis": journal.opening,
        "freezes": journal.freezes,
        "secrets": journal.secrets,
        HEAD: lambda: journal.kept(heads),
        WITNESSED: lambda: journal.witnessed(policy),
    }
    return followed + [make(name, check) for name, check in made.items()]


def check_head(
    certificate: bytes,
    head: str,
    key: VerifierKey | None,
    entries: Iterable[bytes] | None,
    recoveries: Sequence[str] = (),
) -> Check:
    """Check that the journal of a certificate and a checkpoint that somebody kept are one.

    Args:
        certificate: JSON.
        head: the checkpoint, a signed note.
        key: the lottery's; that of the certificate if it is not known.
        entries: the journal's records; not needed where both have the same size.
        recoveries: published recovery statements, signed notes.
    """

    def made() -> str:
        parsed = parse_certificate(certificate)
        known = trusted_key(certificate, key, recoveries)
        newer = open_checkpoint(parsed.journal.checkpoint, known)
        try:
            kept = open_checkpoint(head, known)
        except NotSigned:
            stated = map(open_recovery, recoveries)
            others = [parse_vkey(line) for each in stated for line in (each.key, each.next)]
            if any(_is_signed(head, each) for each in others):
                raise NotMade(_OTHER_JOURNAL) from None
            raise
        demand(kept.origin == newer.origin, f"the checkpoint is that of {kept.origin}")
        if kept.size == newer.size:
            demand(kept.root == newer.root, _CONTRADICTION)
        elif entries is None:
            raise NotMade("a copy of the journal is needed, since it has grown in between")
        else:
            demand_heads([kept, newer], list(entries))
        return "the checkpoint that was kept and the certificate are of one journal"

    return make(HEAD, made)


def _is_signed(note: str, key: VerifierKey) -> bool:
    try:
        open_checkpoint(note, key)
    except NoteError:
        return False
    return True


_OTHER_GENESIS = "this is another opening record than the one that was noted with the key"
_OTHER_JOURNAL = (
    "the checkpoint is of another journal of this lottery; compare it with a copy of that one, "
    "which is at /log/ended/ if a recovery ended it"
)
_CONTRADICTION = (
    "the two checkpoints contradict each other: both are signed by the lottery, and prove that it "
    "kept two journals"
)


def demand_heads(heads: Sequence[Checkpoint], entries: Sequence[bytes]) -> None:
    """Demand that a journal has grown through heads of it.

    Raises:
        Failed: it is shorter than one of them, or has another root at its size.
    """
    roots = roots_at(entries, {head.size for head in heads})
    for head in heads:
        demand(
            head.size in roots,
            f"{head.size} records were signed before, and the journal has {len(entries)}",
        )
        demand(
            roots[head.size] == head.root,
            f"at {head.size} records the journal is another than the one signed before",
        )


def roots_at(entries: Sequence[bytes], sizes: Collection[int]) -> Mapping[int, bytes]:
    """Return the roots of a log at some sizes, those that it has come to."""
    frontier, found = merkle.Frontier(), {}
    for size in sorted(each for each in set(sizes) if each <= len(entries)):
        leaves = merkle.leaf_hashes(entries[frontier.size : size])
        frontier, _ = frontier.extend(leaves)
        found[size] = frontier.root
    return found
