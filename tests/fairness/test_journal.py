"""Journal monitor: a journal that was forked, rolled back or rewritten is found by a stranger."""

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from lottery_system.fairness import commitment
from lottery_system.fairness.__main__ import FAILS, HOLDS, UNREADABLE, main
from lottery_system.fairness.checks import RECOVERY, Check, Verdict
from lottery_system.fairness.cosignature import ML_DSA_44
from lottery_system.fairness.journal import HEAD, JOURNAL_CHECKS, check_head, check_journal
from lottery_system.fairness.note import Checkpoint, SigningKey, format_vkey, sign_checkpoint
from lottery_system.fairness.pin import Pin, format_pin
from lottery_system.fairness.policy import parse_policy
from lottery_system.fairness.records import (
    OPERATOR,
    Freeze,
    Genesis,
    format_freeze,
    format_genesis,
)
from lottery_system.fairness.recovery import sign_recovery
from lottery_system.fairness.witnessed import WITNESSED
from tests.fairness.forge import KEY, NO_WITNESS, TIP, WITNESSES, Day, Log, policy_of
from tests.fairness.test_recovery import AFTER, BEFORE, NEXT, NOTE, STATEMENT, STRANGER
from tests.stand_ins.cosigning import CosigningKey

FIRST = date(2026, 11, 19)
GENESIS = Genesis(KEY.name, FIRST, commitment.anchor_of(TIP), OPERATOR, None, 0)
Change = Callable[[int, Freeze], Freeze]


@dataclasses.dataclass
class Journal:
    """A journal of some days, each of whose freezes may be changed before it is written."""

    days: int = 5
    genesis: Genesis = GENESIS
    change: Change = lambda draw, freeze: freeze
    key: SigningKey = KEY

    def __post_init__(self) -> None:
        self.records = [format_genesis(self.genesis)]
        for draw in range(self.days):
            day = self.genesis.first + timedelta(days=draw)
            closes = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
            freeze = Freeze(
                draw=draw,
                day=day,
                closes=closes,
                size=0,
                frozen=closes,
                root=sha256(b"").digest(),
                places=1,
                secret=commitment.reveal(TIP, draw),
                round=None,
                previous=sha256(self.records[-1]).digest(),
            )
            self.records.append(format_freeze(self.change(draw, freeze)))

    @property
    def note(self) -> str:
        """Return its signed checkpoint."""
        log = Log(self.records)
        return sign_checkpoint(Checkpoint(self.key.name, len(self.records), log.root), self.key)

    def write(self, folder: Path) -> Path:
        """Lay it down as `fetch` does."""
        Log(self.records).write(folder)
        (folder / "checkpoint").write_text(self.note)
        return folder


HONEST = Journal()
PIN = Pin(KEY.verifier, sha256(format_genesis(GENESIS)).digest())
PIN_LINE = format_pin(KEY.verifier, sha256(format_genesis(GENESIS)).digest())


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if check.verdict is Verdict.FAILED]


def later(**changes: object) -> Change:
    """Return what changes the freeze of the third day."""
    return lambda draw, freeze: freeze._replace(**changes) if draw == 2 else freeze  # type: ignore[arg-type]


def test_an_honest_journal_passes_all_checks() -> None:
    note = HONEST.note
    for witness in WITNESSES[:2]:
        note = witness.add_to(note, 1)
    policy = parse_policy(policy_of())
    checks = check_journal(note, HONEST.records, PIN, [Journal(days=2).note, HONEST.note], policy)

    assert [check.name for check in checks] == list(JOURNAL_CHECKS)
    assert [check.verdict for check in checks] == [Verdict.OK] * len(checks)


def test_records_that_came_after_the_checkpoint_are_of_the_next_one() -> None:
    assert failed(check_journal(Journal(days=3).note, HONEST.records, PIN)) == []


