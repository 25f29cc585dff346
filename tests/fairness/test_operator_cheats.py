"""A cheating operator: what works in which mode, and how it is detected.

The operator has the keys, the secrets, the database and the code.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from lottery_system import draws
from lottery_system.admission import admit
from lottery_system.certificates import certificate_of, receipt_of
from lottery_system.clock import closes_at, starts_at
from lottery_system.fairness import tiles
from lottery_system.fairness.beacon import QUICKNET, round_at
from lottery_system.fairness.certificate import format_receipt, parse_certificate
from lottery_system.fairness.checks import Verdict, holds
from lottery_system.fairness.commitment import holder_hash
from lottery_system.fairness.merkle import Frontier, check_consistency, leaf_hash
from lottery_system.fairness.note import open_checkpoint
from lottery_system.fairness.records import (
    Ballot,
    Freeze,
    format_ballot,
    format_freeze,
    parse_freeze,
)
from lottery_system.fairness.selection import seed_of, winning_ballots
from lottery_system.fairness.verify import verify
from lottery_system.models import AskedBallots, LogKeys, Lottery, User
from lottery_system.queries.logs import ballot_records, freeze_of, journal_tiles, last_record
from lottery_system.runtime import database
from tests.stand_ins.log_keys import LOG_KEYS, begin
from tests.stand_ins.rounds import BEACON_DAY, BEACON_GAP, BEACON_OPERATOR, BEACON_ROUND, SIGNATURES

ONE_DAY = timedelta(days=1)
KEY = LOG_KEYS.key.verifier
#: ballots of an ordinary day
PLAYED = 20


class Site:
    """A lottery in a file of its own, with whatever ballots the operator lets in."""

    def __init__(self, engine: Engine, log_keys: LogKeys, gap: int = 0) -> None:
        self.log_keys = log_keys
        self.session = Session(engine, expire_on_commit=False)
        noon = starts_at(BEACON_DAY) + ONE_DAY / 2
        with self.session.begin():
            self.session.add(User.sign_up("alice", "", noon))
            self.session.add(Lottery.create("Big Chance", "", BEACON_DAY + 30 * ONE_DAY, noon))
        begin(self.session, noon, log_keys, gap)

    def play(self, numbers: Sequence[int], day: int = 0) -> None:
        """Let ballots in; the same number is the same ballot, by holder and salt, on any site."""
        noon = starts_at(BEACON_DAY + day * ONE_DAY) + ONE_DAY / 2
        clicks = [
            AskedBallots.of(
                token=UUID(int=1000 * day + number + 1),
                user_id=1,
                username="alice",
                lottery_id=1,
                ballot_count=1,
                entropy=lambda size, number=number: number.to_bytes(size, "big"),  # type: ignore[misc]
            )
            for number in numbers
        ]
        with self.session.begin():
            admit(self.session.connection(), clicks, lambda: noon)

    def end(self, day: int = 0, late: timedelta = timedelta()) -> None:
        now = closes_at(BEACON_DAY + day * ONE_DAY) + late
        draws.run_due(self.session, now, 1, self.log_keys)
        draws.run_due(self.session, now + timedelta(hours=23), 1, self.log_keys, SIGNATURES.get)

    def certificate(self) -> bytes:
        with self.session.begin():
            found = certificate_of(self.session.connection(), BEACON_DAY, self.log_keys)
        return found.encode()

    def ballots(self) -> list[bytes]:
        with self.session.begin():
            return ballot_records(self.session.connection(), BEACON_DAY, 1, 10_000)

    def receipt(self, number: int) -> bytes:
        with self.session.begin():
            found = receipt_of(
                self.session.connection(), BEACON_DAY, number, 1, log_keys=self.log_keys
            )
        return format_receipt(found).encode()

    def journal_head(self) -> str:
        with self.session.begin():
            last = last_record(self.session.connection())
        assert last is not None
        return str(last.checkpoint)

    def freeze(self) -> Freeze:
        with self.session.begin():
            found = freeze_of(self.session.connection(), BEACON_DAY)
        assert found is not None
        return parse_freeze(found.record)


@pytest.fixture
def databases(sqlite_file: Path, tmp_path: Path) -> Iterator[list[Engine]]:
    """Return the databases that an operator may keep beside each other."""
    with ExitStack() as stack:
        engines = []
        for number in range(2):
            file = tmp_path / f"site-{number}.db"
            shutil.copy(sqlite_file, file)
            url = f"sqlite:///{file}"
            engine = create_engine(url, **database.engine_options(url))
            database.prepare(engine)
            stack.callback(engine.dispose)
            engines.append(engine)
        yield engines


def last_ballot(freeze: Freeze, number: int, salt: int) -> bytes:
    """Make up one more ballot, the operator's own; its salt is theirs to choose."""
    holder = holder_hash(salt.to_bytes(16, "big"), "alice")
    time = freeze.closes - timedelta(seconds=1)
    return leaf_hash(format_ballot(Ballot(freeze.day, number, 1, holder, time)))


