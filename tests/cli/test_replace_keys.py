"""`flask draw replace-keys`: the lottery goes on under new keys, and nothing is lost."""

import html
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from lottery_system import draws, scheduler
from lottery_system.clock import ONE_DAY, utcnow
from lottery_system.errors import UnfitKeys
from lottery_system.extensions import reading
from lottery_system.fairness.checks import OF_RECEIPTS, holds
from lottery_system.fairness.note import (
    SigningKey,
    format_signing_key,
    format_vkey,
    note_text,
    open_checkpoint,
    open_note,
    parse_vkey,
    sign_checkpoint,
)
from lottery_system.fairness.pin import Pin, format_pin
from lottery_system.fairness.recovery import Recovery, parse_recovery, sign_recovery
from lottery_system.fairness.verify import verify
from lottery_system.keys import CHAIN_TIP, LOG_KEY, adopt_drafts
from lottery_system.models import Lottery
from lottery_system.models import Recovery as EndOfJournal
from lottery_system.parts import parts_of
from lottery_system.queries.logs import journal_record
from lottery_system.rollback import hash_of
from tests.cli.conftest import Type
from tests.conftest import (
    FIRST_DAY,
    FIRST_NOON,
    Backup,
    Cast,
    Clock,
    Submit,
    running,
    settings_for,
)
from tests.fairness.test_command import run
from tests.stand_ins.log_keys import LOG_KEYS, begin, keep_keys
from tests.stand_ins.processes import wait_for
from tests.web.conftest import Visitor, text_of

TODAY = FIRST_DAY + ONE_DAY
OLD = LOG_KEYS.key.verifier


@dataclass
class Scene:
    """A lottery on its second day, of which two ballots are in."""

    app: Flask
    storage: Path
    type: Type
    #: the lottery's pin so far
    pin: Pin

    def visitor(self, name: str = "") -> Visitor:
        visitor = Visitor(self.app.test_client())
        if name:
            visitor.log_in(name)
        return visitor

    def replace(self, typed: str = "lottery.local\n") -> Result:
        return self.type("draw replace-keys", typed)

    @property
    def note(self) -> str:
        return self.visitor().get("/log/recovery/1").text

    @property
    def statement(self) -> Recovery:
        return parse_recovery(note_text(self.note))

    @property
    def new_pin(self) -> Pin:
        return Pin(parse_vkey(self.statement.next), self.statement.begins)

    def keys(self) -> dict[str, str]:
        return {name: (self.storage / name).read_text() for name in (LOG_KEY, CHAIN_TIP)}


@pytest.fixture
def scene(
    app: Flask, clock: Clock, session: Session, cast: Cast, big_chance: Lottery, submit: Submit,
    type_: Type, tmp_path: Path,
) -> Scene:  # fmt: skip
    begin(session, FIRST_NOON)
    scheduler.tick(app)
    submit(cast.bob, big_chance, 3)
    clock.turn(ONE_DAY)
    scheduler.tick(app)
    submit(cast.bob, big_chance, 2)
    with app.app_context(), reading() as connection:
        genesis = journal_record(connection, 0)
        assert genesis is not None
    return Scene(app, tmp_path, type_, Pin(OLD, hash_of(genesis)))


def test_checkpoints_that_somebody_kept_from_before_are_audited_as_ever(
    scene: Scene, submit: Submit, cast: Cast, big_chance: Lottery, clock: Clock, tmp_path: Path
) -> None:
    """Whichever key signed them; a journal that ended is compared with its own records."""
    files = {name: tmp_path / name for name in ("journal", "day", "journal after", "day after")}
    keep = scene.visitor().get
    files["journal"].write_bytes(keep("/log/checkpoint").data)
    files["day"].write_bytes(keep(f"/log/{TODAY}/checkpoint").data)
    assert scene.replace().exit_code == 0
    submit(cast.alice, big_chance, 4)
    clock.turn(ONE_DAY)
    scheduler.tick(scene.app)
    files["journal after"].write_bytes(keep("/log/checkpoint").data)
    files["day after"].write_bytes(keep(f"/log/{TODAY}/checkpoint").data)

    def audit(*heads: Path) -> Result:
        given = [argument for head in heads for argument in ("--head", str(head))]
        return scene.app.test_cli_runner().invoke(args=["draw", "audit", *given])

    assert audit(*files.values()).exit_code == 0, audit(*files.values()).output

    head = open_checkpoint(files["journal"].read_text(), OLD)
    for other, says in (
        (head._replace(root=bytes(32)), "does not match: the stored log has another root"),
        (head._replace(size=9), "does not match: only 2 of its records are stored"),
    ):
        files["journal"].write_text(sign_checkpoint(other, LOG_KEYS.key))
        done = audit(files["journal"])
        assert (done.exit_code, says in done.output) == (1, True), done.output
    files["journal"].write_text(sign_checkpoint(head, SigningKey(OLD.name, bytes(32))))
    assert "is not a checkpoint signed by this lottery" in audit(files["journal"]).output