@pytest.mark.parametrize(
    ("signers", "policy"),
    [
        (WITNESSES[:1], policy_of()),
        ([WITNESSES[0], NO_WITNESS], policy_of()),
        ([*WITNESSES[:2], WITNESSES[2]._replace(seed=b"\x09" * 32)], policy_of(quorum="group Q 3")),
        (WITNESSES, policy_of(log=SigningKey(KEY.name, b"\x09" * 32))),
    ],
)
def test_a_journal_that_too_few_have_signed_fails_by_that_name(
    signers: Sequence[CosigningKey], policy: bytes
) -> None:
    note = HONEST.note
    for signer in signers:
        note = signer.add_to(note, 1)

    checks = check_journal(note, HONEST.records, PIN, [], parse_policy(policy))

    assert failed(checks) == [WITNESSED]


FORK = Journal(change=later(places=2))


@pytest.mark.parametrize(
    ("journal", "heads", "fails"),
    [
        (Journal(key=SigningKey(KEY.name, b"\x09" * 32)), [], ["checkpoint"]),
        (Journal(genesis=GENESIS._replace(gap=1)), [], ["genesis"]),
        (Journal(change=later(draw=3)), [], ["freezes"]),
        (Journal(change=later(day=FIRST)), [], ["freezes"]),
        (Journal(change=later(closes=datetime(2026, 11, 22, 1, tzinfo=UTC))), [], ["freezes"]),
        (Journal(change=later(frozen=datetime(2026, 11, 21, 12, tzinfo=UTC))), [], ["freezes"]),
        (Journal(change=later(previous=bytes(32))), [], ["freezes"]),
        (Journal(change=later(secret=bytes(32))), [], ["secrets"]),
        # it was rolled back below what was seen, forked beside it, or rewritten before it
        (Journal(days=4), [HONEST.note], [HEAD]),
        (FORK, [HONEST.note], [HEAD]),
        (FORK, [Journal(days=4).note], [HEAD]),
        (HONEST, [FORK.note], [HEAD]),
        (HONEST, [Journal(key=SigningKey(KEY.name, b"\x09" * 32)).note], [HEAD]),
    ],
)
def test_what_is_wrong_with_a_journal_fails_by_its_name(
    journal: Journal, heads: list[str], fails: list[str]
) -> None:
    assert failed(check_journal(journal.note, journal.records, PIN, heads)) == fails


def test_a_record_that_is_missing_or_changed_is_not_what_was_signed() -> None:
    assert failed(check_journal(HONEST.note, HONEST.records[:-1], PIN)) == ["records"]
    changed = [*HONEST.records[:-1], FORK.records[-1].replace(b"places 1", b"places 3")]
    assert "records" in failed(check_journal(HONEST.note, changed, PIN))


def test_a_monitor_remembers_what_it_saw_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Journal(days=3).write(tmp_path / "journal")
    command = ["journal", str(folder), "--key", PIN_LINE]
    assert main(command) == HOLDS
    assert "--   head: not made: nothing was seen before" in capsys.readouterr().out

    HONEST.write(folder)
    assert main(command) == HOLDS
    assert "ok   head: nothing that was seen before is missing" in capsys.readouterr().out

    Journal(days=5, change=later(places=2)).write(folder)
    assert main(command) == FAILS
    assert "FAIL head: at 6 records the journal is another" in capsys.readouterr().out
    assert main(command) == FAILS  # and for as long as it stays so

    HONEST.write(folder)
    assert main(command) == HOLDS


def test_a_monitor_takes_a_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, policy = HONEST.write(tmp_path / "journal"), tmp_path / "policy"
    policy.write_bytes(policy_of())
    command = ["journal", str(folder), "--key", PIN_LINE]
    assert main([*command, "--policy", str(policy)]) == FAILS
    assert "FAIL witnessed: 0 of 3 witnesses signed the public log," in capsys.readouterr().out
    assert main(command) == HOLDS  # and what fails was not kept as what was seen
    assert "--   witnessed: not made: no policy" in capsys.readouterr().out

    note = WITNESSES[0].add_to(WITNESSES[1].add_to(HONEST.note, 1), 1)
    (folder / "checkpoint").write_text(note, encoding="utf-8")
    assert main([*command, "--policy", str(policy)]) == HOLDS
    policy.write_bytes(b"quorum")
    assert main([*command, "--policy", str(policy)]) == UNREADABLE


