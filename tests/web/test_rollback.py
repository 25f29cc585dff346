"""Rollback detection: a database that lacks published data is detected and not used.

The tests restore as operators do: a copy of the file, or a dump, replaces the database while the
lottery runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from lottery_system import draws, scheduler
from lottery_system.clock import ONE_DAY
from lottery_system.errors import Paused
from lottery_system.mark_files import MarkFiles
from lottery_system.models import Draw, JournalRecord, Lottery, Winner
from lottery_system.parts import parts_of
from lottery_system.pause import Pause
from lottery_system.rollback import CAUSE
from tests.conftest import FIRST_DAY, FIRST_NOON, Backup, Cast, Clock, Submit
from tests.stand_ins.log_keys import LOG_KEYS, begin
from tests.web.conftest import Visitor, csrf_token, text_of


@pytest.fixture
def lottery(app: Flask, clock: Clock, session: Session, cast: Cast, big_chance: Lottery) -> Lottery:
    """Begin a lottery that has a mark."""
    begin(session, FIRST_NOON)
    scheduler.tick(app)
    return big_chance


@contextmanager
def paused(pause: Pause, sentence: str) -> Iterator[None]:
    yield
    assert [sentence in reason for reason in pause.reasons] == [True], pause.reasons


@pytest.fixture
def pause(app: Flask) -> Pause:
    return parts_of(app).pause


def state(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [
            tuple(row)
            for query in (
                "SELECT day, status, ballot_count FROM draws ORDER BY day",
                "SELECT number, record FROM journal ORDER BY number",
                "SELECT day, place, number FROM winners ORDER BY day",
            )
            for row in connection.execute(text(query))
        ]


def test_a_backup_without_a_published_draw_takes_no_ballot_and_draws_nothing(
    app: Flask, lottery: Lottery, submit: Submit, cast: Cast, clock: Clock, session: Session,
    engine: Engine, backup: Backup, pause: Pause, alice: Visitor, stranger: Visitor,
) -> None:  # fmt: skip
    submit(cast.bob, lottery, 10)
    restore = backup()
    submit(cast.charlie, lottery, 20)
    clock.turn(ONE_DAY)
    scheduler.tick(app)
    with session.begin():
        assert session.get_one(Winner, (FIRST_DAY, 1)).number <= 30
    restore()
    before = state(engine)

    with paused(pause, "1 records, and 2 were signed, up to the closing of 2026-11-19"):
        with pytest.raises(Paused):
            submit(cast.bob, lottery, 1)
        scheduler.tick(app)

    assert state(engine) == before
    assert stranger.get("/readyz").status_code == 503
    assert "Restore the newest backup" in stranger.get("/readyz").text
    assert "draw recover" in text_of(alice.get("/organiser"))
    assert stranger.get("/winners/2026-11-19").status_code == 200


def test_the_newest_backup_lets_the_lottery_go_on_by_itself(
    app: Flask, lottery: Lottery, submit: Submit, cast: Cast, clock: Clock, backup: Backup,
    pause: Pause,
) -> None:  # fmt: skip
    older = backup()
    submit(cast.bob, lottery, 10)
    newest = backup()
    older()
    with pytest.raises(Paused):
        submit(cast.bob, lottery, 1)
    assert pause.reasons

    newest()
    scheduler.tick(app)

    assert not pause.reasons
    assert submit(cast.bob, lottery, 1).first_number == 11


def test_a_backup_without_todays_last_ballot_takes_none(
    lottery: Lottery, submit: Submit, cast: Cast, backup: Backup, pause: Pause, engine: Engine
) -> None:
    submit(cast.bob, lottery, 10)
    restore = backup()
    submit(cast.bob, lottery, 1)
    restore()
    before = state(engine)

    with (
        paused(pause, "it has 10 ballots of 2026-11-19, and 11 were acknowledged"),
        pytest.raises(Paused),
    ):
        submit(cast.bob, lottery, 1)

    assert state(engine) == before


def test_a_database_with_other_ballots_in_the_place_of_those_acknowledged_takes_none(
    app: Flask, lottery: Lottery, submit: Submit, cast: Cast, backup: Backup, pause: Pause,
    tmp_path: Path,
) -> None:  # fmt: skip
    """As after two primaries: as many ballots, or more, and not the same ones."""
    restore = backup()
    submit(cast.bob, lottery, 10)
    mark = (tmp_path / "mark").read_bytes()
    for count in (10, 12):
        restore()
        (tmp_path / "mark").unlink()
        scheduler.tick(app)  # which makes a mark of this database
        submit(cast.charlie, lottery, count)
        (tmp_path / "mark").write_bytes(mark)

        with (
            paused(pause, "the first 10 ballots of 2026-11-19 are not those"),
            pytest.raises(Paused),
        ):
            submit(cast.bob, lottery, 1)
        scheduler.tick(app)
        assert pause.reasons
        pause.clear("mark")


def test_a_process_that_came_second_knows_what_the_first_one_acknowledged(
    app: Flask, lottery: Lottery, submit: Submit, cast: Cast, tmp_path: Path
) -> None:
    """The mark may stand below the database: whoever grew it is about to raise the mark."""
    submit(cast.bob, lottery, 10)
    behind = (tmp_path / "mark").read_bytes()
    submit(cast.bob, lottery, 5)
    (tmp_path / "mark").write_bytes(behind)

    assert submit(cast.bob, lottery, 1).first_number == 16

    found = MarkFiles([tmp_path / "mark"]).read()
    assert found is not None
    assert found.days[FIRST_DAY].size == 16


def test_nothing_is_signed_over_a_database_that_has_forgotten(
    lottery: Lottery, submit: Submit, cast: Cast, backup: Backup, stranger: Visitor, bob: Visitor
) -> None:
    restore = backup()
    submit(cast.bob, lottery, 10)
    assert stranger.get("/log/2026-11-19/checkpoint").status_code == 200
    restore()

    assert stranger.get("/log/2026-11-19/checkpoint").status_code == 503
    assert bob.get("/draws/2026-11-19/ballots/1/receipt.json").status_code == 503


def test_a_journal_that_is_another_one_is_not_shown_and_never_taken_over(
    app: Flask, lottery: Lottery, clock: Clock, backup: Backup, stranger: Visitor, tmp_path: Path,
    submit: Submit, cast: Cast,
) -> None:  # fmt: skip
    """As after two primaries: the other one has closed as many days, or more, over other lists."""
    restore = backup()
    clock.turn(ONE_DAY)
    scheduler.tick(app)
    mark = (tmp_path / "mark").read_bytes()
    restore()
    (tmp_path / "mark").unlink()
    clock.set(FIRST_NOON)
    scheduler.tick(app)
    submit(cast.bob, lottery)
    for _ in range(2):
        clock.turn(ONE_DAY)
        scheduler.tick(app)
        (tmp_path / "other").write_bytes((tmp_path / "mark").read_bytes())
        (tmp_path / "mark").write_bytes(mark)

        assert stranger.get("/log/checkpoint").status_code == 503
        assert (tmp_path / "mark").read_bytes() == mark
        (tmp_path / "mark").write_bytes((tmp_path / "other").read_bytes())
        scheduler.tick(app)


def test_what_was_signed_for_a_stranger_is_remembered_too(
    app: Flask, lottery: Lottery, submit: Submit, cast: Cast, stranger: Visitor, tmp_path: Path
) -> None:
    behind = (tmp_path / "mark").read_bytes()
    submit(cast.bob, lottery, 10)
    (tmp_path / "mark").write_bytes(behind)

    assert stranger.get("/log/2026-11-19/checkpoint").status_code == 200

    found = MarkFiles([tmp_path / "mark"]).read()
    assert found is not None
    assert found.days[FIRST_DAY].size == 10


def test_offers_are_remembered_before_their_note_is_shown(
    app: Flask, lottery: Lottery, clock: Clock, session: Session, backup: Backup,
    stranger: Visitor, pause: Pause,
) -> None:  # fmt: skip
    """Whoever lost the close would sign other ones for the same day."""
    clock.turn(ONE_DAY)
    restore = backup()
    with session.begin():
        assert Draw.close(session, FIRST_DAY, FIRST_NOON + ONE_DAY, 1, LOG_KEYS)
    assert stranger.get(f"/draws/{FIRST_DAY}/offers.json").status_code == 200

    restore()

    with paused(pause, "1 records, and 2 were signed, up to the closing of 2026-11-19"):
        scheduler.tick(app)
    assert stranger.get(f"/draws/{FIRST_DAY}/offers.json").status_code == 503


def test_a_day_is_not_closed_over_a_list_that_lacks_acknowledged_ballots(
    app: Flask, lottery: Lottery, submit: Submit, cast: Cast, clock: Clock, backup: Backup,
    session: Session, pause: Pause,
) -> None:  # fmt: skip
    restore = backup()
    submit(cast.bob, lottery, 10)
    restore()
    clock.turn(ONE_DAY)

    scheduler.tick(app)

    with session.begin():
        assert session.get_one(Draw, FIRST_DAY).status == "open"
    assert "10 were acknowledged" in pause.reasons[0]


def test_closing_looks_by_itself_whoever_calls_it(
    app: Flask, lottery: Lottery, submit: Submit, cast: Cast, backup: Backup, session: Session
) -> None:
    """A standby may take over between the look of a tick and the closing transaction."""
    restore = backup()
    submit(cast.bob, lottery, 10)
    restore()

    with pytest.raises(Paused):
        draws.run_due(session, FIRST_NOON + ONE_DAY, 1, LOG_KEYS, rollback=parts_of(app).rollback)

    with session.begin():
        assert session.get_one(Draw, FIRST_DAY).status == "open"


def test_yesterdays_ballots_are_missed_also_by_todays_first_one(
    app: Flask, lottery: Lottery, submit: Submit, cast: Cast, clock: Clock, backup: Backup
) -> None:
    submit(cast.bob, lottery, 3)
    restore = backup()
    submit(cast.bob, lottery, 10)
    restore()
    clock.turn(ONE_DAY)

    with pytest.raises(Paused) as refused:
        submit(cast.bob, lottery, 1)

    assert "3 ballots of 2026-11-19, and 13 were acknowledged" in refused.value.reason


def test_a_mark_that_cannot_be_read_or_is_of_another_lottery_pauses(
    app: Flask, lottery: Lottery, submit: Submit, cast: Cast, tmp_path: Path, pause: Pause
) -> None:
    submit(cast.bob, lottery)
    whole = (tmp_path / "mark").read_bytes()

    with paused(pause, "holds no high-water mark that can be read"):
        (tmp_path / "mark").write_bytes(b"spoilt")
        with pytest.raises(Paused):
            submit(cast.bob, lottery)
    scheduler.tick(app)
    assert pause.reasons

    (tmp_path / "mark").write_bytes(whole)
    scheduler.tick(app)
    assert not pause.reasons

    other = MarkFiles([tmp_path / "other"])
    mark = MarkFiles([tmp_path / "mark"]).read()
    assert mark is not None
    other.raise_to(lambda before: mark._replace(genesis=bytes(32)))
    (tmp_path / "other").replace(tmp_path / "mark")
    scheduler.tick(app)
    assert "are of different lotteries" in pause.reasons[0]


def test_a_mark_that_cannot_be_written_acknowledges_nothing(
    app: Flask, lottery: Lottery, submit: Submit, cast: Cast, pause: Pause,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def no_room(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, paused(pause, "cannot be read or written (No space left"):
        patch.setattr("os.pwrite", no_room)
        with pytest.raises(Paused):
            submit(cast.bob, lottery)

    scheduler.tick(app)
    assert not pause.reasons
    assert submit(cast.bob, lottery).first_number == 2  # the first was stored, and not answered


def test_an_answer_that_is_given_again_is_remembered_as_well(
    app: Flask, lottery: Lottery, submit: Submit, cast: Cast, clock: Clock, tmp_path: Path
) -> None:
    """Its first answer may never have been given: then the mark knows nothing of it."""
    behind = (tmp_path / "mark").read_bytes()
    first = submit(cast.bob, lottery, 5)
    (tmp_path / "mark").write_bytes(behind)
    clock.turn(timedelta(hours=12))

    assert submit(cast.bob, lottery, 5, first.token).first_number == 1

    found = MarkFiles([tmp_path / "mark"]).read()
    assert found is not None
    assert found.days[FIRST_DAY].size == 5


def test_the_mark_follows_the_journal_and_forgets_days_that_it_covers(
    app: Flask, lottery: Lottery, submit: Submit, cast: Cast, clock: Clock, session: Session,
    tmp_path: Path,
) -> None:  # fmt: skip
    submit(cast.bob, lottery, 5)
    clock.turn(ONE_DAY)
    submit(cast.bob, lottery, 7)
    scheduler.tick(app)

    mark = MarkFiles([tmp_path / "mark"]).read()
    with session.begin():
        last = JournalRecord.last(session)
    assert mark is not None
    assert last is not None
    assert mark.journal.size == last.number + 1 == 2
    assert {day: head.size for day, head in mark.days.items()} == {FIRST_DAY + ONE_DAY: 7}


def test_a_backup_without_a_published_draw_takes_no_claim_and_gives_no_prize_away(
    app: Flask, lottery: Lottery, submit: Submit, cast: Cast, clock: Clock, engine: Engine,
    backup: Backup, pause: Pause, alice: Visitor, bob: Visitor,
) -> None:  # fmt: skip
    submit(cast.bob, lottery)
    clock.turn(ONE_DAY)
    scheduler.tick(app)
    submit(cast.charlie, lottery)
    tokens = csrf_token(bob.get("/account")), csrf_token(alice.get("/account"))
    restore = backup()
    clock.turn(ONE_DAY)
    scheduler.tick(app)
    restore()

    claim = bob.client.post(f"/prizes/{FIRST_DAY}/1", data={"csrf_token": tokens[0]})
    pause.clear(CAUSE)  # as in another worker, which has not looked yet
    lapse = alice.client.post(
        f"/organiser/prizes/{FIRST_DAY}/1/lapse",
        data={"csrf_token": tokens[1], "reason": "Gone", "is_sure": "y"},
    )

    assert (claim.status_code, lapse.status_code) == (503, 503)
    assert pause.reasons
    with engine.connect() as connection:
        kinds = connection.execute(text("SELECT kind FROM claim_events")).scalars().all()
    assert kinds == ["offered"]
