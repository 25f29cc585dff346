"""Witnesses: the journal is cosigned, nothing waits long, and another journal stops the lottery."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from lottery_system import scheduler, witness_client, witnesses
from lottery_system.clock import ONE_DAY
from lottery_system.errors import Paused
from lottery_system.fairness.cosignature import ML_DSA_44
from lottery_system.fairness.note import Checkpoint, SigningKey, format_vkey, sign_checkpoint
from lottery_system.models import Lottery
from lottery_system.parts import parts_of
from lottery_system.witness_policy import read_policy
from tests.conftest import FIRST_NOON, Backup, Cast, Clock, Submit, settings_for
from tests.stand_ins.cosigning import CosigningKey
from tests.stand_ins.log_keys import LOG_KEYS, begin
from tests.stand_ins.witness import Reply, Witness, keep_policy
from tests.stand_ins.witnessed_site import certified, checkpoint, cosigners, reasons, restarted
from tests.web.conftest import Visitor, text_of

OWN = LOG_KEYS.key.verifier
#: seconds that a witness which stalls is waited for
SHORT = 0.6


@pytest.fixture
def one() -> Iterator[Witness]:
    with Witness("w1.example", OWN) as witness:
        yield witness


@pytest.fixture
def two() -> Iterator[Witness]:
    with Witness("w2.example", OWN, algorithm=ML_DSA_44) as witness:
        yield witness


@pytest.fixture
def given_settings(tmp_path: Path, one: Witness, two: Witness) -> dict[str, str]:
    return {"LOTTERY_WITNESSES": str(keep_policy(tmp_path / "witnesses", one, two))}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait shortly for witnesses that stall."""
    monkeypatch.setattr(witness_client, "PATIENCE", SHORT)
    monkeypatch.setattr(witnesses, "BUDGET", SHORT)


@pytest.fixture
def begun(app: Flask, clock: Clock, session: Session) -> Flask:
    """Return an application whose journal has begun, after its first tick."""
    begin(session, FIRST_NOON)
    scheduler.tick(app)
    return app


def test_the_genesis_and_each_freeze_are_cosigned_and_shown(
    begun: Flask, clock: Clock, one: Witness, two: Witness
) -> None:
    assert cosigners(checkpoint(begun), one, two) == ["w1.example", "w2.example"]
    clock.turn(ONE_DAY)

    scheduler.tick(begun)

    assert checkpoint(begun).startswith("lottery.local\n2\n")
    assert cosigners(checkpoint(begun), one, two) == ["w1.example", "w2.example"]
    assert cosigners(certified(begun), one, two) == ["w1.example", "w2.example"]
    # each was sent each checkpoint once
    assert [len(each.received) for each in (one, two)] == [2, 2]
    scheduler.tick(begun)
    assert [len(each.received) for each in (one, two)] == [2, 2]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_organisers_see_how_many_have_signed_and_a_command_lists_them(
    begun: Flask, clock: Clock, cast: Cast, one: Witness, two: Witness
) -> None:
    two.stop()
    clock.turn(ONE_DAY)
    scheduler.tick(begun)
    visitor = Visitor(begun.test_client())
    visitor.log_in("alice")

    assert "Witnesses 1 of 2 have signed the public log as it is now" in text_of(
        visitor.get("/organiser")
    )
    told = begun.test_cli_runner().invoke(args=["draw", "witnesses"])
    assert told.exit_code == 0
    assert "w1.example: it has signed 2 records; 2 stored here" in told.output
    assert "w2.example: it shows nothing; 1 stored here\n  it cannot be reached" in told.output


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_export_has_the_cosignatures_and_takes_up_those_that_come_later(
    begun: Flask, clock: Clock, one: Witness, two: Witness, tmp_path: Path
) -> None:
    def exported() -> str:
        done = begun.test_cli_runner().invoke(args=["draw", "export", str(tmp_path / "public")])
        assert done.exit_code == 0, done.output
        return (tmp_path / "public" / "log" / "checkpoint").read_text()

    two.stop()
    clock.turn(ONE_DAY)
    scheduler.tick(begun)
    assert exported() == checkpoint(begun)
    assert cosigners(exported(), one, two) == ["w1.example"]

    two.start()
    scheduler.tick(begun)

    assert exported() == checkpoint(begun)
    assert cosigners(exported(), one, two) == ["w1.example", "w2.example"]


