"""A week with two witnesses, one of them down for three days, and a database of the third day."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from lottery_system import scheduler
from lottery_system.clock import ONE_DAY
from lottery_system.errors import Paused
from lottery_system.fairness.checks import Verdict, holds
from lottery_system.fairness.note import open_note, parse_checkpoint
from lottery_system.fairness.policy import parse_policy
from lottery_system.fairness.recovery import parse_recovery
from lottery_system.fairness.verify import verify
from lottery_system.models import Lottery
from lottery_system.parts import parts_of
from tests.cli.conftest import Type
from tests.conftest import FIRST_DAY, FIRST_NOON, Backup, Cast, Clock, Submit
from tests.stand_ins.log_keys import LOG_KEYS, begin
from tests.stand_ins.witness import Witness, keep_policy
from tests.stand_ins.witnessed_site import checkpoint, cosigners, reasons, restarted
from tests.web.conftest import Visitor, text_of

OWN = LOG_KEYS.key.verifier
#: of the week: days on which the second witness is down when they close, and the one restored
DOWN = range(3, 6)
RESTORED = 2


@pytest.fixture
def one() -> Iterator[Witness]:
    with Witness("w1.example", OWN) as witness:
        yield witness


@pytest.fixture
def two() -> Iterator[Witness]:
    with Witness("w2.example", OWN) as witness:
        yield witness


@pytest.fixture
def given_settings(tmp_path: Path, one: Witness, two: Witness) -> dict[str, str]:
    return {"LOTTERY_WITNESSES": str(keep_policy(tmp_path / "witnesses", one, two, needed=1))}


@dataclass
class Week:
    """What was published in it, by day."""

    certificates: list[str]
    receipts: list[Any]
    head: str


@pytest.fixture
def week(
    app: Flask, clock: Clock, session: Session, cast: Cast, big_chance: Lottery, submit: Submit,
    backup: Backup, tmp_path: Path, one: Witness, two: Witness,
) -> Week:  # fmt: skip
    """Play seven days, and restore database and mark from the noon of the third."""
    begin(session, FIRST_NOON)
    receipts = []
    for number in range(7):
        scheduler.tick(app)
        day = FIRST_DAY + number * ONE_DAY
        visitor = Visitor(app.test_client())
        visitor.log_in("bob")
        submit(cast.bob, big_chance, 3)
        receipts.append(visitor.get(f"/draws/{day}/ballots/3/receipt.json").json)
        if number == RESTORED:
            restore, mark = backup(), (tmp_path / "mark").read_bytes()
        if number == DOWN[0]:
            two.stop()
        if number == DOWN[-1] + 1:
            two.start()
        clock.turn(ONE_DAY)
    scheduler.tick(app)
    certificates = [
        Visitor(app.test_client())
        .get(f"/draws/{FIRST_DAY + number * ONE_DAY}/certificate.json")
        .text
        for number in range(7)
    ]
    week = Week(certificates, receipts, checkpoint(app))
    restore()
    (tmp_path / "mark").write_bytes(mark)
    restarted(app)
    return week


def test_a_week_restored_from_its_third_day_signs_nothing_until_the_loss_is_stated(
    app: Flask, week: Week, type_: Type, one: Witness, two: Witness, submit: Submit, cast: Cast,
    big_chance: Lottery, clock: Clock, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    two.stop()  # one is enough
    sent = len(one.received)

    scheduler.tick(app)

    said = "its journal has 3 records, and a witness has seen 8 that this lottery signed"
    assert said in reasons(app)
    assert said in caplog.text
    assert said in Visitor(app.test_client()).get("/readyz").text
    assert checkpoint(app).startswith("lottery.local\n3\n")
    assert len(one.received) == sent
    with pytest.raises(Paused):
        submit(cast.bob, big_chance)

    shown = type_("draw recover", "another.name\n")
    assert "Journal: 8 records were signed, 3 are left." in shown.output
    assert "Nothing was done." in shown.output
    done = type_("draw recover", "lottery.local\n")
    assert done.exit_code == 0, done.output
    assert "Send the statement and the new key to whoever runs the witnesses" in done.output

    # the statement says what witnesses saw, though the mark had forgotten it
    statement = parse_recovery(
        open_note(Visitor(app.test_client()).get("/log/recovery/1").text, OWN)
    )
    head = parse_checkpoint(week.head.partition("\n\n")[0] + "\n")
    assert (statement.signed, statement.root, statement.kept) == (head.size, head.root, 3)
    assert statement.first == FIRST_DAY + 7 * ONE_DAY

    # players are told the truth of ballots that are lost, and the others stand
    scheduler.tick(app)
    assert not reasons(app)
    visitor = Visitor(app.test_client())
    visitor.log_in("bob")
    for number in range(RESTORED + 1, 7):
        day = FIRST_DAY + number * ONE_DAY
        told = visitor.get(f"/draws/{day}/ballots/3/receipt.json")
        assert told.status_code == 404
        assert "we accepted it and later lost it with our database" in text_of(told)
    for number in range(RESTORED):
        day = FIRST_DAY + number * ONE_DAY
        assert visitor.get(f"/draws/{day}/certificate.json").text == week.certificates[number]
    again: Any = visitor.get(f"/draws/{FIRST_DAY}/ballots/3/receipt.json").json
    assert again["ballot"] == week.receipts[0]["ballot"]

    # it goes on without the witnesses, until they know the new key and the journal that ended
    clock.turn(ONE_DAY)
    scheduler.tick(app)
    assert checkpoint(app).startswith("lottery.local\n2\n")
    assert cosigners(checkpoint(app), one, two) == []
    assert "it holds a journal that ended (8 records). Send its operator" in caplog.text
    with app.app_context():
        begun = parts_of(app).keyring.log_keys().key.verifier
    one.known = {(begun.name, begun.key_id): begun}
    one.newest.clear()
    scheduler.tick(app)
    assert cosigners(checkpoint(app), one, two) == ["w1.example"]


def test_a_stranger_with_a_policy_sees_which_days_the_witnesses_signed(
    week: Week, one: Witness, two: Witness, tmp_path: Path
) -> None:
    either, both = [
        parse_policy(keep_policy(tmp_path / "policy", one, two, needed=needed).read_bytes())
        for needed in (1, 2)
    ]
    for number, text in enumerate(week.certificates):
        assert holds(verify(text.encode(), key=OWN, policy=either))
        failed = {
            each.name
            for each in verify(text.encode(), key=OWN, policy=both)
            if each.verdict is Verdict.FAILED
        }
        assert failed == ({"witnessed"} if number in DOWN else set())
        names = cosigners(json.loads(text)["journal"]["checkpoint"], one, two)
        assert names == ["w1.example"] + ["w2.example"] * (number not in DOWN)
