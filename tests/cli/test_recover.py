"""`flask draw recover`: shows, states and publishes a loss, and the lottery goes on."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from lottery_system import scheduler
from lottery_system.clock import ONE_DAY
from lottery_system.errors import Paused
from lottery_system.fairness.checks import Verdict, holds
from lottery_system.fairness.note import format_vkey, open_note, parse_vkey
from lottery_system.fairness.recovery import LostBallots, parse_recovery
from lottery_system.fairness.verify import verify
from lottery_system.keys import CHAIN_TIP, LOG_KEY
from lottery_system.mark_files import MarkFiles
from lottery_system.models import Draw, Lottery
from lottery_system.parts import parts_of
from lottery_system.pause import Pause
from tests.cli.conftest import Type
from tests.conftest import FIRST_DAY, FIRST_NOON, Backup, Cast, Clock, Submit
from tests.stand_ins.log_keys import LOG_KEYS, begin
from tests.web.conftest import Visitor, text_of

LOST_DAY, TODAY = FIRST_DAY + ONE_DAY, FIRST_DAY + 2 * ONE_DAY
OLD_KEY = format_vkey(LOG_KEYS.key.verifier)


@dataclass
class Scene:
    """A lottery of three days whose database is that of the second day's noon."""

    app: Flask
    storage: Path
    first_certificate: str

    @property
    def pause(self) -> Pause:
        return parts_of(self.app).pause

    def visitor(self) -> Visitor:
        return Visitor(self.app.test_client())


@pytest.fixture
def scene(
    app: Flask, clock: Clock, session: Session, cast: Cast, big_chance: Lottery, submit: Submit,
    backup: Backup, tmp_path: Path,
) -> Scene:  # fmt: skip
    begin(session, FIRST_NOON)
    scheduler.tick(app)
    submit(cast.bob, big_chance, 10)
    clock.turn(ONE_DAY)
    scheduler.tick(app)
    certificate = Visitor(app.test_client()).get(f"/draws/{FIRST_DAY}/certificate.json").text
    submit(cast.bob, big_chance, 2)
    submit(cast.alice, big_chance, 1)
    restore = backup()
    submit(cast.charlie, big_chance, 4)
    clock.turn(ONE_DAY)
    scheduler.tick(app)
    submit(cast.charlie, big_chance, 8)
    restore()
    scheduler.tick(app)
    assert parts_of(app).pause.reasons
    return Scene(app, tmp_path, certificate)


def test_what_is_lost_is_shown_before_anything_is_done(
    scene: Scene, type_: Type, session: Session
) -> None:
    done = type_("draw recover", "another.name\n")

    assert done.exit_code == 1
    assert "Journal: 3 records were signed, 2 are left." in done.output
    assert f"{LOST_DAY}: its published result is lost; it is never drawn again." in done.output
    assert "Ballots that are left, and are in no draw: bob 2, alice 1." in done.output
    assert f"{TODAY}: ballots 1 to 8 were acknowledged and are lost (8)." in done.output
    assert "If there is a newer backup" in done.output
    assert "That is not its name. Nothing was done." in done.output
    with session.begin():
        assert session.scalar(text("SELECT count(*) FROM recoveries")) == 0
    assert not (scene.storage / "log_key.draft").exists()


def test_the_journal_ends_with_a_statement_signed_by_both_keys(scene: Scene, type_: Type) -> None:
    done = type_("draw recover", "lottery.local\n")

    assert done.exit_code == 0, done.output
    answer = scene.visitor().get("/log/recovery/1")
    note = answer.text
    assert note in done.output
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    statement = parse_recovery(open_note(note, LOG_KEYS.key.verifier))
    assert statement == parse_recovery(open_note(note, parse_vkey(statement.next)))
    assert (statement.signed, statement.kept, statement.first) == (3, 2, TODAY)
    assert statement.ballots == (LostBallots(TODAY, 8, 0),)
    assert statement.next != OLD_KEY
    assert scene.visitor().get("/log/recovery/2").status_code == 404
    ended = scene.visitor().get("/log/ended/0/checkpoint").text
    assert ended.startswith("lottery.local\n2\n")
    assert scene.visitor().get("/log/ended/0/tile/entries/000.p/2").status_code == 200
    assert scene.visitor().get("/log/ended/1/checkpoint").status_code == 404