def test_a_witness_that_is_down_holds_nothing_up_and_is_told_of_once(
    begun: Flask, clock: Clock, one: Witness, two: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    two.stop()
    clock.turn(ONE_DAY)
    caplog.set_level(logging.INFO)
    for _ in range(3):
        scheduler.tick(begun)

    assert cosigners(certified(begun), one, two) == ["w1.example"]
    told = [each.message for each in caplog.records if "w2.example" in each.message]
    assert told == ["witness w2.example: it cannot be reached (Connection refused)"]

    two.start()
    scheduler.tick(begun)

    # what came after the draw is shown, and not certified
    assert cosigners(checkpoint(begun), one, two) == ["w1.example", "w2.example"]
    assert cosigners(certified(begun), one, two) == ["w1.example"]
    assert caplog.messages[-1] == "witness w2.example: it answers again"


def test_a_witness_that_stalls_is_waited_for_once_a_tick(
    begun: Flask, clock: Clock, one: Witness, two: Witness
) -> None:
    two.stalls.set()
    clock.turn(3 * ONE_DAY)
    asked, before = len(two.received), monotonic()

    scheduler.tick(begun)

    # once for all draws together
    assert len(two.received) == asked + 1
    assert monotonic() - before < SHORT + 5
    assert checkpoint(begun).startswith("lottery.local\n4\n")
    assert cosigners(certified(begun), one, two) == ["w1.example"]


def redirect(_: bytes) -> Reply:
    return Reply(307, headers=(("Location", "http://127.0.0.1:9/add-checkpoint"),))


def by_another(_: bytes) -> Reply:
    return Reply(200, Witness("w3.example").add(_).body or b"\n")


FAULTS: dict[str, tuple[Callable[[bytes], Reply], str]] = {
    "unknown origin": (lambda _: Reply(404), "it does not know this lottery (404)"),
    "unknown key": (lambda _: Reply(403), "it does not know this lottery's key (403)"),
    "malformed": (lambda _: Reply(400), "it takes the request for malformed (400)"),
    "failing": (lambda _: Reply(500), "it answered 500"),
    "a redirect": (redirect, "it answered 307"),
    "garbage": (lambda _: Reply(200, b"\xff\0\n"), "its cosignature does not hold"),
    "no line": (lambda _: Reply(200, b""), "its cosignature does not hold"),
    "another's line": (
        lambda _: Reply(200, "— w3.example aGVsbG8gd29ybGQ=\n".encode()),
        "its answer has no cosignature by its key",
    ),
    "huge": (lambda _: Reply(200, bytes(100_000)), "it sent more than 64 KiB"),
    "a size without its type": (lambda _: Reply(409, b"1\n"), "does not say which"),
    "no size": (lambda _: Reply(409, b"x\n", "text/x.tlog.size"), "does not say which"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_whatever_a_witness_answers_days_are_drawn(
    begun: Flask, clock: Clock, one: Witness, two: Witness, fault: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    two.answer, reason = FAULTS[fault]
    clock.turn(ONE_DAY)

    scheduler.tick(begun)

    assert cosigners(certified(begun), one, two) == ["w1.example"]
    assert not reasons(begun)
    assert reason in caplog.text


def test_a_cosignature_of_something_else_is_not_kept(
    begun: Flask, clock: Clock, one: Witness, two: Witness
) -> None:
    of_genesis = two.newest["lottery.local"][1].splitlines(keepends=True)[-1]
    two.answer = lambda _: Reply(200, of_genesis.encode())
    clock.turn(ONE_DAY)

    scheduler.tick(begun)

    assert cosigners(certified(begun), one, two) == ["w1.example"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_witness_that_has_forgotten_is_begun_with_again(
    begun: Flask, clock: Clock, one: Witness, two: Witness
) -> None:
    two.newest.clear()
    clock.turn(ONE_DAY)

    scheduler.tick(begun)

    assert cosigners(certified(begun), one, two) == ["w1.example", "w2.example"]


def test_no_cosignature_comes_into_a_certificate_after_the_draw(
    begun: Flask, clock: Clock, one: Witness, two: Witness, session: Session
) -> None:
    two.stop()
    clock.turn(ONE_DAY)
    scheduler.tick(begun)
    before = certified(begun)

    with pytest.raises(DatabaseError, match="drawn before this cosignature"), session.begin():
        session.execute(
            text(
                "INSERT INTO cosignatures (timeline, number, witness, time, line, before_draw)"
                " SELECT timeline, number, :witness, time, line, true FROM cosignatures"
                " WHERE number = 1"
            ),
            {"witness": bytes(32)},
        )

    assert certified(begun) == before


@pytest.mark.parametrize("shows", [True, False])
def test_a_database_older_than_what_a_witness_has_seen_signs_nothing(
    begun: Flask, clock: Clock, one: Witness, two: Witness, backup: Backup, tmp_path: Path,
    cast: Cast, big_chance: Lottery, submit: Submit, shows: bool,
) -> None:  # fmt: skip
    """The mark was restored with it, so that only the witnesses know."""
    mark = (tmp_path / "mark").read_bytes()
    restore = backup()
    clock.turn(ONE_DAY)
    scheduler.tick(begun)
    newest = backup()
    newest_mark = (tmp_path / "mark").read_bytes()
    restore()
    (tmp_path / "mark").write_bytes(mark)
    restarted(begun)
    one.stop()
    two.shows = shows

    scheduler.tick(begun)

    said = reasons(begun)
    assert "its journal has 1 records" in said if shows else "w2.example says" in said
    assert said in text_of_ready(begun)
    with pytest.raises(Paused):
        submit(cast.bob, big_chance)
    assert checkpoint_size(begun) == 1  # nothing was frozen
    kept = list((tmp_path / "witness-evidence").glob("2-????????????????"))
    assert bool(kept) == shows
    if shows:  # a restart does not forget it, though nobody can be reached
        two.stop()
        restarted(begun)
        scheduler.tick(begun)
        assert "a witness has seen 2 that this lottery signed" in reasons(begun)
        assert str(kept[0]) in reasons(begun)

    newest()
    (tmp_path / "mark").write_bytes(newest_mark)
    if not shows:
        two.stop()
        two.start()
    scheduler.tick(begun)
    assert not reasons(begun)


def rolled_back(app: Flask, clock: Clock, backup: Backup, mark: Path, *, days: int = 1) -> None:
    """Restore database and mark from before some days that the witnesses have signed."""
    before, restore = mark.read_bytes(), backup()
    clock.turn(days * ONE_DAY)
    scheduler.tick(app)
    restore()
    mark.write_bytes(before)
    restarted(app)


#: what a witness answers to everything, once it has said that it has signed more; None: nothing
SILENT: dict[str, Reply | None] = {
    "stopped": None,
    "failing": Reply(500),
    "another site": Reply(200, b"<!doctype html><title>Welcome</title>"),
}


@pytest.mark.parametrize("then", SILENT)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_a_witness_has_claimed_holds_though_it_answers_no_more(
    begun: Flask, clock: Clock, one: Witness, two: Witness, backup: Backup, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, then: str,
) -> None:  # fmt: skip
    rolled_back(begun, clock, backup, tmp_path / "mark")
    one.stop()
    two.shows = False
    scheduler.tick(begun)
    assert "w2.example says" in reasons(begun)

    if (reply := SILENT[then]) is None:
        two.stop()
    else:
        two.answer = lambda _: reply
        monkeypatch.setattr(two, "show", lambda _: reply)
    for _ in range(2):
        scheduler.tick(begun)

        assert "w2.example says" in reasons(begun)
    assert checkpoint_size(begun) == 1  # nothing was frozen


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_recovery_does_not_say_that_all_is_there_where_a_witness_claims_more(
    begun: Flask, clock: Clock, one: Witness, two: Witness, backup: Backup, tmp_path: Path
) -> None:
    rolled_back(begun, clock, backup, tmp_path / "mark")
    one.stop()
    two.shows = False

    done = begun.test_cli_runner().invoke(args=["draw", "recover"])

    assert done.exit_code == 1
    assert "w2.example says that it has cosigned 2 records" in done.output
    assert "Nothing needs to be recovered" not in done.output


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_claim_counts_though_the_witness_shows_something_else(
    begun: Flask, clock: Clock, one: Witness, two: Witness, backup: Backup, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    rolled_back(begun, clock, backup, tmp_path / "mark")
    one.stop()
    monkeypatch.setattr(two, "show", lambda _: Reply(200, b"<!doctype html><title>Welcome</title>"))

    scheduler.tick(begun)

    assert "w2.example says that it has cosigned 2 records" in reasons(begun)
    assert checkpoint_size(begun) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_proof_that_cannot_be_written_counts_and_is_written_once_it_can_be(
    begun: Flask, clock: Clock, one: Witness, two: Witness, backup: Backup, tmp_path: Path
) -> None:
    rolled_back(begun, clock, backup, tmp_path / "mark")
    folder = tmp_path / "witness-evidence"
    folder.touch()  # as on a disk that is full
    one.stop()
    scheduler.tick(begun)
    two.stop()
    scheduler.tick(begun)

    assert "a witness has seen 2 that this lottery signed" in reasons(begun)
    assert f"Its proof cannot be written to {folder}" in reasons(begun)
    assert checkpoint_size(begun) == 1

    folder.unlink()
    scheduler.tick(begun)
    assert f"Its proof is {folder}" in reasons(begun)
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_a_witness_of_the_new_key_claims_counts_though_the_ended_journal_was_longer(
    begun: Flask, clock: Clock, one: Witness, two: Witness, backup: Backup, tmp_path: Path
) -> None:
    two.stop()
    for _ in range(3):
        clock.turn(ONE_DAY)
        scheduler.tick(begun)
    command = begun.test_cli_runner().invoke
    done = command(args=["draw", "replace-keys"], input="lottery.local\n")
    assert done.exit_code == 0, done.output
    with begun.app_context():
        key = parts_of(begun).keyring.log_keys().key.verifier
    one.known = {(key.name, key.key_id): key}
    one.newest.clear()
    scheduler.tick(begun)
    assert cosigners(checkpoint(begun), one) == ["w1.example"]
    mark, restore = (tmp_path / "mark").read_bytes(), backup()
    clock.turn(ONE_DAY)
    scheduler.tick(begun)
    restore()
    (tmp_path / "mark").write_bytes(mark)
    restarted(begun)
    one.shows = False

    scheduler.tick(begun)

    assert "w1.example says that it has cosigned 2 records" in reasons(begun)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_journal_that_a_thief_of_the_ended_key_has_shown_a_witness_is_told_as_what_it_is(
    begun: Flask, one: Witness, two: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    one.stop()
    two.stop()
    command = begun.test_cli_runner().invoke
    done = command(args=["draw", "replace-keys"], input="lottery.local\n")
    assert done.exit_code == 0, done.output
    of_the_thief = Checkpoint("lottery.local", 1, bytes(32))
    note = sign_checkpoint(of_the_thief, LOG_KEYS.key)
    one.newest["lottery.local"] = (of_the_thief, note)
    one.start()

    scheduler.tick(begun)

    assert "it shows another journal of the key that ended, of 1 records" in caplog.text
    assert not reasons(begun)


def text_of_ready(app: Flask) -> str:
    return Visitor(app.test_client()).get("/readyz").text


def checkpoint_size(app: Flask) -> int:
    return int(checkpoint(app).split("\n")[1])


@pytest.mark.parametrize("shows", [True, False])
def test_another_journal_than_a_witness_has_seen_is_told_as_a_fork(
    begun: Flask, clock: Clock, one: Witness, two: Witness, backup: Backup, tmp_path: Path,
    shows: bool,
) -> None:  # fmt: skip
    mark, before = tmp_path / "mark", (tmp_path / "mark").read_bytes()
    restore = backup()
    clock.turn(ONE_DAY)
    scheduler.tick(begun)
    seen, mark_seen = backup(), mark.read_bytes()
    restore()
    mark.write_bytes(before)
    restarted(begun)
    one.stop()
    two.stop()
    clock.turn(ONE_DAY / 24)
    scheduler.tick(begun)  # nobody can be asked: the day is frozen again, in another second
    assert not reasons(begun)
    assert checkpoint_size(begun) == 2
    one.shows = shows
    one.start()

    scheduler.tick(begun)

    said = "FORK: this lottery has signed two different journals. A witness has seen another"
    if not shows:
        said = "The witness w1.example says that it has cosigned another journal"
    assert said in reasons(begun)
    assert len(list((tmp_path / "witness-evidence").glob("*"))) == (2 if shows else 0)
    clock.turn(ONE_DAY)
    scheduler.tick(begun)
    assert checkpoint_size(begun) == 2
    one.stop()
    scheduler.tick(begun)
    assert said in reasons(begun)

    if shows:  # to go back to what the witness has seen ends nothing: the other is signed, too
        assert "restoring the other one ends nothing" in reasons(begun)
        seen()
        mark.write_bytes(mark_seen)
        restarted(begun)
        scheduler.tick(begun)
        assert "Its own checkpoint of 2 records is of another one" in reasons(begun)
        assert "A witness has seen" not in reasons(begun)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_witness_that_contradicts_itself_stops_nothing(
    begun: Flask, clock: Clock, one: Witness, two: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    two.answer = lambda _: Reply(409, b"9\n", "text/x.tlog.size")
    clock.turn(ONE_DAY)

    scheduler.tick(begun)

    assert not reasons(begun)
    assert cosigners(certified(begun), one, two) == ["w1.example"]
    assert "it refuses what its own last checkpoint does not contradict" in caplog.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_checkpoint_of_somebody_else_stops_nothing(
    begun: Flask, one: Witness, two: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    known, note = two.newest["lottery.local"]
    two.newest["lottery.local"] = known, note.replace("\n1\n", "\n7\n", 1)
    two.answer = lambda _: Reply(403)
    restarted(begun)

    scheduler.tick(begun)

    assert not reasons(begun)
    assert "it shows a checkpoint that this lottery did not sign" in caplog.text


BAD_POLICIES = {
    "no address": ("witness w {key}\nquorum w\n", "needs an address"),
    "plain http elsewhere": ("witness w {key} http://w.example\nquorum w\n", "needs an address"),
    "a query": ("witness w {key} https://w.example/?a=b\nquorum w\n", "needs an address"),
    "another log": (
        f"log {format_vkey(SigningKey('other.example', bytes(32)).verifier)}\n"
        "witness w {key} https://w.example\nquorum w\n",
        "has the log other.example, and this lottery is lottery.local",
    ),
    "nobody": ("quorum none\n", "names no witness"),
    "no quorum": ("witness w {key} https://w.example\n", "there is no line quorum"),
    "more than a checkpoint has lines": (
        "".join(
            f"witness w{number} {CosigningKey('w', bytes([number]) * 32).vkey} https://w.example\n"
            for number in range(16)
        )
        + "quorum w0\n",
        "names 16 witnesses, and a checkpoint has room for 15",
    ),
}


@pytest.mark.parametrize("name", BAD_POLICIES)
def test_a_policy_that_does_not_fit_ends_the_start(name: str, tmp_path: Path, one: Witness) -> None:
    policy, reason = BAD_POLICIES[name]
    file = tmp_path / "bad"
    file.write_text(policy.format(key=one.key.vkey))
    settings = settings_for("", LOTTERY_WITNESSES=str(file), LOTTERY_STORAGE=str(tmp_path))

    with pytest.raises(SystemExit) as refused:
        read_policy(settings)

    assert str(refused.value).startswith("LOTTERY_WITNESSES: ")
    assert reason in str(refused.value)
