"""An operator who cheats: what works in which mode, what does not, and how it shows.

The operator has everything: the keys, the secrets, the database, and the code.
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


class House:
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
        """Let ballots in; the same number is the same ballot, by holder and salt, in any house."""
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
def houses(sqlite_file: Path, tmp_path: Path) -> Iterator[list[Engine]]:
    """Return the databases that an operator may keep beside each other."""
    with ExitStack() as stack:
        engines = []
        for number in range(2):
            file = tmp_path / f"house-{number}.db"
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


def test_in_mode_operator_last_ballots_can_be_tried_until_one_wins(houses: list[Engine]) -> None:
    """What the page says of mode operator is true: this is why it does not prove honesty."""
    house = House(houses[0], LOG_KEYS)
    house.play(range(PLAYED))
    house.end()
    leaves = [leaf_hash(record) for record in house.ballots()]
    frontier, _ = Frontier().extend(leaves)
    freeze, mine = house.freeze(), PLAYED + 1

    salt = next(
        salt
        for salt in range(10_000)
        if winning_ballots(
            seed_of(frozen_with(freeze, frontier, last_ballot(freeze, mine, salt)), None), mine, 1
        )[0].number == mine
    )  # fmt: skip

    # and nobody can tell from the certificate of the lottery that has this ballot
    cheated = House(houses[1], LOG_KEYS)
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
    houses: list[Engine],
) -> None:
    """Whatever last ballot the operator takes, the round decides, and it does not exist yet."""
    house = House(houses[0], BEACON_OPERATOR, BEACON_GAP)
    house.play(range(PLAYED))
    house.end()
    frontier, _ = Frontier().extend([leaf_hash(record) for record in house.ballots()])
    freeze, mine = house.freeze(), PLAYED + 1
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
    assert holds(verify(house.certificate(), key=KEY, ballots=house.ballots()))


def test_in_mode_beacon_a_list_frozen_after_the_number_is_known_takes_a_later_number(
    houses: list[Engine],
) -> None:
    house = House(houses[0], BEACON_OPERATOR, BEACON_GAP)
    house.play(range(PLAYED))
    late = timedelta(seconds=BEACON_GAP)
    draws.run_due(house.session, closes_at(BEACON_DAY) + late, 1, BEACON_OPERATOR, SIGNATURES.get)

    freeze = house.freeze()

    assert freeze.round == round_at(QUICKNET, freeze.closes + 2 * late)
    assert freeze.round > BEACON_ROUND
    assert [each.round for each in draws.waiting(house.session)] == [freeze.round]


def test_in_mode_beacon_a_second_list_is_convicted_by_whoever_kept_the_journals_head(
    houses: list[Engine],
) -> None:
    """The operator keeps two lists, shows one before the round, and takes the other after it."""
    shown, taken = (House(engine, BEACON_OPERATOR, BEACON_GAP) for engine in houses)
    shown.play(range(PLAYED))
    taken.play(range(PLAYED + 1))
    draws.run_due(shown.session, closes_at(BEACON_DAY), 1, BEACON_OPERATOR)
    kept = open_checkpoint(shown.journal_head(), KEY)  # before the round
    taken.end()

    assert holds(verify(taken.certificate(), key=KEY))  # by itself it looks sound
    assert not extends(taken, kept.size, kept.root)


def test_a_dropped_ballot_is_convicted_by_its_receipt(houses: list[Engine]) -> None:
    honest, cheated = (House(engine, LOG_KEYS) for engine in houses)
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


def test_a_ballot_that_was_changed_is_convicted_by_its_receipt(houses: list[Engine]) -> None:
    """As many ballots as before, another one in the place of the seventh."""
    honest, cheated = (House(engine, LOG_KEYS) for engine in houses)
    honest.play(range(10))
    receipt = honest.receipt(7)
    cheated.play([0, 1, 2, 3, 4, 5, 500, 7, 8, 9, *range(10, PLAYED)])
    cheated.end()

    found = verdicts(cheated.certificate(), ballots=cheated.ballots(), receipt=receipt)

    assert found["list"] is Verdict.OK
    assert found["receipt kept"] is Verdict.FAILED


def test_an_honest_receipt_convicts_nobody(houses: list[Engine]) -> None:
    house = House(houses[0], LOG_KEYS)
    house.play(range(10))
    receipt = house.receipt(7)
    house.play(range(10, PLAYED))
    house.end()

    found = verdicts(house.certificate(), ballots=house.ballots(), receipt=receipt)

    assert set(found.values()) == {Verdict.OK}


def test_history_that_was_altered_is_convicted_by_consistency(houses: list[Engine]) -> None:
    """A day is drawn again with other ballots; the days after it follow as if nothing were."""
    honest, altered = (House(engine, LOG_KEYS) for engine in houses)
    for house, played in ((honest, range(PLAYED)), (altered, range(PLAYED - 1))):
        house.play(played)
        house.end()
    kept = open_checkpoint(honest.journal_head(), KEY)
    for house in (honest, altered):
        house.play([100, 101], day=1)
        house.end(day=1)

    assert extends(honest, kept.size, kept.root)
    assert not extends(altered, kept.size, kept.root)


def extends(house: House, size: int, root: bytes) -> bool:
    """Tell whether a house's journal extends one whose head somebody kept, by its own tiles."""
    newest = open_checkpoint(house.journal_head(), KEY)
    with house.session.begin():
        read = journal_tiles(house.session.connection())
        proof = tiles.prove_consistency(read, size, newest.size)
    return check_consistency(size, newest.size, root, newest.root, proof)
