"""Checks of a receipt against a certificate of its day."""

from collections.abc import Sequence
from datetime import date

from lottery_system.fairness import commitment, merkle, records
from lottery_system.fairness.certificate import FormatError, Receipt
from lottery_system.fairness.checks import CHECKS, Failed, NotMade, demand
from lottery_system.fairness.listing import Listing
from lottery_system.fairness.note import (
    Checkpoint,
    NotSigned,
    VerifierKey,
    open_checkpoint,
    parse_vkey,
)
from lottery_system.fairness.records import Freeze
from lottery_system.fairness.recovery import Recovery, Succession


class ReceiptCase:
    """A receipt under verification.

    Args:
        receipt: None if none was given, or why it has not the form of one.
        key: the lottery's.
        name: the lottery's, as its genesis has it.
        freeze: of the day that the receipt should be of.
        succession: what statements of losses say of the journal at hand; a receipt may be of
            before, or signed afterwards.
    """

    def __init__(
        self,
        receipt: Receipt | FormatError | None,
        key: VerifierKey,
        name: str,
        freeze: Freeze,
        succession: Succession | None = None,
    ) -> None:
        self._receipt = receipt
        self._key = key
        self._name = name
        self._freeze = freeze
        self._succession = succession or Succession()
        #: the statements that came after the receipt was signed
        self._later: Sequence[Recovery] = ()
        #: of the day's log when the receipt was given, once its signature was seen to hold
        self._checkpoint: Checkpoint | None = None

    @property
    def size(self) -> int:
        """Return how many ballots the log had when the receipt was given; 0 where it is unknown."""
        return self._checkpoint.size if self._checkpoint else 0

    @property
    def index(self) -> int | None:
        """Return the leaf that the receipt says its ballot is; None without a receipt."""
        return self._receipt.index if isinstance(self._receipt, Receipt) else None

    def signed(self) -> str:
        """Check who signed.

        Raises:
            NotMade: there is no receipt.
            Failed, NoteError: this is none of that day and lottery.
        """
        receipt = self._given()
        checkpoint = self._opened(receipt.checkpoint)
        origin = f"{self._name}/{self._freeze.day}"
        demand(
            checkpoint.origin == origin,
            f"the receipt is of the log {checkpoint.origin}, not of {origin}",
        )
        self._checkpoint = checkpoint
        return CHECKS["receipt signed"]

    def included(self) -> str:
        """Check that the ballot is its holder's, and in the log as it was then.

        Raises:
            NotMade: there is no receipt, or none to be believed.
            Failed, RecordError: it is not.
        """
        receipt, checkpoint, day = self._given(), self._believed(), self._freeze.day
        ballot = records.parse_ballot(receipt.ballot)
        demand(ballot.day == ballot.time.date() == day, f"the receipt's ballot is not of {day}")
        demand(ballot.number == receipt.index + 1, "number and index of the receipt do not fit")
        leaf = merkle.leaf_hash(receipt.ballot.encode())
        demand(
            merkle.check_inclusion(
                receipt.index, checkpoint.size, leaf, receipt.proof, checkpoint.root
            ),
            "the receipt's ballot is not in the log that its checkpoint signs",
        )
        opened = commitment.holder_hash(receipt.holder.salt, receipt.holder.username)
        demand(opened == ballot.holder, "the receipt's ballot is somebody else's")
        return f"{CHECKS['receipt included']}: ballot {ballot.number}"

    def kept(self, listing: Listing) -> str:
        """Check that the log that was frozen extends the one that the receipt is of.

        Raises:
            NotMade: it takes the list of ballots to tell, or there is no receipt to be believed.
            Failed: ballots were dropped or changed since.
        """
        receipt = self._given()
        checkpoint, freeze = self._believed(), self._freeze
        losses = [
            recovery
            for recovery in self._later
            if _has_lost(recovery, freeze.day, receipt.index + 1, checkpoint.size)
        ]
        if losses:
            return _stands(receipt, listing, losses[-1])
        demand(
            checkpoint.size <= freeze.size,
            f"the log had {checkpoint.size} ballots when the receipt was given, and was frozen "
            f"with {freeze.size}: ballots were dropped",
        )
        roots = {freeze.size: freeze.root}
        if checkpoint.size != freeze.size:
            if not listing.is_the_frozen:
                raise NotMade("it takes the list of ballots that was frozen")
            roots = listing.roots
        demand(
            roots.get(checkpoint.size) == checkpoint.root,
            "the log was changed after the receipt was given",
        )
        return CHECKS["receipt kept"]

    def _opened(self, checkpoint: str) -> Checkpoint:
        """Open a checkpoint by the lottery's key, or by one that statements lead from or to."""
        led, after = self._succession
        signers = [
            (self._key, after),
            *((parse_vkey(each.key), led[place:] + after) for place, each in enumerate(led)),
            *((parse_vkey(each.next), after[place:]) for place, each in enumerate(after, 1)),
        ]
        refusal: NotSigned | None = None
        for key, later in signers:
            try:
                opened = open_checkpoint(checkpoint, key)
            except NotSigned as error:
                refusal = refusal or error
                continue
            self._later = later
            return opened
        assert refusal is not None
        raise refusal

    def _given(self) -> Receipt:
        if self._receipt is None:
            raise NotMade("no receipt was given")
        if isinstance(self._receipt, FormatError):
            raise Failed(str(self._receipt))
        return self._receipt

    def _believed(self) -> Checkpoint:
        if self._checkpoint is None:
            raise NotMade("the receipt's checkpoint could not be believed")
        return self._checkpoint


def _has_lost(recovery: Recovery, day: date, number: int, size: int) -> bool:
    """Return whether a log lost ballots that a receipt's checkpoint counts, but not its own.

    Args:
        number: the ballot's.
        size: of the day's log, as the receipt signs it.

    Raises:
        Failed: the ballot was lost, or more than was stated.
    """
    lost = next((each for each in recovery.ballots if each.day == day), None)
    if lost is None:
        return False
    when = records.format_instant(recovery.time)
    demand(
        number <= lost.signed,
        f"this ballot is missing, and the lottery's statement of {when} does not admit it",
    )
    demand(
        number <= lost.left,
        "this ballot was accepted and then lost with the lottery's records; its statement of "
        f"{when} admits it",
    )
    demand(
        size <= lost.signed,
        f"the log had {size} ballots when the receipt was given, and the lottery's statement of "
        f"{when} admits to {lost.signed}",
    )
    return size > lost.left


def _stands(receipt: Receipt, listing: Listing, recovery: Recovery) -> str:
    """Check that a ballot is where it was, though others after it were lost.

    Raises:
        NotMade: it takes the list of ballots to tell.
        Failed: another one is in its place.
    """
    when = records.format_instant(recovery.time)
    if not listing.is_the_frozen:
        raise NotMade(
            f"the lottery lost later ballots of this day, and stated so on {when}: get a new "
            "receipt of this one"
        )
    demand(
        listing.record == receipt.ballot.encode(),
        "the log that was frozen has another ballot in the place of the receipt's",
    )
    return (
        "the log that was frozen has the receipt's ballot in its place; the lottery lost later "
        f"ones, and stated so on {when}"
    )