def test_a_statement_too_many_in_the_database_hides_no_checkpoint_from_the_audit(
    scene: Scene, session: Session, tmp_path: Path
) -> None:
    head = open_checkpoint(scene.visitor().get("/log/checkpoint").text, OLD)
    kept = tmp_path / "kept"
    kept.write_text(sign_checkpoint(head._replace(root=bytes(32)), LOG_KEYS.key))
    with session.begin():
        session.add(EndOfJournal(timeline=9, statement="", ended_key=format_vkey(OLD)))

    done = scene.app.test_cli_runner().invoke(args=["draw", "audit", "--head", str(kept)])

    assert done.exit_code == 1
    assert "does not match: the stored log has another root" in done.output


def test_the_lottery_goes_on_under_new_keys_and_either_pin_stands_for_all_of_it(
    scene: Scene, submit: Submit, cast: Cast, big_chance: Lottery, clock: Clock, tmp_path: Path
) -> None:
    bob = scene.visitor("bob")
    before = bob.get(f"/draws/{TODAY}/ballots/1/receipt.json").data
    old_keys = scene.keys()

    done = scene.replace()

    assert done.exit_code == 0, done.output
    statement = scene.statement
    assert statement == parse_recovery(open_note(scene.note, OLD))
    assert statement == parse_recovery(open_note(scene.note, scene.new_pin.key))
    assert not statement.is_loss
    assert (statement.signed, statement.first) == (2, TODAY)
    assert format_pin(scene.new_pin.key, statement.begins) in done.output
    assert all(scene.keys()[name] != old for name, old in old_keys.items())
    for name, old in old_keys.items():
        assert (scene.storage / f"{name}.ended-0").read_text() == old
        assert not (scene.storage / f"{name}.draft").exists()

    assert submit(cast.alice, big_chance, 4).first_number == 3
    clock.turn(ONE_DAY)
    scheduler.tick(scene.app)

    for pin in (scene.pin, scene.new_pin):
        for day in (FIRST_DAY, TODAY):
            checks = verify(
                bob.get(f"/draws/{day}/certificate.json").data,
                key=pin.key,
                genesis=pin.genesis,
                recoveries=[scene.note],
                offers=bob.get(f"/draws/{day}/offers.json").data,
            )
            assert holds(checks, ["offers"]), checks
    # a receipt of before, as it was kept, by the program: the list is that of the day
    paths = {name: tmp_path / f"given-{name}" for name in ("c", "r", "s")}
    paths["c"].write_bytes(bob.get(f"/draws/{TODAY}/certificate.json").data)
    paths["r"].write_bytes(before)
    paths["s"].write_text(scene.note)
    scene.type(f"draw export {tmp_path / 'public'}")
    code, said, _ = run(
        "verify", paths["c"], "--key", format_pin(OLD, scene.pin.genesis or b""),
        "--receipt", paths["r"], "--recovery", paths["s"],
        "--log", tmp_path / "public" / "log" / str(TODAY),
    )  # fmt: skip
    assert code == 0, said
    assert all(f"ok   {name}" in said for name in OF_RECEIPTS)
    audit = scene.type("draw audit")
    assert (audit.exit_code, "All days, ballots and logs match." in audit.output) == (0, True)


def test_pages_say_that_nothing_was_lost(scene: Scene) -> None:
    scene.replace()

    page = scene.visitor().get(f"/draws/{FIRST_DAY}")

    assert (
        "The lottery’s keys were replaced on 20 November 2026, 12:00:00 UTC . Nothing was lost."
        in text_of(page)
    )
    assert "/log/recovery/1&#34;]" in page.text
    # the leaked key is no one to compare with; the new one's program needs the statement
    pin = format_pin(scene.new_pin.key, scene.statement.begins)
    assert f"--key '{pin}' --recovery recovery-1" in html.unescape(page.text)
    assert format_pin(OLD, scene.pin.genesis or b"") not in html.unescape(page.text)
    assert "/log/recovery/1" not in scene.visitor().get(f"/winners/{FIRST_DAY}").text