def test_a_monitor_does_not_take_for_witnessed_what_it_could_not_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, policy = HONEST.write(tmp_path / "journal"), tmp_path / "policy"
    other = CosigningKey("pq.example", b"\x60" * 32, ML_DSA_44)
    (folder / "checkpoint").write_text(other.add_to(HONEST.note, 1), encoding="utf-8")
    policy.write_bytes(policy_of(other, quorum="group Q all"))
    command = ["journal", str(folder), "--key", PIN_LINE, "--policy", str(policy)]
    assert main(command) == HOLDS

    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mldsa", None)
    assert main(command) == FAILS


def test_whose_checkpoint_is_not_believed_is_not_witnessed_either() -> None:
    journal = Journal(key=SigningKey(KEY.name, b"\x09" * 32))
    note = WITNESSES[0].add_to(WITNESSES[1].add_to(journal.note, 1), 1)

    checks = check_journal(note, journal.records, PIN, [], parse_policy(policy_of()))

    assert [(each.name, each.verdict) for each in checks if each.name == WITNESSED] == [
        (WITNESSED, Verdict.NOT_MADE)
    ]


def test_a_monitor_says_what_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, sentence in (
        ([str(tmp_path / "nowhere"), "--key", PIN_LINE], "is not a folder"),
        ([str(empty), "--key", PIN_LINE], "cannot be read"),
        ([str(empty), "--key", "no key"], "--key:"),
        ([str(empty), "--key", PIN_LINE, "--head", str(tmp_path / "none")], "cannot be read"),
    ):
        assert main(["journal", *arguments]) == UNREADABLE
        assert sentence in capsys.readouterr().err


def test_a_kept_checkpoint_convicts_a_certificate_of_another_journal(tmp_path: Path) -> None:
    """The private freeze: same list, same round, another number of places, another winner."""
    day, private = Day(), Day(places=3)
    kept = json.loads(day.certificate())["journal"]["checkpoint"]
    certificate = private.certificate()

    same = check_head(day.certificate(), kept, KEY.verifier, None)
    other = check_head(certificate, kept, KEY.verifier, None)

    assert same.verdict is Verdict.OK
    assert other.verdict is Verdict.FAILED
    assert "contradict each other" in other.detail
    (tmp_path / "head").write_text(kept)
    (tmp_path / "one.json").write_bytes(day.certificate())
    (tmp_path / "other.json").write_bytes(certificate)
    key = ["--key", format_vkey(KEY.verifier), "--head", str(tmp_path / "head")]
    assert main(["verify", str(tmp_path / "one.json"), *key]) == HOLDS
    assert main(["verify", str(tmp_path / "other.json"), *key]) == FAILS


def test_an_older_checkpoint_needs_the_journal_in_between(tmp_path: Path) -> None:
    day = Day()
    log = Log(day.journal.records[:2])
    older = sign_checkpoint(Checkpoint(KEY.name, 2, log.root), KEY)
    (tmp_path / "head").write_text(older)
    (tmp_path / "one.json").write_bytes(day.certificate())
    command = ["verify", str(tmp_path / "one.json"), "--head", str(tmp_path / "head")]

    assert check_head(day.certificate(), older, None, None).verdict is Verdict.NOT_MADE
    assert main(command) == FAILS  # a given head must be checked
    folder = day.journal.write(tmp_path / "journal")
    assert main([*command, "--journal", str(folder)]) == HOLDS
    forked = [day.journal.records[0], b"another\n", *day.journal.records[2:]]
    assert check_head(day.certificate(), older, None, forked).verdict is Verdict.FAILED


