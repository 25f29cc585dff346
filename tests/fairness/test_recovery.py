"""Recovery statements: exact form, chains from key to key, and lost receipts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from lottery_system.fairness.checks import (
    CHECKS,
    OF_RECEIPTS,
    RECOVERY,
    Check,
    Verdict,
    holds,
)
from lottery_system.fairness.note import NoteError, SigningKey, format_vkey, sign
from lottery_system.fairness.records import Ballot, Genesis, RecordError, format_genesis
from lottery_system.fairness.recovery import (
    LostBallots,
    Recovery,
    format_recovery,
    open_recovery,
    parse_recovery,
    sign_recovery,
)
from lottery_system.fairness.verify import verify
from tests.fairness.forge import KEY, Day
from tests.fairness.test_command import run
from tests.stand_ins.rounds import BEACON_DAY

NEXT = SigningKey(KEY.name, b"\x07" * 32)
STRANGER = SigningKey(KEY.name, b"\x08" * 32)
ONE_DAY = timedelta(days=1)
LEFT, ACKNOWLEDGED = 10, 20


def later(ballot: Ballot) -> Ballot:
    """Change what came in after the loss: another ballot in the place of one that was lost."""
    return ballot._replace(lottery=9) if ballot.number > LEFT else ballot


#: the last day that the ended journal froze, and the day that went on after it
BEFORE = Day(day=BEACON_DAY - ONE_DAY, draw=1)
LOST = Day(day=BEACON_DAY, draw=2, size=ACKNOWLEDGED)
AFTER = Day(day=BEACON_DAY, draw=0, key=NEXT, ballot_as=later)


def h(genesis: Genesis) -> bytes:
    return sha256(format_genesis(genesis)).digest()


STATEMENT = Recovery(
    name=KEY.name,
    key=format_vkey(KEY.verifier),
    ended=h(BEFORE.genesis),
    signed=3,
    root=BEFORE.journal.root,
    kept=3,
    left=BEFORE.journal.root,
    next=format_vkey(NEXT.verifier),
    begins=h(AFTER.genesis),
    first=BEACON_DAY,
    time=datetime(2026, 11, 22, 14, 46, 8, tzinfo=UTC),
    ballots=(LostBallots(BEACON_DAY, ACKNOWLEDGED, LEFT),),
)
NOTE = sign_recovery(STATEMENT, [KEY, NEXT])


def named(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if check.verdict is Verdict.FAILED]


def test_what_is_written_is_read_again() -> None:
    assert parse_recovery(format_recovery(STATEMENT).decode()) == STATEMENT
    assert open_recovery(NOTE) == STATEMENT
    without = STATEMENT._replace(ballots=())
    assert parse_recovery(format_recovery(without).decode()) == without


def test_no_changed_character_is_overlooked() -> None:
    for place, letter in enumerate(NOTE):
        changed = NOTE[:place] + chr(ord(letter) ^ 1) + NOTE[place + 1 :]
        with pytest.raises((NoteError, RecordError)):
            open_recovery(changed)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "\n",
        lambda text: text.replace("days 1", "days 2"),
        lambda text: text.replace("signed 3", "signed 03"),
        lambda text: text.replace(f"day {BEACON_DAY} 20 10", f"day {BEACON_DAY} 10 10"),
        lambda text: text.replace("days 1\n", "days 2\n") + f"day {BEACON_DAY} 20 10\n",
        lambda text: text.replace(f"first {BEACON_DAY}", "first 2026-02-30"),
        lambda text: text.replace(STATEMENT.next, STATEMENT.key),
        lambda text: text.replace(f"name {KEY.name}", "name another.example"),
        lambda text: text.replace("\n", "\r\n"),
    ],
)
def test_what_is_not_one_to_the_letter_is_none(change: Callable[[str], str]) -> None:
    text = format_recovery(STATEMENT).decode()
    assert change(text) != text

    with pytest.raises(RecordError):
        parse_recovery(change(text))


def test_both_keys_must_have_signed() -> None:
    for keys in ([KEY], [NEXT], [KEY, STRANGER], [STRANGER, NEXT]):
        with pytest.raises(NoteError):
            open_recovery(sign_recovery(STATEMENT, keys))


def test_a_known_key_leads_to_the_one_that_it_was_signed_over_to() -> None:
    certificate = AFTER.certificate()
    assert failed(verify(certificate, key=KEY.verifier)) == ["checkpoint"]

    checks = verify(certificate, key=KEY.verifier, recoveries=[NOTE])

    assert holds(checks)
    assert [check.name for check in checks] == [
        *list(CHECKS)[:11], RECOVERY, *list(CHECKS)[11:],
    ]  # fmt: skip
    assert named(checks, RECOVERY).verdict is Verdict.OK
    assert holds(verify(certificate, key=NEXT.verifier, recoveries=[NOTE]))
    assert holds(verify(certificate, recoveries=[NOTE]))


def test_through_several_statements_in_any_order() -> None:
    third = SigningKey(KEY.name, b"\x0a" * 32)
    last = Day(day=BEACON_DAY + ONE_DAY, draw=0, key=third)
    second = STATEMENT._replace(
        key=STATEMENT.next,
        ended=STATEMENT.begins,
        signed=2,
        next=format_vkey(third.verifier),
        begins=h(last.genesis),
        first=BEACON_DAY + ONE_DAY,
        ballots=(),
    )
    notes = [sign_recovery(second, [NEXT, third]), NOTE]

    for recoveries in (notes, notes[::-1]):
        for day in (BEFORE, AFTER):
            assert holds(verify(day.certificate(), recoveries=recoveries))
        for key in (KEY, NEXT, third):
            assert holds(verify(last.certificate(), key=key.verifier, recoveries=recoveries))
    assert failed(verify(last.certificate(), key=KEY.verifier, recoveries=notes[:1])) == [
        "checkpoint", RECOVERY,
    ]  # fmt: skip


#: nothing is lost, so that it replaces the keys; and the day that went on with all of its ballots
REPLACED = sign_recovery(STATEMENT._replace(ballots=()), [KEY, NEXT])
GONE_ON = Day(day=BEACON_DAY, draw=0, size=ACKNOWLEDGED, key=NEXT)
PINS = ((KEY, BEFORE.genesis), (NEXT, AFTER.genesis))


@pytest.mark.parametrize(("key", "genesis"), PINS)
def test_where_keys_are_replaced_either_pin_stands_for_both_journals(
    key: SigningKey, genesis: Genesis
) -> None:
    pin: dict[str, Any] = {"key": key.verifier, "genesis": h(genesis)}

    before = verify(BEFORE.certificate(), recoveries=[REPLACED], **pin)
    after = verify(
        GONE_ON.certificate(),
        recoveries=[REPLACED],
        receipt=LOST.receipt(3, 15),
        ballots=GONE_ON.log.records,
        **pin,
    )

    assert failed(before) == failed(after) == []
    assert holds(before)
    assert holds(after, OF_RECEIPTS)
    assert (
        "stated that nothing was lost; this result is from before" in named(before, RECOVERY).detail
    )
    other = {**pin, "genesis": bytes(32)}
    assert failed(verify(BEFORE.certificate(), recoveries=[REPLACED], **other)) == ["genesis"]


def test_a_replaced_key_cannot_go_on_or_sign_another_end() -> None:
    longer = Day(day=BEACON_DAY, draw=2)
    another = Day(day=BEACON_DAY - ONE_DAY, draw=1, size=14)

    for day, says in ((longer, "had ended before this draw"), (another, "of another journal")):
        for key in (KEY, NEXT):
            checks = verify(day.certificate(), key=key.verifier, recoveries=[REPLACED])
            assert failed(checks) == [RECOVERY]
            assert says in named(checks, RECOVERY).detail


def test_a_key_that_took_nothing_over_leads_to_no_earlier_one() -> None:
    checks = verify(BEFORE.certificate(), key=STRANGER.verifier, recoveries=[REPLACED])

    assert failed(checks) == ["checkpoint", RECOVERY]


@pytest.mark.parametrize(
    ("recovery", "keys"),
    [
        (STATEMENT, [STRANGER, NEXT]),  # not signed by the key that is known
        (STATEMENT._replace(key=format_vkey(STRANGER.verifier)), [STRANGER, NEXT]),
        (STATEMENT._replace(next=format_vkey(STRANGER.verifier)), [KEY, STRANGER]),
        (STATEMENT._replace(begins=bytes(32)), [KEY, NEXT]),  # of another journal
    ],
)
def test_a_statement_of_somebody_else_leads_nowhere(
    recovery: Recovery, keys: list[SigningKey]
) -> None:
    note = sign_recovery(recovery, keys)

    checks = verify(AFTER.certificate(), key=KEY.verifier, recoveries=[note])

    assert failed(checks) == ["checkpoint", RECOVERY]


def test_a_journal_begins_with_the_day_that_the_statement_names() -> None:
    note = sign_recovery(STATEMENT._replace(first=BEACON_DAY - ONE_DAY, ballots=()), [KEY, NEXT])

    assert failed(verify(AFTER.certificate(), key=KEY.verifier, recoveries=[note])) == [RECOVERY]


@pytest.mark.parametrize(
    ("signed", "kept", "verdict", "says"),
    [
        (3, 3, Verdict.OK, "this result is from before"),
        (3, 2, Verdict.OK, "it lost this result after it was published"),
        (2, 2, Verdict.FAILED, "the journal had ended before this draw"),
    ],
)
def test_a_result_of_before_is_told_as_what_it_is(
    signed: int, kept: int, verdict: Verdict, says: str
) -> None:
    note = sign_recovery(STATEMENT._replace(signed=signed, kept=kept), [KEY, NEXT])

    checks = verify(BEFORE.certificate(), key=KEY.verifier, recoveries=[note])

    assert named(checks, RECOVERY).verdict is verdict
    assert says in named(checks, RECOVERY).detail


@pytest.mark.parametrize(
    ("number", "size", "ballots", "verdict", "says"),
    [
        (3, 10, True, Verdict.OK, ""),
        (3, 10, False, Verdict.NOT_MADE, "it takes the list of ballots"),
        (3, 15, False, Verdict.NOT_MADE, "get a new receipt of this one"),
        (3, 15, True, Verdict.OK, "in its place; the lottery lost later ones"),
        (LEFT, ACKNOWLEDGED, True, Verdict.OK, ""),
        (11, 15, True, Verdict.FAILED, "accepted and then lost with the lottery's records"),
        (20, 20, False, Verdict.FAILED, "2026-11-22T14:46:08Z admits it"),
    ],
)
def test_a_receipt_of_before_is_told_the_truth(
    number: int, size: int, ballots: bool, verdict: Verdict, says: str
) -> None:
    receipt = LOST.receipt(number, size)

    checks = verify(
        AFTER.certificate(),
        key=KEY.verifier,
        receipt=receipt,
        recoveries=[NOTE],
        ballots=AFTER.log.records if ballots else None,
    )

    assert named(checks, "receipt signed").verdict is Verdict.OK
    assert named(checks, "receipt included").verdict is Verdict.OK
    assert named(checks, "receipt kept").verdict is verdict
    assert says in named(checks, "receipt kept").detail


def test_a_ballot_that_was_exchanged_is_found_though_others_were_lost() -> None:
    other = Day(size=ACKNOWLEDGED, ballot_as=lambda each: each._replace(lottery=7))

    checks = verify(
        AFTER.certificate(),
        key=KEY.verifier,
        receipt=other.receipt(3, 15),
        recoveries=[NOTE],
        ballots=AFTER.log.records,
    )

    assert failed(checks) == ["receipt kept"]
    assert "another ballot in the place" in named(checks, "receipt kept").detail


@pytest.mark.parametrize("number", [3, ACKNOWLEDGED + 1])
def test_a_receipt_of_a_longer_log_than_was_stated_fails(number: int) -> None:
    longer = Day(size=25)

    checks = verify(
        AFTER.certificate(),
        key=KEY.verifier,
        receipt=longer.receipt(number, 25),
        recoveries=[NOTE],
        ballots=AFTER.log.records,
    )

    assert failed(checks) == ["receipt kept"]


#: of a stranger who would like to have given receipts
FORGED = sign_recovery(
    STATEMENT._replace(key=format_vkey(STRANGER.verifier), ended=bytes(32), begins=h(LOST.genesis)),
    [STRANGER, NEXT],
)
FORGED_RECEIPT = Day(size=ACKNOWLEDGED, key=STRANGER).receipt(3, 10)


def test_a_stranger_who_makes_statements_gives_no_receipts() -> None:
    checks = verify(
        LOST.certificate(), key=KEY.verifier, receipt=FORGED_RECEIPT, recoveries=[FORGED]
    )

    assert failed(checks) == [RECOVERY, "receipt signed"]


FORK = STATEMENT._replace(next=format_vkey(STRANGER.verifier), begins=bytes(32))
STRAY = STATEMENT._replace(key=format_vkey(STRANGER.verifier), ended=b"\1" * 32, begins=bytes(32))
BESIDE = {
    "another journal that follows": sign_recovery(FORK, [KEY, STRANGER]),
    "another loss": sign_recovery(STATEMENT._replace(ballots=()), [KEY, NEXT]),
    "a stranger's": sign_recovery(STRAY, [STRANGER, NEXT]),
}


@pytest.mark.parametrize("name", BESIDE)
def test_a_statement_beside_the_one_that_fits_contradicts_it_or_belongs_to_it(name: str) -> None:
    for recoveries in ([NOTE, BESIDE[name]], [BESIDE[name], NOTE]):
        for day in (AFTER, BEFORE):
            checks = verify(day.certificate(), key=KEY.verifier, recoveries=recoveries)
            assert RECOVERY in failed(checks)
    twice = verify(AFTER.certificate(), key=KEY.verifier, recoveries=[NOTE, NOTE])
    assert holds(twice)


def test_a_loss_that_is_not_admitted_is_told_as_such() -> None:
    fewer = STATEMENT._replace(ballots=(LostBallots(BEACON_DAY, 18, LEFT),))
    note = sign_recovery(fewer, [KEY, NEXT])

    checks = verify(
        AFTER.certificate(), key=KEY.verifier, receipt=LOST.receipt(19, 20), recoveries=[note]
    )

    assert "does not admit it" in named(checks, "receipt kept").detail
    assert failed(checks) == ["receipt kept"]
    silent = sign_recovery(STATEMENT._replace(ballots=()), [KEY, NEXT])
    checks = verify(
        AFTER.certificate(), key=KEY.verifier, receipt=LOST.receipt(19, 20), recoveries=[silent]
    )
    assert failed(checks) == ["receipt kept"]
    assert "ballots were dropped" in named(checks, "receipt kept").detail


def test_without_a_statement_a_receipt_of_another_key_is_none_of_this_lottery() -> None:
    checks = verify(AFTER.certificate(), key=NEXT.verifier, receipt=LOST.receipt(3, 10))

    assert failed(checks) == ["receipt signed"]


def test_the_command_takes_statements(tmp_path: Path) -> None:
    certificate, statement, other = (tmp_path / name for name in ("c.json", "s", "o"))
    certificate.write_bytes(AFTER.certificate())
    statement.write_text(NOTE, encoding="utf-8")
    other.write_text(sign("of another kind\n", KEY), encoding="utf-8")
    known = ("--key", format_vkey(KEY.verifier))

    code, said, _ = run("verify", certificate, *known, "--recovery", statement)
    assert (code, "ok   recovery: a signed statement" in said) == (0, True)
    receipt = tmp_path / "r.json"
    for size, answer in ((10, 1), (15, 1), (11, 1)):
        receipt.write_bytes(LOST.receipt(3, size))
        given = (*known, "--recovery", statement, "--receipt", receipt)
        assert run("verify", certificate, *given)[0] == answer
        log = AFTER.log.write(tmp_path / "log")
        assert run("verify", certificate, *given, "--log", log)[0] == 0
    code, said, _ = run("verify", certificate, *known, "--recovery", other)
    assert (code, "FAIL recovery: this is not the record of a recovery" in said) == (1, True)
    code, _, error = run("verify", certificate, *known, "--recovery", tmp_path / "none")
    assert (code, "cannot be read" in error) == (2, True)
