"""Checks of a certificate: their names, verdicts and messages."""

from collections.abc import Callable, Collection, Iterable
from enum import Enum
from typing import NamedTuple

from lottery_system.fairness.note import CryptographyMissing, NoteError

#: the checks in order, with what each says
CHECKS = {
    "format": "the certificate and the records in it have the right format",
    "checkpoint": "the checkpoint of the public log is signed with the lottery's key",
    "genesis": "the lottery's opening record comes first in its public log",
    "freeze": "the day's closing record is in the right place in the log",
    "day": "the draw is for the right day, and that day closed at midnight UTC",
    "secret": "the day's secret is the one sealed in the opening record",
    "round": "the random number comes from the source and round fixed in advance",
    "beacon": "the random number is signed by its network",
    "winners": "the winning numbers are the result of the published method",
    "ballots": "each winning ballot is in that day's list",
    "holders": "each winning ballot belongs to the person named",
    "offers": "what each winning ballot won is on the list of prizes signed for that day",
    "witnessed": "enough witnesses signed the public log in time",
    "list": "the list of ballots is complete, in order, and the one that was locked",
    "receipt signed": "the receipt is signed with the lottery's key",
    "receipt included": "the receipt's ballot was in the list when the receipt was signed",
    "receipt kept": "the final list still has everything it had when the receipt was signed",
}


#: one more, made only where a statement of a loss, or of new keys, is given
RECOVERY = "recovery"
RECOVERY_HOLDS = "a signed statement leads from the key given to this journal's"

OF_RECEIPTS = {"receipt signed", "receipt included", "receipt kept"}
#: for whoever has a list, a policy or a receipt; the others every certificate needs
NOT_NEEDED = {"offers", "witnessed", "list", *OF_RECEIPTS}


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


def holds(checks: Iterable[Check], needed: Collection[str] = ()) -> bool:
    """Return whether all that was checked holds, and all that is needed was checked.

    Args:
        checks: of a certificate.
        needed: names of checks that must have been made, beside those that every certificate needs.
    """
    return all(
        check.verdict is Verdict.OK
        or (
            check.verdict is Verdict.NOT_MADE
            and check.name in NOT_NEEDED
            and check.name not in needed
        )
        for check in checks
    )


def demand(condition: bool, refusal: str) -> None:
    """Go on where a condition holds.

    Raises:
        Failed: it does not.
    """
    if not condition:
        raise Failed(refusal)