def test_after_a_recovery_a_kept_checkpoint_is_told_as_what_it_is() -> None:
    """An honest loss must not look like the fork that this is to find."""
    of_after = json.loads(AFTER.certificate())["journal"]["checkpoint"]
    of_before = json.loads(BEFORE.certificate())["journal"]["checkpoint"]

    same = check_head(AFTER.certificate(), of_after, KEY.verifier, None, [NOTE])
    older = check_head(AFTER.certificate(), of_before, NEXT.verifier, None, [NOTE])
    strange = check_head(AFTER.certificate(), of_before, NEXT.verifier, None)

    assert same.verdict is Verdict.OK
    assert older.verdict is Verdict.NOT_MADE
    assert "another journal of this lottery" in older.detail
    assert strange.verdict is Verdict.FAILED


def test_a_monitor_under_a_new_key_says_to_begin_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = HONEST.write(tmp_path / "journal")
    assert main(["journal", str(folder), "--key", PIN_LINE]) == HOLDS
    other = SigningKey(KEY.name, b"\x09" * 32)
    Journal(key=other).write(folder)

    assert main(["journal", str(folder), "--key", format_vkey(other.verifier)]) == FAILS
    assert "or new keys, begin a new folder" in capsys.readouterr().out


def h(genesis: Genesis) -> bytes:
    return sha256(format_genesis(genesis)).digest()


#: what follows where the keys of the honest one are replaced
FOLLOWING = Journal(
    days=2, key=NEXT, genesis=GENESIS._replace(first=FIRST + timedelta(days=HONEST.days))
)
REPLACEMENT = STATEMENT._replace(
    ended=h(GENESIS),
    signed=len(HONEST.records),
    root=Log(HONEST.records).root,
    kept=len(HONEST.records),
    left=Log(HONEST.records).root,
    begins=h(FOLLOWING.genesis),
    first=FOLLOWING.genesis.first,
    ballots=(),
)
NEW_KEYS = [sign_recovery(REPLACEMENT, [KEY, NEXT])]


def test_either_pin_leads_to_both_journals() -> None:
    for pin in (PIN, Pin(NEXT.verifier, h(FOLLOWING.genesis))):
        for journal in (HONEST, FOLLOWING):
            checks = check_journal(journal.note, journal.records, pin, recoveries=NEW_KEYS)
            assert checks[0].name == RECOVERY
            assert failed(checks) == []
    assert failed(check_journal(FOLLOWING.note, FOLLOWING.records, PIN))[0] == "checkpoint"


@pytest.mark.parametrize(
    "other",
    [
        Journal(days=6),  # it goes on behind its end
        Journal(change=later(places=9)),  # it is another one up to there
    ],
)
def test_a_journal_that_is_not_the_one_that_was_ended_is_found(other: Journal) -> None:
    for pin in (PIN, Pin(NEXT.verifier, h(FOLLOWING.genesis))):
        assert failed(check_journal(other.note, other.records, pin)) in (
            [],
            ["checkpoint", "genesis"],
        )
        assert failed(check_journal(other.note, other.records, pin, recoveries=NEW_KEYS)) == [HEAD]


def test_statements_lead_a_monitor_from_no_other_pin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, note = FOLLOWING.write(tmp_path / "journal"), tmp_path / "statement"
    note.write_text(NEW_KEYS[0])
    stranger, other = format_vkey(STRANGER.verifier), format_pin(KEY.verifier, bytes(32))
    for pin, code, said in (
        (PIN_LINE, HOLDS, "ok   recovery: a signed statement leads"),
        (stranger, FAILS, "FAIL recovery: no statement leads"),
        (other, FAILS, "FAIL recovery: this is another opening record"),
    ):
        assert main(["journal", str(folder), "--key", pin, "--recovery", str(note)]) == code
        assert said in capsys.readouterr().out
