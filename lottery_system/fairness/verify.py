"""All checks of a certificate, by name (daily-draw/v1, section 11: checks).

Nothing here trusts the server. A check that could not be made, because something was not given, is
reported with the reason and never counts as passed.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from hashlib import sha256

from lottery_system.fairness import beacon, commitment, merkle, records, selection
from lottery_system.fairness.certificate import (
    Certificate,
    FormatError,
    Receipt,
    parse_certificate,
    parse_receipt,
)
from lottery_system.fairness.checks import (
    CHECKS,
    RECOVERY,
    RECOVERY_HOLDS,
    Check,
    Failed,
    NotMade,
    Verdict,
    demand,
    failed,
    make,
    not_made,
)
from lottery_system.fairness.listing import Listing, Progress, read_list
from lottery_system.fairness.note import (
    Checkpoint,
    CryptographyMissing,
    NoteError,
    VerifierKey,
    format_vkey,
    open_checkpoint,
    parse_vkey,
)
from lottery_system.fairness.offers import open_offers, parse_signed_offers
from lottery_system.fairness.policy import Policy
from lottery_system.fairness.receipts import ReceiptCase
from lottery_system.fairness.records import (
    BEACON,
    OPERATOR,
    Ballot,
    Freeze,
    Genesis,
    RecordError,
)
from lottery_system.fairness.recovery import Succession, open_recovery, succession_of
from lottery_system.fairness.witnessed import (
    NO_POLICY,
    WITNESSED,
    demand_log,
    demand_witnesses,
    span_of,
)


class _Case:
    """A certificate and what is known of it while it is checked."""

    def __init__(
        self,
        certificate: Certificate,
        key: VerifierKey | None,
        genesis: bytes | None,
        recoveries: Sequence[str],
    ) -> None:
        self.certificate = certificate
        self.genesis: Genesis = records.parse_genesis(certificate.genesis)
        self.freeze: Freeze = records.parse_freeze(certificate.freeze)
        self.ballots: list[Ballot] = [
            records.parse_ballot(winner.ballot) for winner in certificate.winners
        ]
        hint = parse_vkey(certificate.log_key)
        #: the key that was given, which may lead to the certificate's
        self.pinned = key
        #: H of the genesis that was noted with the key; None if none was
        self.noted_genesis = genesis
        self.genesis_hash = sha256(certificate.genesis.encode()).digest()
        #: None if none was given; what is wrong with one of them, or what they say together
        self.succession: Succession | Exception | None = None
        if recoveries:
            self.succession = _succession(recoveries, self.genesis_hash)
        self.key = key or hint
        #: H of the genesis of the journal of the key that was given
        self.first_genesis = self.genesis_hash
        if isinstance(self.succession, Succession) and key is not None and key != hint:
            known = self.succession.known_genesis(format_vkey(key), certificate.log_key)
            if known is not None:
                self.key, self.first_genesis = hint, known
        self.names_its_key = hint == self.key
        #: the journal's checkpoint, once its signature was seen to hold
        self.checkpoint: Checkpoint | None = None

    def signed_checkpoint(self) -> Checkpoint:
        if self.checkpoint is None:
            raise NotMade("the journal's checkpoint could not be believed")
        return self.checkpoint


def verify(
    certificate: bytes,
    *,
    key: VerifierKey | None = None,
    genesis: bytes | None = None,
    ballots: Iterable[bytes] | None = None,
    receipt: bytes | None = None,
    recoveries: Sequence[str] = (),
    offers: bytes | None = None,
    policy: Policy | None = None,
    progress: Progress = lambda done, size: None,
) -> list[Check]:
    """Make all checks of a certificate.

    Args:
        certificate: JSON, as it was downloaded.
        key: the lottery's, known from elsewhere; without it the certificate's key is used, and the
            check `checkpoint` says so.
        genesis: H of the genesis that was noted with the key, 32 bytes; without it the check
            `genesis` takes any that the key has signed.
        ballots: the day's records in order, for the check `list`; read once, in batches.
        receipt: JSON, for the checks of it.
        recoveries: published recovery statements, signed notes; if they lead from `key` to the
            certificate's key, that one is trusted like `key`.
        offers: the day's signed list of offers, JSON, for the check `offers`. Whatever is wrong
            with it, only this check fails.
        policy: whose cosignatures the journal's checkpoint needs, for the check `witnessed`.
        progress: told, now and then, how many of the list's ballots have been read.

    Returns:
        All checks in the order of `CHECKS`, and `RECOVERY` before those of lists and receipts where
        a statement is given.

    Raises:
        Unreadable: certificate or receipt are no JSON at all.
    """
    receipt_or_fault = None if receipt is None else _parsed_receipt(receipt)

    try:
        case = _Case(parse_certificate(certificate), key, genesis, recoveries)
    except (FormatError, RecordError, NoteError) as error:
        why = "the certificate is not well formed"
        return [failed("format", error), *(not_made(name, why) for name in list(CHECKS)[1:])]
    form = Check("format", Verdict.OK, CHECKS["format"])
    of_certificate = [
        make(name, lambda check=check: check(case))  # type: ignore[misc]
        for name, check in _OF_THE_CERTIFICATE.items()
    ]
    succession = Succession()
    if recoveries:
        of_certificate.append(make(RECOVERY, lambda: _recovery(case)))
        # what leads from no known key says nothing of receipts
        if isinstance(case.succession, Succession) and of_certificate[-1].verdict is Verdict.OK:
            succession = case.succession
    of_certificate.append(make("offers", lambda: _offers(case, offers)))
    of_certificate.append(make(WITNESSED, lambda: _witnessed(case, policy)))
    of_receipt = ReceiptCase(receipt_or_fault, case.key, case.genesis.name, case.freeze, succession)
    signed = make("receipt signed", of_receipt.signed)
    included = make("receipt included", of_receipt.included)
    listing = Listing(of_receipt.index)
    whole = make(
        "list", lambda: read_list(listing, ballots, case.freeze, of_receipt.size, progress)
    )
    kept = make("receipt kept", lambda: of_receipt.kept(listing))
    return [form, *of_certificate, whole, signed, included, kept]


def trusted_key(
    certificate: bytes, key: VerifierKey | None, recoveries: Sequence[str] = ()
) -> VerifierKey:
    """Return the key by which a certificate is checked: the one given, or the one it leads to.

    Raises:
        FormatError, RecordError, NoteError: the certificate is not well formed.
    """
    return _Case(parse_certificate(certificate), key, None, recoveries).key


def _checkpoint(case: _Case) -> str:
    demand(case.names_its_key, "the certificate names another key than the one given")
    checkpoint = open_checkpoint(case.certificate.journal.checkpoint, case.key)
    demand(
        checkpoint.origin == case.genesis.name == case.key.name,
        "checkpoint, genesis and key bear different names",
    )
    case.checkpoint = checkpoint
    if case.pinned:
        return CHECKS["checkpoint"]
    return (
        "the checkpoint of the public log is signed with the key in the certificate; "
        "whether it is the lottery's key, this certificate alone cannot tell"
    )


def _genesis(case: _Case) -> str:
    checkpoint = case.signed_checkpoint()
    leaf = merkle.leaf_hash(case.certificate.genesis.encode())
    proof = case.certificate.journal.genesis_proof
    demand(
        merkle.check_inclusion(0, checkpoint.size, leaf, proof, checkpoint.root),
        "the genesis is not the first record of the journal",
    )
    demand(
        case.noted_genesis in (None, case.first_genesis),
        "this is another opening record than the one that was noted with the key",
    )
    return CHECKS["genesis"]


def _freeze(case: _Case) -> str:
    checkpoint = case.signed_checkpoint()
    journal, draw = case.certificate.journal, case.freeze.draw
    demand(
        journal.index == draw + 1,
        f"the freeze of draw {draw} cannot be record {journal.index} of the journal",
    )
    leaf = merkle.leaf_hash(case.certificate.freeze.encode())
    demand(
        merkle.check_inclusion(
            journal.index, checkpoint.size, leaf, journal.proof, checkpoint.root
        ),
        "the freeze does not stand in the journal at its place",
    )
    demand(
        draw > 0 or case.freeze.previous == case.genesis_hash,
        "the first freeze does not follow the genesis",
    )
    return CHECKS["freeze"]


def _day(case: _Case) -> str:
    demand_day(case.genesis, case.freeze)
    return CHECKS["day"]


def demand_day(genesis: Genesis, freeze: Freeze) -> None:
    """Demand that a freeze is of its draw's day, and was made after the midnight that ends it.

    Raises:
        Failed: it is not, or was made before.
    """
    day = genesis.first + timedelta(days=freeze.draw)
    demand(freeze.day == day, f"draw {freeze.draw} is of {day}, not of {freeze.day}")
    midnight = f"{day + timedelta(days=1)}T00:00:00Z"
    demand(
        records.format_instant(freeze.closes) == midnight,
        f"{day} does not close at the midnight that ends it",
    )
    demand(freeze.frozen >= freeze.closes, "the day was frozen before it closed")


def _secret(case: _Case) -> str:
    demand(
        commitment.check_secret(case.freeze.secret, case.freeze.draw, case.genesis.anchor),
        "the operator's secret is not the one promised in the genesis",
    )
    return CHECKS["secret"]


def _round(case: _Case) -> str:
    genesis, freeze, published = case.genesis, case.freeze, case.certificate.beacon
    if genesis.mode == OPERATOR:
        demand(
            genesis.chain is None
            and genesis.gap == 0
            and freeze.round is None
            and published is None,
            "mode operator has neither chain, nor gap, nor round, nor beacon",
        )
        return "the lottery's server made the draw, without a public random number"
    if published is None:
        raise Failed("mode beacon, but there is no beacon")
    demand(
        genesis.chain is not None and published.chain_info.chain_hash == genesis.chain,
        "the beacon's chain is not the one that the genesis names",
    )
    demand(
        published.chain_info.scheme_id == beacon.SCHEME and published.chain_info.period > 0,
        "the beacon's scheme is not the one of this protocol",
    )
    due = beacon.due_time(freeze.closes, freeze.frozen, genesis.gap)
    number = beacon.round_at(published.chain_info, due)
    demand(freeze.round == number, f"the day fixes round {number}, not {freeze.round}")
    demand(published.round == number, f"the beacon is of round {published.round}, not {number}")
    late = beacon.is_late(freeze.closes, freeze.frozen, genesis.gap)
    # whoever runs a network of their own knows its numbers beforehand
    is_foreign = genesis.chain != beacon.QUICKNET.chain_hash
    return (
        f"the random number is from round {number}"
        + ", moved since the day was frozen late" * late
        + ", of a network that is not drand's quicknet: trust it as you trust who runs it"
        * is_foreign
    )


def _beacon(case: _Case) -> str:
    if case.genesis.mode == OPERATOR:
        return "there is no public random number to check"
    published = case.certificate.beacon
    if published is None:
        raise Failed("there is no beacon")
    demand(
        beacon.check_signature(published.chain_info, published.round, published.signature),
        "the beacon's signature is not the network's",
    )
    return CHECKS["beacon"]


def _winners(case: _Case) -> str:
    signature = None
    if case.genesis.mode == BEACON:
        if case.certificate.beacon is None:
            raise Failed("without the beacon nothing follows")
        signature = case.certificate.beacon.signature
    given = [(each.place, each.number, each.counter) for each in case.certificate.winners]
    count = min(case.freeze.places, case.freeze.size)
    demand(len(given) == count, f"there are {len(given)} winning ballots, not {count}")
    seed = selection.seed_of(case.certificate.freeze.encode(), signature)
    picks = selection.winning_ballots(seed, case.freeze.size, case.freeze.places)
    demand([tuple(pick) for pick in picks] == given, "the winning numbers are not those drawn")
    return CHECKS["winners"]


def _ballots(case: _Case) -> str:
    freeze = case.freeze
    for winner, ballot in zip(case.certificate.winners, case.ballots, strict=True):
        what = f"the ballot of place {winner.place}"
        demand(ballot.number == winner.number, f"{what} has another number")
        demand(ballot.day == ballot.time.date() == freeze.day, f"{what} is not of {freeze.day}")
        leaf = merkle.leaf_hash(winner.ballot.encode())
        demand(
            merkle.check_inclusion(ballot.number - 1, freeze.size, leaf, winner.proof, freeze.root),
            f"{what} does not stand in the day's log",
        )
    if not freeze.size:
        demand(freeze.root == merkle.EMPTY_ROOT, "a day without ballots has another root")
        return "the day has no ballots"
    return CHECKS["ballots"]


def _holders(case: _Case) -> str:
    for winner, ballot in zip(case.certificate.winners, case.ballots, strict=True):
        opened = commitment.holder_hash(winner.holder.salt, winner.holder.username)
        demand(opened == ballot.holder, f"the ballot of place {winner.place} is somebody else's")
    return CHECKS["holders"]


def _offers(case: _Case, given: bytes | None) -> str:
    if given is None:
        raise NotMade("no signed list of prizes was given")
    case.signed_checkpoint()  # by the key that must have signed this as well
    offers = open_offers(parse_signed_offers(given), case.key, case.genesis.name, case.freeze.day)
    offered = {each.lottery for each in offers.lotteries}
    for winner, ballot in zip(case.certificate.winners, case.ballots, strict=True):
        demand(
            ballot.lottery in offered,
            f"lottery {ballot.lottery}, of the ballot of place {winner.place}, is not on the list",
        )
    return CHECKS["offers"]


def _witnessed(case: _Case, policy: Policy | None) -> str:
    if policy is None:
        raise NotMade(NO_POLICY)
    case.signed_checkpoint()
    demand_log(policy, case.key, case.pinned or case.key)
    published = case.certificate.beacon
    span = span_of(case.genesis, case.freeze, published and published.chain_info)
    return demand_witnesses(case.certificate.journal.checkpoint, policy, span)


def _succession(recoveries: Sequence[str], genesis_hash: bytes) -> Succession | Exception:
    try:
        return succession_of([open_recovery(note) for note in recoveries], genesis_hash)
    except (NoteError, RecordError, CryptographyMissing) as error:
        return error


def _recovery(case: _Case) -> str:
    succession = case.succession
    if isinstance(succession, Exception):
        raise succession
    assert succession is not None
    if succession.led:
        last = succession.led[-1]
        demand(
            case.names_its_key and last.next == case.certificate.log_key,
            "the statement does not lead from the key given to the certificate's",
        )
        demand(
            last.first == case.genesis.first,
            f"the statement says that the journal begins with {last.first}",
        )
    if not succession.after:
        return RECOVERY_HOLDS
    ended, index = succession.after[0], case.freeze.draw + 1
    demand(
        case.names_its_key and ended.key == case.certificate.log_key,
        "the statement is not by the key of the certificate",
    )
    demand(index < ended.signed, "the journal had ended before this draw")
    when = records.format_instant(ended.time)
    if not ended.is_loss:
        checkpoint = case.signed_checkpoint()
        demand(
            checkpoint.size < ended.signed
            or (checkpoint.size, checkpoint.root) == (ended.signed, ended.root),
            "the certificate is of another journal than the one that the statement ended",
        )
        return (
            f"the lottery replaced its keys on {when}, and stated that nothing was lost; this "
            "result is from before"
        )
    if index >= ended.kept:
        return f"the lottery stated on {when} that it lost this result after it was published"
    return f"the lottery stated on {when} that it lost later records; this result is from before"


_OF_THE_CERTIFICATE: dict[str, Callable[[_Case], str]] = {
    "checkpoint": _checkpoint,
    "genesis": _genesis,
    "freeze": _freeze,
    "day": _day,
    "secret": _secret,
    "round": _round,
    "beacon": _beacon,
    "winners": _winners,
    "ballots": _ballots,
    "holders": _holders,
}


def _parsed_receipt(receipt: bytes) -> Receipt | FormatError:
    try:
        return parse_receipt(receipt)
    except FormatError as error:
        return error