def frozen_with(freeze: Freeze, frontier: Frontier, leaf: bytes) -> bytes:
    """Freeze a list with one ballot more, otherwise the same."""
    grown, _ = frontier.extend([leaf])
    return format_freeze(freeze._replace(size=grown.size, root=grown.root))


def verdicts(certificate: bytes, **given: object) -> dict[str, Verdict]:
    checks = verify(certificate, key=KEY, **given)  # type: ignore[arg-type]
    return {check.name: check.verdict for check in checks}


def test_in_mode_operator_last_ballots_can_be_tried_until_one_wins(databases: list[Engine]) -> None:
    """What the page says of mode operator is true: this is why it does not prove honesty."""
    site = Site(databases[0], LOG_KEYS)
    site.play(range(PLAYED))
    site.end()
    leaves = [leaf_hash(record) for record in site.ballots()]
    frontier, _ = Frontier().extend(leaves)
    freeze, mine = site.freeze(), PLAYED + 1

    salt = next(
        salt
        for salt in range(10_000)
        if winning_ballots(
            seed_of(frozen_with(freeze, frontier, last_ballot(freeze, mine, salt)), None), mine, 1
        )[0].number == mine
    )  # fmt: skip

    # and nobody can tell from the certificate of the lottery that has this ballot
    cheated = Site(databases[1], LOG_KEYS)
    cheated.play([*range(PLAYED)])
    with cheated.session.begin():
        admit(
            cheated.session.connection(),
            [
                AskedBallots.of(
                    token=UUID(int=999), user_id=1, username="alice", lottery_id=1, ballot_count=1,
                    entropy=lambda size: salt.to_bytes(size, "big"),
                )
            ],
            lambda: freeze.closes - timedelta(seconds=1),
        )  # fmt: skip
    cheated.end()
    certificate = cheated.certificate()
    assert [winner.number for winner in parse_certificate(certificate).winners] == [mine]
    assert holds(verify(certificate, key=KEY, ballots=cheated.ballots()))


def test_in_mode_beacon_the_winner_is_not_known_when_the_list_is_frozen(
    databases: list[Engine],
) -> None:
    """Whatever last ballot the operator takes, the round decides, and it does not exist yet."""
    site = Site(databases[0], BEACON_OPERATOR, BEACON_GAP)
    site.play(range(PLAYED))
    site.end()
    frontier, _ = Frontier().extend([leaf_hash(record) for record in site.ballots()])
    freeze, mine = site.freeze(), PLAYED + 1
    assert freeze.round == BEACON_ROUND
    assert freeze.frozen < freeze.closes + timedelta(seconds=BEACON_GAP)

    # the best that can be done by then: a ballot that would win if the number were another one
    guess = SIGNATURES[2]
    salt = next(
        salt
        for salt in range(10_000)
        if winning_ballots(
            seed_of(frozen_with(freeze, frontier, last_ballot(freeze, mine, salt)), guess), mine, 1
        )[0].number == mine
    )  # fmt: skip
    tried = frozen_with(freeze, frontier, last_ballot(freeze, mine, salt))

    drawn = winning_ballots(seed_of(tried, SIGNATURES[BEACON_ROUND]), mine, 1)
    assert drawn[0].number != mine
    assert holds(verify(site.certificate(), key=KEY, ballots=site.ballots()))