def signed_now(scene: Scene) -> list[str]:
    """Return what the lottery signs of the day that is open."""
    bob = scene.visitor("bob")
    checkpoint = bob.get(f"/log/{TODAY}/checkpoint")
    receipt = bob.get(f"/draws/{TODAY}/ballots/1/receipt.json")
    assert (checkpoint.status_code, receipt.status_code) == (200, 200)
    assert receipt.json is not None
    return [checkpoint.text, receipt.json["checkpoint"]]


def test_a_process_that_has_read_the_old_keys_signs_with_the_new_ones_at_once(
    scene: Scene,
) -> None:
    for each in signed_now(scene):
        open_checkpoint(each, OLD)

    scene.replace()

    for each in signed_now(scene):
        open_checkpoint(each, scene.new_pin.key)


def test_whoever_read_the_old_keys_before_closes_no_day_with_them(
    scene: Scene, session: Session, clock: Clock
) -> None:
    scene.replace()
    clock.turn(ONE_DAY)

    with pytest.raises(UnfitKeys, match="stays open"):
        draws.run_due(session, utcnow(), 1, LOG_KEYS)

    scheduler.tick(scene.app)
    assert scene.visitor().get(f"/draws/{TODAY}/certificate.json").status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_another_host_signs_nothing_until_it_has_the_new_keys(
    scene: Scene, database_url: str, clock: Clock
) -> None:
    elsewhere = scene.storage / "elsewhere"
    elsewhere.mkdir()
    keep_keys(elsewhere)
    with running(settings_for(database_url, LOTTERY_STORAGE=str(elsewhere))) as app:
        other = replace(scene, app=app, storage=elsewhere)
        scheduler.tick(app)
        for each in signed_now(other):
            open_checkpoint(each, OLD)
        scene.replace()

        clock.turn(ONE_DAY)
        for _ in range(2):
            answers = [
                other.visitor("bob").get(f"/draws/{TODAY}/ballots/1/receipt.json"),
                other.visitor().get(f"/log/{TODAY}/checkpoint"),
            ]
            assert [each.status_code for each in answers] == [503, 503]
            scheduler.tick(app)
            assert other.visitor().get(f"/draws/{TODAY}/certificate.json").status_code == 503
        (reason,) = parts_of(app).pause.reasons
        assert reason.startswith(
            f"{elsewhere}/log_key is the key of a journal that has ended, and signs nothing more. "
            "Copy log_key and chain_tip, both, from the host"
        )

        for name in (LOG_KEY, CHAIN_TIP):
            shutil.copy(scene.storage / name, elsewhere)
        scheduler.tick(app)
        assert not parts_of(app).pause.reasons
        assert other.visitor().get(f"/draws/{TODAY}/certificate.json").status_code == 200
        for each in signed_now(other):
            open_checkpoint(each, scene.new_pin.key)


def test_a_secret_chain_that_is_lost_is_replaced(scene: Scene, clock: Clock) -> None:
    (scene.storage / CHAIN_TIP).unlink()
    assert scene.replace().exit_code == 0
    clock.turn(ONE_DAY)

    scheduler.tick(scene.app)

    certificate = scene.visitor().get(f"/draws/{TODAY}/certificate.json").data
    assert holds(verify(certificate, key=OLD, recoveries=[scene.note]))


def demand_unchanged(scene: Scene, old_keys: dict[str, str]) -> None:
    """Demand that nothing was done."""
    assert scene.keys() == old_keys
    assert not list(scene.storage.glob("*.draft"))
    assert scene.visitor().get("/log/recovery/1").status_code == 404


def test_nothing_is_done_unless_the_name_is_typed(scene: Scene) -> None:
    old_keys = scene.keys()

    done = scene.replace("another.name\n")

    assert done.exit_code == 1
    assert (
        "The journal ends with 2 records, and a signed statement that nothing of it is lost."
        in (done.output)
    )
    assert "That is not its name. Nothing was done." in done.output
    demand_unchanged(scene, old_keys)


def test_no_keys_are_replaced_where_anything_is_lost(
    scene: Scene, submit: Submit, cast: Cast, big_chance: Lottery, backup: Backup
) -> None:
    old_keys, restore = scene.keys(), backup()
    parts_of(scene.app).pause.set("disk", "The disk is full.")
    assert "The disk is full." in scene.replace().output
    parts_of(scene.app).pause.clear("disk")
    submit(cast.bob, big_chance)
    restore()

    done = scene.replace()

    assert done.exit_code == 1
    assert "2 ballots of 2026-11-20, and 3 were acknowledged" in done.output
    assert "draw recover" in done.output
    demand_unchanged(scene, old_keys)
    (scene.storage / "mark").unlink()
    assert "There is no high-water mark" in scene.replace().output
    demand_unchanged(scene, old_keys)