def test_the_lottery_goes_on_and_contradicts_nothing(
    scene: Scene, type_: Type, submit: Submit, cast: Cast, big_chance: Lottery, clock: Clock,
    session: Session,
) -> None:  # fmt: skip
    with pytest.raises(Paused):
        submit(cast.bob, big_chance)
    type_("draw recover", "lottery.local\n")
    scheduler.tick(scene.app)
    assert not scene.pause.reasons

    assert submit(cast.bob, big_chance, 3).first_number == 1
    clock.turn(ONE_DAY)
    scheduler.tick(scene.app)

    with session.begin():
        statuses = [session.get_one(Draw, FIRST_DAY + n * ONE_DAY).status for n in range(4)]
    assert statuses == ["drawn", "lost", "drawn", "open"]
    visitor = scene.visitor()
    assert visitor.get(f"/draws/{FIRST_DAY}/certificate.json").text == scene.first_certificate
    assert visitor.get(f"/draws/{LOST_DAY}/certificate.json").status_code == 404
    certificate = visitor.get(f"/draws/{TODAY}/certificate.json").text
    statement = parse_recovery(visitor.get("/log/recovery/1").text.partition("\n\n")[0] + "\n")
    assert holds(verify(certificate.encode(), key=parse_vkey(statement.next)))
    assert not holds(verify(certificate.encode(), key=LOG_KEYS.key.verifier))
    assert visitor.get("/log/checkpoint").text.startswith("lottery.local\n2\n")


def test_pages_say_what_was_lost(scene: Scene, type_: Type) -> None:
    type_("draw recover", "lottery.local\n")
    scheduler.tick(scene.app)
    visitor = scene.visitor()

    for path in (f"/winners/{FIRST_DAY}", f"/draws/{FIRST_DAY}"):
        page = visitor.get(path)
        assert page.status_code == 200
        assert "This result was published before that and still counts." in text_of(page)
        assert 'href="/log/recovery/1"' in page.text
    for path in (f"/winners/{LOST_DAY}", f"/draws/{LOST_DAY}"):
        page = visitor.get(path)
        assert page.status_code == 200
        assert "This day will never be drawn again" in text_of(page)
        assert 'href="/log/recovery/1"' in page.text
    assert "We accepted 8 ballots for this day and later lost them" in text_of(
        visitor.get(f"/winners/{TODAY}")
    )
    visitor.log_in("bob")
    assert "Records lost" in text_of(visitor.get("/ballots"))
    assert "We lost the records of this day" in text_of(visitor.get(f"/ballots/{LOST_DAY}"))


def test_the_draw_pages_verifier_is_given_the_statements(
    scene: Scene, type_: Type, clock: Clock
) -> None:
    type_("draw recover", "lottery.local\n")
    for _ in range(2):
        scheduler.tick(scene.app)
        clock.turn(ONE_DAY)
    scheduler.tick(scene.app)
    visitor = scene.visitor()

    # the last of them lost nothing; receipts of it may be of the journal before all the same
    for day in (FIRST_DAY, TODAY, TODAY + ONE_DAY):
        assert "/log/recovery/1&#34;]" in visitor.get(f"/draws/{day}").text
        note = visitor.get("/log/recovery/1").text
        certificate = visitor.get(f"/draws/{day}/certificate.json").text.encode()
        assert holds(verify(certificate, key=LOG_KEYS.key.verifier, recoveries=[note]))
        offers = visitor.get(f"/draws/{day}/offers.json").data
        checks = verify(certificate, key=LOG_KEYS.key.verifier, recoveries=[note], offers=offers)
        assert {each.name: each.verdict for each in checks}["offers"] is Verdict.OK
    lost = visitor.get(f"/draws/{LOST_DAY}/offers.json")
    assert lost.status_code == 404
    assert "There’s no signed list of prizes for" in text_of(lost)


