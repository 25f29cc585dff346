"""The check `witnessed`: who else signed the journal, and when."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lottery_system.fairness import witnessed
from lottery_system.fairness.__main__ import FAILS, HOLDS, UNREADABLE, main
from lottery_system.fairness.beacon import QUICKNET
from lottery_system.fairness.checks import Check, Verdict, holds
from lottery_system.fairness.cosignature import ML_DSA_44
from lottery_system.fairness.note import SigningKey, format_vkey
from lottery_system.fairness.policy import parse_policy
from lottery_system.fairness.records import BEACON
from lottery_system.fairness.verify import verify
from tests.fairness import forge
from tests.fairness.forge import (
    KEY,
    NO_WITNESS,
    WITNESSES,
    Cosigned,
    Day,
    forged_witnesses,
    policy_of,
    witnessed_days,
)
from tests.fairness.test_recovery import AFTER, NEXT, NOTE
from tests.stand_ins.cosigning import CosigningKey
from tests.stand_ins.foreign import foreign

HONEST, FORGED = witnessed_days(), forged_witnesses()
NEEDED = {"witnessed"}


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if check.verdict is Verdict.FAILED]


def of(certificate: bytes, policy: bytes, key: SigningKey = KEY) -> Check:
    """Return what the check says, where all the others hold or are not made."""
    checks = verify(certificate, key=key.verifier, policy=parse_policy(policy))
    found = next(each for each in checks if each.name == "witnessed")
    assert failed(checks) == [each.name for each in [found] if each.verdict is Verdict.FAILED]
    return found


def test_without_a_policy_it_is_not_made() -> None:
    checks = verify(HONEST["two of three"][0], key=KEY.verifier)

    assert [each.verdict for each in checks if each.name == "witnessed"] == [Verdict.NOT_MADE]
    assert holds(checks)
    assert not holds(checks, NEEDED)


@pytest.mark.parametrize("name", HONEST)
def test_what_enough_witnesses_signed_in_time_holds(name: str) -> None:
    checks = verify(HONEST[name][0], key=KEY.verifier, policy=parse_policy(HONEST[name][1]))

    assert failed(checks) == []
    assert holds(checks, NEEDED)


@pytest.mark.parametrize("name", FORGED)
def test_what_they_did_not_fails_by_this_name_and_no_other(name: str) -> None:
    certificate, policy = FORGED[name]

    assert holds(verify(certificate, key=KEY.verifier))
    assert of(certificate, policy).verdict is Verdict.FAILED


def test_it_says_how_many_signed() -> None:
    says = of(*HONEST["two of three"]).detail
    assert says == (
        "2 of 3 witnesses signed the public log before the random number was due, "
        "as many as the policy needs"
    )
    assert of(*FORGED["once the number was due"]).detail == (
        "1 of 3 witnesses signed the public log before the random number was due, "
        "fewer than the policy needs; 1 signed at another time"
    )
    assert of(*HONEST["without a beacon at any time"]).detail == (
        "2 of 3 witnesses signed the public log, as many as the policy needs"
    )


def test_a_checkpoint_that_is_not_believed_leaves_it_open() -> None:
    certificate, policy = HONEST["two of three"]
    other = SigningKey(KEY.name, b"\x09" * 32)

    checks = verify(certificate, key=other.verifier, policy=parse_policy(policy))

    assert failed(checks) == ["checkpoint"]


def test_when_another_networks_number_was_due_is_not_believed() -> None:
    made = Cosigned(Day(mode=BEACON, genesis_as=lambda genesis: genesis._replace(chain=b"\1" * 32)))
    checks = verify(
        made.certificate(*map(made.line, WITNESSES)),
        key=KEY.verifier,
        policy=parse_policy(policy_of()),
    )

    assert failed(checks) == ["round"]
    assert [each.verdict for each in checks if each.name == "witnessed"] == [Verdict.NOT_MADE]


def test_a_policy_for_the_key_before_a_recovery_is_for_the_one_after() -> None:
    made = Cosigned(AFTER)
    certificate = made.certificate(made.line(WITNESSES[0]), made.line(WITNESSES[1]))
    for log, given in ((KEY, KEY), (NEXT, KEY), (NEXT, NEXT)):
        checks = verify(
            certificate,
            key=given.verifier,
            recoveries=[NOTE],
            policy=parse_policy(policy_of(log=log)),
        )
        assert failed(checks) == []
        assert holds(checks, NEEDED)


# ML-DSA-44

OTHER_KIND = CosigningKey("pq.example", b"\x60" * 32, ML_DSA_44)
MIXED = policy_of(WITNESSES[0], OTHER_KIND)


def without_ml_dsa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mldsa", None)


def test_a_witness_may_sign_with_ml_dsa() -> None:
    made = Cosigned(Day(mode=BEACON))
    lines = [made.line(WITNESSES[0]), made.line(OTHER_KIND)]
    broken = lines[1]._replace(signature=lines[1].signature[:-1] + b"\xff")

    assert of(made.certificate(*lines), MIXED).verdict is Verdict.OK
    assert "does not hold" in of(made.certificate(lines[0], broken), MIXED).detail
    late = made.line(OTHER_KIND, made.due)
    assert of(made.certificate(lines[0], late), MIXED).verdict is Verdict.FAILED


def test_where_the_library_lacks_ml_dsa_its_lines_neither_hold_nor_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Cosigned(Day(mode=BEACON))
    one, other = made.line(WITNESSES[0]), made.line(OTHER_KIND)
    without_ml_dsa(monkeypatch)

    assert of(made.certificate(one, other), MIXED).verdict is Verdict.NOT_MADE
    enough = policy_of(WITNESSES[0], OTHER_KIND, quorum="group Q any")
    assert of(made.certificate(one, other), enough).verdict is Verdict.OK
    # one that comes too late, or is not there, is no help in any case
    late = made.line(OTHER_KIND, made.due)
    assert of(made.certificate(one, late), MIXED).verdict is Verdict.FAILED
    assert of(made.certificate(one), MIXED).verdict is Verdict.FAILED


def test_without_a_library_for_signatures_it_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, policy = HONEST["two of three"]
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)

    for each, its_policy in [(certificate, policy), *FORGED.values()]:
        found = of(each, its_policy)
        assert found.verdict is Verdict.NOT_MADE


# The operator


@pytest.mark.parametrize("change", ["another second", "another number of places"])
def test_a_second_closing_after_the_number_is_known_is_found_by_its_witnesses(change: str) -> None:
    """Same list, same round, another winner: nothing but the witnesses can tell."""
    honest = Day(mode=BEACON)
    second = next(
        day
        for step in range(1, 60)
        for day in [
            Day(
                mode=BEACON,
                freeze_as=lambda freeze, step=step: (  # type: ignore[misc]
                    freeze._replace(frozen=freeze.frozen.replace(second=step))
                    if change == "another second"
                    else freeze._replace(places=2 + step)
                ),
            )
        ]
        if day.picks[0].number != honest.picks[0].number
    )
    assert second.freeze.root == honest.freeze.root
    assert second.freeze.round == honest.freeze.round
    policy, key = parse_policy(policy_of()), KEY.verifier
    first, again = Cosigned(honest), Cosigned(second)
    lines = [first.line(each) for each in WITNESSES]
    assert holds(verify(first.certificate(*lines), key=key, policy=policy), NEEDED)

    # neither has a witness signed the second one before the number was due ...
    for given in ([], [again.line(each, again.due) for each in WITNESSES], lines):
        certificate = again.certificate(*given)
        assert holds(verify(certificate, key=key))
        # ... nor do those of the first help it
        assert failed(verify(certificate, key=key, policy=policy)) == ["witnessed"]


def test_a_policy_that_needs_no_majority_is_told_of_since_both_of_two_closings_meet_it() -> None:
    """Two honest witnesses, each shown another closing of the day before its number is known."""
    one, two, _ = WITNESSES
    first = Cosigned(Day(mode=BEACON))
    second = Cosigned(Day(mode=BEACON, freeze_as=lambda freeze: freeze._replace(places=3)))
    shown = [first.certificate(first.line(one)), second.certificate(second.line(two))]

    for certificate in shown:
        found = of(certificate, policy_of(one, two, quorum="group Q any"))
        assert found.verdict is Verdict.OK
        assert "others may have signed another list" in found.detail
        assert of(certificate, policy_of(one, two, quorum="group Q all")).verdict is Verdict.FAILED


def test_the_clock_of_the_check_is_that_of_the_round() -> None:
    assert witnessed.CLOCK_BEHIND == forge.CLOCK_BEHIND
    day = Day(mode=BEACON)
    span = witnessed.span_of(day.genesis, day.freeze, QUICKNET)

    closes = round(day.freeze.closes.timestamp())
    assert span == (closes - 60, closes + day.gap)


# The command


def run(tmp_path: Path, certificate: bytes, policy: bytes, *more: str) -> int:
    (tmp_path / "certificate.json").write_bytes(certificate)
    (tmp_path / "policy").write_bytes(policy)
    return main(
        ["verify", str(tmp_path / "certificate.json"), "--policy", str(tmp_path / "policy"), *more]
    )


def test_the_program_takes_a_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = ("--key", format_vkey(KEY.verifier))

    assert run(tmp_path, *HONEST["two of three"], *key) == HOLDS
    assert "ok   witnessed: 2 of 3 witnesses signed" in capsys.readouterr().out
    assert run(tmp_path, *FORGED["by one"], *key) == FAILS
    assert "FAIL witnessed: 1 of 3 witnesses signed" in capsys.readouterr().out
    assert run(tmp_path, HONEST["two of three"][0], b"quorum all\n", *key) == UNREADABLE
    assert "policy: line 1: no line above defines all" in capsys.readouterr().err


def test_a_policy_that_could_not_be_checked_is_not_taken_for_one_that_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Cosigned(Day(mode=BEACON))
    certificate = made.certificate(made.line(WITNESSES[0]), made.line(OTHER_KIND))
    assert run(tmp_path, certificate, MIXED) == HOLDS
    without_ml_dsa(monkeypatch)
    assert run(tmp_path, certificate, MIXED) == FAILS


# Others


@pytest.fixture(scope="module")
def aics_tlog() -> tuple[str, ...]:
    return foreign("aics_tlog")


@pytest.mark.parametrize(
    ("signers", "is_enough"),
    [((0, 1), True), ((0, 1, 2), True), ((0,), False), ((), False), ((0, 3), False)],
)
def test_another_verifier_sees_the_same_witnesses(
    tmp_path: Path, aics_tlog: tuple[str, ...], signers: tuple[int, ...], *, is_enough: bool
) -> None:
    """PyPI's aics-tlog, of any time, as in mode operator."""
    made, keys = Cosigned(Day()), [*WITNESSES, NO_WITNESS]
    certificate = made.certificate(*(made.line(keys[number]) for number in signers))

    assert _by_another(tmp_path, aics_tlog, certificate) == is_enough
    assert (of(certificate, policy_of()).verdict is Verdict.OK) == is_enough


def test_another_verifier_refuses_a_bad_line_of_a_witness_too(
    tmp_path: Path, aics_tlog: tuple[str, ...]
) -> None:
    certificate, policy = FORGED["without a beacon, a bad line"]

    assert not _by_another(tmp_path, aics_tlog, certificate)
    assert of(certificate, policy).verdict is Verdict.FAILED


def _by_another(folder: Path, program: tuple[str, ...], certificate: bytes) -> bool:
    note = folder / "note"
    note.write_text(json.loads(certificate)["journal"]["checkpoint"], encoding="utf-8")
    witnesses = [word for each in WITNESSES for word in ("--witness-key", each.vkey)]
    found = subprocess.run(
        [*program, "verify-checkpoint", "--note", note, "--log-key", format_vkey(KEY.verifier),
         *witnesses, "--quorum", "2"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = json.loads(found.stdout)
    assert said["log_ok"]
    assert said["ok"] == (found.returncode == 0)
    return bool(said["ok"])
