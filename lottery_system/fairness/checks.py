"""What a check is, and how it tells what it found."""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple

from lottery_system.fairness.note import CryptographyMissing, NoteError

#: the checks in their order, with what each says
CHECKS = {
    "format": "the certificate and its records are well formed",
    "checkpoint": "the journal's checkpoint is signed by the lottery's key, in the genesis' name",
    "genesis": "the genesis is the journal's first record",
    "freeze": "the freeze stands in the journal at its draw's place",
    "day": "the day is the draw's, and closes at the midnight that ends it",
    "secret": "the operator's secret is the one promised in the genesis",
    "round": "mode, chain and round of the beacon are those that genesis and day fix",
    "beacon": "the beacon's signature is the network's own",
    "winners": "the winning numbers follow from freeze and beacon",
    "ballots": "each winning ballot is of the day and stands in its log",
    "holders": "the named holders are those of the winning ballots",
    "list": "the list of ballots is whole, in order, and the one that was frozen",
    "receipt signed": "the receipt's checkpoint of the day is signed by the lottery's key",
    "receipt included": "the receipt's ballot is in the log that its checkpoint signs",
    "receipt kept": "the log that was frozen extends the one that the receipt's checkpoint signs",
}


#: one more, made only where a statement of a loss is given
RECOVERY = "recovery"
RECOVERY_HOLDS = "a signed statement of a loss leads from the key given to this journal's"

OF_RECEIPTS = {"receipt signed", "receipt included", "receipt kept"}
#: those of lists and receipts are for whoever has them; the others every certificate needs
NOT_NEEDED = {"list", *OF_RECEIPTS}


class Verdict(Enum):
    """What a check found."""

    OK = "ok"
    FAILED = "FAIL"
    #: it was not made, which says nothing either way
    NOT_MADE = "--"


class Check(NamedTuple):
    """One check, made or not."""

    name: str
    verdict: Verdict
    #: what holds, what does not, or why the check was not made
    detail: str


class Failed(Exception):
    """A check does not hold."""


class NotMade(Exception):
    """A check cannot be made."""


def make(name: str, check: Callable[[], str]) -> Check:
    """Make one check: what the function returns is what holds."""
    try:
        return Check(name, Verdict.OK, check())
    except (NotMade, CryptographyMissing) as error:
        return not_made(name, str(error))
    except (Failed, NoteError, ValueError, OverflowError) as error:
        return failed(name, error)


def failed(name: str, error: Exception) -> Check:
    """Say of a check that it does not hold."""
    return Check(name, Verdict.FAILED, str(error)[:200])


def not_made(name: str, why: str) -> Check:
    """Say of a check that it was not made."""
    return Check(name, Verdict.NOT_MADE, why)


def holds(checks: Iterable[Check]) -> bool:
    """Tell whether all that was checked holds, and all that a certificate needs was checked."""
    return all(
        check.verdict is Verdict.OK
        or (check.verdict is Verdict.NOT_MADE and check.name in NOT_NEEDED)
        for check in checks
    )


def demand(condition: bool, refusal: str) -> None:
    """Go on where a condition holds.

    Raises:
        Failed: it does not.
    """
    if not condition:
        raise Failed(refusal)