def test_whoever_asks_for_the_receipt_of_a_lost_ballot_is_told_the_truth(
    scene: Scene, type_: Type
) -> None:
    type_("draw recover", "lottery.local\n")
    scheduler.tick(scene.app)
    visitor = scene.visitor()
    visitor.log_in("charlie")

    for address in (f"{LOST_DAY}/ballots/4", f"{TODAY}/ballots/8"):
        told = visitor.get(f"/draws/{address}/receipt.json")
        assert told.status_code == 404
        assert (
            "we accepted it and later lost it with our database. Our signed statement is at "
            "/log/recovery/1" in text_of(told)
        )
    assert "accepted it and later lost it" not in text_of(
        visitor.get(f"/draws/{FIRST_DAY}/ballots/99/receipt.json")
    )


def test_keys_are_new_and_those_of_the_ended_journal_are_kept_beside(
    scene: Scene, type_: Type
) -> None:
    old = {name: (scene.storage / name).read_text() for name in (LOG_KEY, CHAIN_TIP)}

    type_("draw recover", "lottery.local\n")

    for name, text_before in old.items():
        assert (scene.storage / name).read_text() != text_before
        assert (scene.storage / f"{name}.ended-0").read_text() == text_before
        assert not (scene.storage / f"{name}.draft").exists()


def test_a_crash_after_the_commit_is_made_up_by_the_next_start(
    scene: Scene, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lottery_system.keys._adopt", crash)
        type_("draw recover", "lottery.local\n")
    assert (scene.storage / "log_key.draft").exists()

    scheduler.tick(scene.app)

    assert not scene.pause.reasons
    assert not (scene.storage / "log_key.draft").exists()
    assert scene.visitor().get(f"/log/{TODAY}/checkpoint").status_code == 200


def test_the_mark_of_another_host_follows_only_if_the_statement_admits_what_it_knows(
    scene: Scene, type_: Type
) -> None:
    shutil.copy(scene.storage / "mark", scene.storage / "mark-of-another-host")
    type_("draw recover", "lottery.local\n")
    another = MarkFiles([scene.storage / "mark-of-another-host"])

    def know_more(size: int) -> None:
        mark = another.read()
        assert mark is not None
        head = mark.days[TODAY]._replace(size=size)
        another.raise_to(lambda before: mark._replace(days={TODAY: head}))
        shutil.copy(scene.storage / "mark-of-another-host", scene.storage / "mark")

    know_more(9)
    scheduler.tick(scene.app)
    assert "it has 0 ballots of 2026-11-21, and 9 were acknowledged" in scene.pause.reasons[0]

    know_more(8)
    scheduler.tick(scene.app)
    assert not scene.pause.reasons


def test_nothing_is_recovered_where_nothing_is_lost(
    app: Flask, type_: Type, session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    begin(session, FIRST_NOON)
    assert "There is no high-water mark" in type_("draw recover").output
    scheduler.tick(app)
    submit(cast.bob, big_chance, 3)

    done = type_("draw recover")

    assert (done.exit_code, done.output) == (
        0, "The database has all that was published. Nothing needs to be recovered.\n",
    )  # fmt: skip


def test_a_damaged_mark_is_begun_anew_only_by_whoever_types_the_name(
    app: Flask, type_: Type, session: Session, cast: Cast, big_chance: Lottery, submit: Submit,
    tmp_path: Path,
) -> None:  # fmt: skip
    begin(session, FIRST_NOON)
    scheduler.tick(app)
    submit(cast.bob, big_chance, 3)
    (tmp_path / "mark").write_bytes(b"spoilt")

    assert type_("draw recover", "no\n").exit_code == 1
    assert (tmp_path / "mark").read_bytes() == b"spoilt"
    assert type_("draw recover", "lottery.local\n").exit_code == 0

    mark = MarkFiles([tmp_path / "mark"]).read()
    assert mark is not None
    assert mark.days[FIRST_DAY].size == 3