def test_in_mode_beacon_a_list_frozen_after_the_number_is_known_takes_a_later_number(
    databases: list[Engine],
) -> None:
    site = Site(databases[0], BEACON_OPERATOR, BEACON_GAP)
    site.play(range(PLAYED))
    late = timedelta(seconds=BEACON_GAP)
    draws.run_due(site.session, closes_at(BEACON_DAY) + late, 1, BEACON_OPERATOR, SIGNATURES.get)

    freeze = site.freeze()

    assert freeze.round == round_at(QUICKNET, freeze.closes + 2 * late)
    assert freeze.round > BEACON_ROUND
    assert [each.round for each in draws.waiting(site.session)] == [freeze.round]


def test_in_mode_beacon_a_kept_checkpoint_proves_a_second_list(
    databases: list[Engine],
) -> None:
    """The operator keeps two lists, shows one before the round, and takes the other after it."""
    shown, taken = (Site(engine, BEACON_OPERATOR, BEACON_GAP) for engine in databases)
    shown.play(range(PLAYED))
    taken.play(range(PLAYED + 1))
    draws.run_due(shown.session, closes_at(BEACON_DAY), 1, BEACON_OPERATOR)
    kept = open_checkpoint(shown.journal_head(), KEY)  # before the round
    taken.end()

    assert holds(verify(taken.certificate(), key=KEY))  # by itself it looks sound
    assert not extends(taken, kept.size, kept.root)


def test_a_receipt_proves_a_dropped_ballot(databases: list[Engine]) -> None:
    honest, cheated = (Site(engine, LOG_KEYS) for engine in databases)
    honest.play(range(PLAYED))
    receipt = honest.receipt(7)
    cheated.play([number for number in range(PLAYED) if number != 6])
    cheated.end()
    certificate, ballots = cheated.certificate(), cheated.ballots()
    assert holds(verify(certificate, key=KEY, ballots=ballots))  # without the receipt all is well

    found = verdicts(certificate, ballots=ballots, receipt=receipt)

    assert found["list"] is Verdict.OK
    assert found["receipt signed"] is Verdict.OK
    assert found["receipt included"] is Verdict.OK
    assert found["receipt kept"] is Verdict.FAILED


def test_a_receipt_proves_a_changed_ballot(databases: list[Engine]) -> None:
    """As many ballots as before, another one in the place of the seventh."""
    honest, cheated = (Site(engine, LOG_KEYS) for engine in databases)
    honest.play(range(10))
    receipt = honest.receipt(7)
    cheated.play([0, 1, 2, 3, 4, 5, 500, 7, 8, 9, *range(10, PLAYED)])
    cheated.end()

    found = verdicts(cheated.certificate(), ballots=cheated.ballots(), receipt=receipt)

    assert found["list"] is Verdict.OK
    assert found["receipt kept"] is Verdict.FAILED


def test_an_honest_receipt_passes(databases: list[Engine]) -> None:
    site = Site(databases[0], LOG_KEYS)
    site.play(range(10))
    receipt = site.receipt(7)
    site.play(range(10, PLAYED))
    site.end()

    found = verdicts(site.certificate(), ballots=site.ballots(), receipt=receipt)

    not_made = [name for name in found if found[name] is not Verdict.OK]
    assert not_made == ["offers", "witnessed"]


def test_consistency_proofs_show_altered_history(databases: list[Engine]) -> None:
    """A day is drawn again with other ballots; the days after it follow as if nothing were."""
    honest, altered = (Site(engine, LOG_KEYS) for engine in databases)
    for site, played in ((honest, range(PLAYED)), (altered, range(PLAYED - 1))):
        site.play(played)
        site.end()
    kept = open_checkpoint(honest.journal_head(), KEY)
    for site in (honest, altered):
        site.play([100, 101], day=1)
        site.end(day=1)

    assert extends(honest, kept.size, kept.root)
    assert not extends(altered, kept.size, kept.root)


def extends(site: Site, size: int, root: bytes) -> bool:
    """Return whether a site's journal extends one whose head somebody kept, by its own tiles."""
    newest = open_checkpoint(site.journal_head(), KEY)
    with site.session.begin():
        read = journal_tiles(site.session.connection())
        proof = tiles.prove_consistency(read, size, newest.size)
    return check_consistency(size, newest.size, root, newest.root, proof)