def test_a_journal_that_grew_after_it_was_shown_is_not_ended(
    scene: Scene, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def close_a_day(question: str) -> None:
        clock.turn(ONE_DAY)
        scheduler.tick(scene.app)

    old_keys = scene.keys()
    monkeypatch.setattr("lottery_system.cli._demand_name", close_a_day)

    done = scene.replace()

    assert done.exit_code == 1
    assert "The database has changed meanwhile: nothing was done." in done.output
    scheduler.tick(scene.app)
    demand_unchanged(scene, old_keys)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_lost_while_the_name_is_typed_is_not_passed_over(
    scene: Scene, submit: Submit, cast: Cast, big_chance: Lottery, backup: Backup,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    old_keys, restore = scene.keys(), backup()

    def lose_a_ballot(question: str) -> None:
        submit(cast.bob, big_chance)
        restore()

    monkeypatch.setattr("lottery_system.cli._demand_name", lose_a_ballot)

    assert "2 ballots of 2026-11-20, and 3 were acknowledged" in scene.replace().output
    demand_unchanged(scene, old_keys)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("place", "is_replaced"),
    [
        ("lottery_system.recovery.sign_recovery", False),
        ("lottery_system.keys._adopt", True),
        ("lottery_system.keys.flush_folder", True),  # one of the two files has its own name
        ("lottery_system.rollback.Rollback.begin_anew", True),
    ],
)
def test_a_crash_at_any_step_leaves_a_lottery_that_starts_again(
    scene: Scene, database_url: str, place: str, *, is_replaced: bool,
    clock: Clock, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def crash(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(place, crash)
        assert scene.replace().exit_code == 1
    if list(scene.storage.glob("*.draft")) and is_replaced:
        assert ".draft is beside it: whoever ended" in scene.type("draw audit").output

    with running(settings_for(database_url, LOTTERY_STORAGE=str(scene.storage))) as app:
        again = replace(scene, app=app)
        scheduler.tick(app)
        assert not parts_of(app).pause.reasons
        assert not list(scene.storage.glob("*.draft"))
        assert (again.visitor().get("/log/recovery/1").status_code == 200) == is_replaced
        key = again.new_pin.key if is_replaced else OLD
        for each in signed_now(again):
            open_checkpoint(each, key)
        clock.turn(ONE_DAY)
        scheduler.tick(app)
        assert again.visitor().get(f"/draws/{TODAY}/certificate.json").status_code == 200


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_start_meanwhile_takes_no_draft_away(
    scene: Scene, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their journal is not committed yet, so that it looks like an attempt that was given up."""
    settings = parts_of(scene.app).settings

    def start() -> None:
        with Session(engine) as session, session.begin():
            adopt_drafts(session, settings)

    def is_blocked() -> bool:
        with engine.connect() as connection:
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            return not starting.is_alive() or bool(connection.scalar(text(waiting)))

    def sign_once_another_starts(*given: Any) -> str:
        starting.start()
        wait_for(is_blocked, "the start waits for the lock, or is over")
        return sign_recovery(*given)

    starting = Thread(target=start)
    monkeypatch.setattr("lottery_system.recovery.sign_recovery", sign_once_another_starts)

    assert scene.replace().exit_code == 0

    starting.join()
    for each in signed_now(scene):
        open_checkpoint(each, scene.new_pin.key)


def test_drafts_of_an_attempt_that_was_given_up_become_no_keys(scene: Scene) -> None:
    known = format_signing_key(SigningKey("lottery.local", b"\x09" * 32))
    (scene.storage / f"{LOG_KEY}.draft").write_text(known)
    (scene.storage / f"{CHAIN_TIP}.draft").write_text("03" * 32)

    scene.replace()

    assert known.strip() not in scene.keys()[LOG_KEY]
    assert "03" * 32 not in scene.keys()[CHAIN_TIP]


def test_keys_are_replaced_again_and_again(scene: Scene, clock: Clock) -> None:
    for _ in range(2):
        scene.replace()
    clock.turn(ONE_DAY)
    scheduler.tick(scene.app)
    visitor = scene.visitor()
    notes = [visitor.get(f"/log/recovery/{number}").text for number in (1, 2)]
    last = parse_recovery(note_text(notes[1]))

    for key in (OLD, parse_vkey(last.key), parse_vkey(last.next)):
        for day in (FIRST_DAY, TODAY):
            certificate = visitor.get(f"/draws/{day}/certificate.json").data
            assert holds(verify(certificate, key=key, recoveries=notes))
    assert last.signed == 1
    assert "All days, ballots and logs match." in scene.type("draw audit").output
