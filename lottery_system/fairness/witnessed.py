"""Check `witnessed`: whether enough witnesses signed the journal in time.

A witness never cosigns two checkpoints of a log that contradict each other. So cosignatures from
before the round's time prove that the day was frozen once, before its number existed
(daily-draw/v1, section 18: witnesses).
"""

from collections.abc import Callable
from typing import NamedTuple

from lottery_system.fairness import beacon
from lottery_system.fairness.beacon import ChainInfo
from lottery_system.fairness.checks import Failed, NotMade, demand
from lottery_system.fairness.cosignature import check_cosignature, is_by, time_of
from lottery_system.fairness.note import CryptographyMissing, VerifierKey, split_note
from lottery_system.fairness.policy import Policy
from lottery_system.fairness.records import BEACON, Freeze, Genesis

WITNESSED = "witnessed"
NO_POLICY = "no policy that names witnesses was given"
#: added where another journal might have as many, though no witness lied
MINORITY = (
    "; as it needs no majority, others may have signed another list: two quorums must share a "
    "witness"
)
#: seconds by which a witness's clock may be behind the server's
CLOCK_BEHIND = 60


class Span(NamedTuple):
    """Which cosignatures count: those from a second on and before another, since 1970."""

    begins: int
    ends: int

    def __contains__(self, time: object) -> bool:
        """Tell whether a cosignature of this second counts."""
        return isinstance(time, int) and self.begins <= time < self.ends


def span_of(genesis: Genesis, freeze: Freeze, info: ChainInfo | None) -> Span | None:
    """Return which cosignatures of a draw's checkpoint count; None if all do, as in mode operator.

    Args:
        genesis: the journal's.
        freeze: the draw's.
        info: of the beacon's network, as the certificate has it.

    Raises:
        NotMade: when the round is due cannot be believed.
    """
    if genesis.mode != BEACON:
        return None
    if freeze.round is None or info is None or info.chain_hash != genesis.chain:
        raise NotMade("when the random number was due could not be believed")
    frozen = round(freeze.frozen.timestamp())
    return Span(frozen - CLOCK_BEHIND, beacon.time_of(info, freeze.round))


def demand_log(policy: Policy, *keys: VerifierKey) -> None:
    """Demand that a policy is for one of some keys; one without logs is for any.

    Raises:
        Failed: it is for other logs.
    """
    known = [each.key for each in policy.logs]
    demand(not known or any(key in known for key in keys), "the policy is for another log")


def demand_witnesses(note: str, policy: Policy, span: Span | None = None) -> str:
    """Demand that as many witnesses signed a checkpoint as a policy needs, and say how many did.

    Args:
        note: the checkpoint, a signed note whose own signature holds.
        policy: whose cosignatures it needs.
        span: which of them count; all of them where there is none.

    Raises:
        Failed: they are too few.
        NoteError: a cosignature by a witness of the policy does not hold.
        NotMade: they might be enough, but some cannot be checked here.
    """
    counted, unchecked, others = _signed(note, policy, (lambda time: span is None or time in span))
    who = f"{len(counted)} of {len(policy.witnesses)} witnesses signed the public log"
    when = " before the random number was due" if span else ""
    if policy.is_met_by(counted):
        return f"{who}{when}, as many as the policy needs{'' if policy.is_majority else MINORITY}"
    if policy.is_met_by(counted | unchecked):
        raise NotMade("the signature of a witness is of a kind that cannot be checked here")
    late = f"; {len(others)} signed at another time" if others else ""
    raise Failed(f"{who}{when}, fewer than the policy needs{late}")


def _signed(
    note: str, policy: Policy, counts: Callable[[int], bool]
) -> tuple[set[bytes], set[bytes], set[bytes]]:
    """Return whose cosignatures count, whose might, and whose are of another time only."""
    counted, unchecked, others = set[bytes](), set[bytes](), set[bytes]()
    text, lines = split_note(note)
    for line in lines:
        key = next((each.key for each in policy.witnesses if is_by(line, each.key)), None)
        if key is None:
            continue
        try:
            time, into = check_cosignature(line, key, text), counted
        except CryptographyMissing:
            time, into = time_of(line, key), unchecked
        (into if counts(time) else others).add(key.public_key)
    return counted, unchecked - counted, others - counted
