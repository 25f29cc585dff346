"""A key that was noted with its genesis takes no other journal under the same key."""

from pathlib import Path

import pytest

from lottery_system.fairness import commitment
from lottery_system.fairness.__main__ import FAILS, HOLDS, UNREADABLE, main
from lottery_system.fairness.checks import Check, Verdict, holds
from lottery_system.fairness.note import NoteError, format_vkey
from lottery_system.fairness.pin import Pin, format_pin, parse_pin
from lottery_system.fairness.verify import verify
from tests.fairness.forge import KEY, TIP, Day
from tests.fairness.test_recovery import AFTER, BEFORE, NEXT, NOTE, h

#: a second journal under the same key: its secrets are others, known to nobody but its operator
SECOND = Day(
    draw=1,
    genesis_as=lambda genesis: genesis._replace(anchor=commitment.anchor_of(TIP)),
)
FIRST = Day()
PIN = format_pin(KEY.verifier, h(FIRST.genesis))


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if check.verdict is Verdict.FAILED]


def test_a_pin_comes_back_as_it_was() -> None:
    assert parse_pin(PIN) == Pin(KEY.verifier, h(FIRST.genesis))
    assert parse_pin(format_vkey(KEY.verifier)) == Pin(KEY.verifier, None)


@pytest.mark.parametrize(
    "text",
    ["", "@", PIN[:-1], PIN + "0", PIN.upper(), PIN + "\n", PIN.replace("@", "@@"), "@" + PIN],
)
def test_what_is_no_pin_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_pin(text)


def test_another_genesis_under_the_same_key_fails_by_its_name_alone() -> None:
    certificate = SECOND.certificate()
    assert h(SECOND.genesis) != h(FIRST.genesis)
    assert holds(verify(certificate, key=KEY.verifier))  # as it did with the key alone

    checks = verify(certificate, key=KEY.verifier, genesis=h(FIRST.genesis))

    assert failed(checks) == ["genesis"]
    assert holds(verify(FIRST.certificate(), key=KEY.verifier, genesis=h(FIRST.genesis)))


def test_a_pin_follows_the_statement_of_a_recovery() -> None:
    before, after = BEFORE.certificate(), AFTER.certificate()
    noted, other = h(BEFORE.genesis), h(SECOND.genesis)

    for certificate in (before, after):
        checks = verify(certificate, key=KEY.verifier, genesis=noted, recoveries=[NOTE])
        assert holds(checks), failed(checks)
        checks = verify(certificate, key=KEY.verifier, genesis=other, recoveries=[NOTE])
        assert failed(checks) == ["genesis"]
    assert holds(verify(after, key=NEXT.verifier, genesis=h(AFTER.genesis), recoveries=[NOTE]))
    assert failed(verify(after, key=NEXT.verifier, genesis=noted, recoveries=[NOTE])) == ["genesis"]


def test_the_command_takes_a_pin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    one.write_bytes(FIRST.certificate())
    other.write_bytes(SECOND.certificate())

    assert main(["verify", str(one), "--key", PIN]) == HOLDS
    assert main(["verify", str(other), "--key", PIN]) == FAILS
    assert "FAIL genesis: this is another opening record" in capsys.readouterr().out
    assert main(["verify", str(one), "--key", PIN[:-1]]) == UNREADABLE
    assert "64 hex digits" in capsys.readouterr().err
