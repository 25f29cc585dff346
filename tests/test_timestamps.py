"""Timestamps: each closing is stamped and completed, and a calendar's faults harm nothing."""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from threading import Thread
from time import monotonic

import pytest
from flask import Flask
from opentimestamps.core.notary import (
    BitcoinBlockHeaderAttestation,
    PendingAttestation,
    TimeAttestation,
)
from opentimestamps.core.serialize import BytesDeserializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from lottery_system import scheduler, timestamp_client, timestamps
from lottery_system.clock import ONE_DAY
from lottery_system.extensions import db
from lottery_system.fairness.note import open_checkpoint
from lottery_system.models import Lottery, Timestamp
from lottery_system.parts import parts_of
from tests.conftest import FIRST_DAY, FIRST_NOON, Backup, Cast, Clock, Submit
from tests.stand_ins.calendar import Calendar, attested, root_for
from tests.stand_ins.log_keys import LOG_KEYS, begin
from tests.stand_ins.witness import Reply
from tests.web.conftest import Visitor, text_of

#: seconds that a calendar which drips is waited for; others answer within them
SHORT = 2.0
PAGE = f"/draws/{FIRST_DAY}"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def one() -> Iterator[Calendar]:
    with Calendar("one") as calendar:
        yield calendar


@pytest.fixture
def two() -> Iterator[Calendar]:
    with Calendar("two") as calendar:
        yield calendar


@pytest.fixture
def given_settings(one: Calendar, two: Calendar) -> dict[str, str]:
    with_password = two.url.replace("//", "//bob:hunter2@")
    return {"LOTTERY_TIMESTAMP_URLS": f"{one.url} {with_password}"}


@pytest.fixture
def closed(
    app: Flask, clock: Clock, session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> Flask:
    """Return an application whose first day is drawn."""
    begin(session, FIRST_NOON)
    submit(cast.bob, big_chance, 3)
    clock.turn(ONE_DAY)
    scheduler.tick(app)
    return app


def served(app: Flask, name: str) -> bytes:
    answer = Visitor(app.test_client()).get(f"{PAGE}/{name}")
    assert answer.status_code == 200
    return bytes(answer.data)


def found(app: Flask) -> set[tuple[bytes, TimeAttestation]]:
    """Return what the reference library reads in the file that is served."""
    file = BytesDeserializationContext(served(app, "checkpoint.ots"))
    read = DetachedTimestampFile.deserialize(file)
    assert read.file_digest == sha256(served(app, "checkpoint")).digest()
    return set(read.timestamp.all_attestations())


def attestations(app: Flask) -> set[TimeAttestation]:
    return {attestation for _, attestation in found(app)}


def stored(session: Session) -> int:
    with session.begin():
        return session.scalar(text("SELECT count(*) FROM timestamps")) or 0


def test_a_closing_is_stamped_and_hours_later_completed_by_what_others_can_read(
    closed: Flask, clock: Clock, one: Calendar, two: Calendar, session: Session
) -> None:
    scheduler.stamp(closed)

    checkpoint = served(closed, "checkpoint")
    assert open_checkpoint(checkpoint.decode(), LOG_KEYS.key.verifier).size == 2
    assert attestations(closed) == {PendingAttestation(one.url), PendingAttestation(two.url)}
    assert one.received == two.received == [("/digest", sha256(checkpoint).digest())]

    one.block = 900_001
    scheduler.stamp(closed)  # too early to ask again
    assert one.asked == ["digest"]
    clock.turn(timedelta(hours=1))
    scheduler.stamp(closed)

    block = BitcoinBlockHeaderAttestation(900_001)
    assert found(closed) >= {(root_for("one", checkpoint), block)}
    assert attestations(closed) == {block, PendingAttestation(two.url)}
    clock.turn(timedelta(hours=1))
    scheduler.stamp(closed)
    assert one.asked == ["digest", "timestamp"]  # which has nothing more to say
    assert two.asked == ["digest", "timestamp", "timestamp"]
    assert stored(session) == 3


@on_sqlite
def test_a_complete_proof_stays_whatever_a_calendar_says_later(
    closed: Flask, clock: Clock, one: Calendar, two: Calendar, session: Session
) -> None:
    """Also in a process that has read the promise alone."""
    one.block = two.block = 900_001
    scheduler.stamp(closed)
    clock.turn(timedelta(hours=1))
    scheduler.stamp(closed)
    before = served(closed, "checkpoint.ots")

    with session.begin():
        session.execute(text("DROP TRIGGER timestamps_kept_on_delete"))
        session.execute(text("DELETE FROM timestamps WHERE NOT is_complete"))
    scheduler.stamp(closed)
    one.block = 1
    clock.turn(timedelta(hours=1))
    scheduler.stamp(closed)

    assert served(closed, "checkpoint.ots") == before


@on_sqlite
def test_the_draw_page_offers_the_files_only_where_there_are_any(
    closed: Flask, one: Calendar
) -> None:
    visitor = Visitor(closed.test_client())
    assert "checkpoint.ots" not in visitor.get(PAGE).text
    missing = visitor.get(f"{PAGE}/checkpoint.ots")
    assert missing.status_code == 404
    assert "There’s no timestamp for" in text_of(missing)
    assert visitor.get(f"/draws/{FIRST_DAY + ONE_DAY}/checkpoint").status_code == 404

    scheduler.stamp(closed)

    page = visitor.get(PAGE).text
    for name in ("checkpoint", "checkpoint.ots"):
        assert f'href="{PAGE}/{name}" download="' in page
    assert f'download="checkpoint-{FIRST_DAY}.ots"' in page


@on_sqlite
def test_an_export_has_the_files_and_takes_up_what_completes_them(
    closed: Flask, clock: Clock, one: Calendar, tmp_path: Path
) -> None:
    folder = tmp_path / "public"

    def exported() -> str:
        done = closed.test_cli_runner().invoke(args=["draw", "export", str(folder)])
        assert done.exit_code == 0, done.output
        for name in ("checkpoint", "checkpoint.ots"):
            assert (folder / PAGE[1:] / name).read_bytes() == served(closed, name)
        return done.output

    scheduler.stamp(closed)
    exported()
    one.block = 900_001
    clock.turn(timedelta(hours=1))
    scheduler.stamp(closed)

    assert "files written: 2." in exported()  # the journal's checkpoint is always written
    assert "files written: 1." in exported()


@on_sqlite
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Reply(503), "it answered 503"),
        (Reply(302, headers=(("Location", "http://127.0.0.1:1/"),)), "it answered 302"),
        (Reply(200, b"<html>Welcome</html>"), "its answer is no proof: "),
        (Reply(200), "its answer is no proof: it ends too early"),
        (Reply(200, b"\x08" * 20_000), "its answer is no proof: it has more than 10000 bytes"),
        (Reply(200, bytes(10_000_000)), "it sent more than 64 KiB"),
    ],
)
def test_a_calendar_that_answers_garbage_leaves_the_others_proofs(
    closed: Flask,
    one: Calendar,
    two: Calendar,
    answer: Reply,
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    two.answer = lambda *_: answer

    with caplog.at_level(logging.INFO):
        scheduler.stamp(closed)

    assert attestations(closed) == {PendingAttestation(one.url)}
    assert f"timestamp: {two.url}: {why}" in caplog.text
    assert "hunter2" not in caplog.text


@on_sqlite
def test_a_calendar_that_drips_or_is_down_is_asked_less_often_and_told_of_once(
    closed: Flask,
    clock: Clock,
    one: Calendar,
    two: Calendar,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timestamp_client, "PATIENCE", SHORT)
    two.drips = True
    begun = monotonic()
    with caplog.at_level(logging.INFO):
        scheduler.stamp(closed)
        assert monotonic() - begun < 2 * SHORT  # it would take four times as long
        assert attestations(closed) == {PendingAttestation(one.url)}
        two.stop()
        for _ in range(60):
            clock.turn(timedelta(minutes=1))
            scheduler.stamp(closed)
        assert [caplog.text.count(why) for why in ("after 2 seconds", "cannot be reached")] == [
            1,
            1,
        ]

        two.drips = False
        two.start()
        clock.turn(timedelta(hours=1))
        scheduler.stamp(closed)

    assert attestations(closed) == {PendingAttestation(one.url), PendingAttestation(two.url)}
    assert two.asked == ["digest", "digest"]
    assert caplog.text.count("it answers again") == 1


@on_sqlite
def test_a_failing_calendar_is_asked_again_after_twice_as_long_each_time(
    closed: Flask, clock: Clock, one: Calendar
) -> None:
    one.answer = lambda *_: Reply(500)
    asked_at = []
    for minute in range(200):
        before = len(one.received)
        scheduler.stamp(closed)
        if len(one.received) > before:
            asked_at.append(minute)
        clock.turn(timedelta(minutes=1))

    assert asked_at == [0, 1, 3, 7, 15, 31, 63, 123, 183]


@on_sqlite
def test_what_cannot_be_stored_is_not_asked_for_again_and_again(
    closed: Flask, clock: Clock, one: Calendar, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: draws go on, and calendars are others' servers, for nothing."""

    def fail(*_: object) -> None:
        raise OperationalError("INSERT", None, Exception("disk full"))

    with monkeypatch.context() as patch:
        patch.setattr(Timestamp, "keep", fail)
        for _ in range(6):  # asked at the start, and after one minute, and two more
            scheduler.stamp(closed)
            clock.turn(timedelta(minutes=1))
    assert len(one.asked) == 3

    clock.turn(timedelta(hours=1))
    scheduler.stamp(closed)
    assert stored(session) == 2


@on_sqlite
def test_a_completion_that_lies_hides_no_others_and_leaves_the_promise(
    closed: Flask, clock: Clock, one: Calendar, two: Calendar
) -> None:
    scheduler.stamp(closed)
    two.block = 900_001
    lies: list[Callable[[str, bytes], Reply]] = [
        lambda *_: Reply(200, b"garbage"),
        lambda *_: Reply(200, attested(bytes(32), PendingAttestation("https://evil.example"))),
    ]
    for lie in lies:
        one.answer = lie
        clock.turn(timedelta(hours=1))
        scheduler.stamp(closed)

    block = BitcoinBlockHeaderAttestation(900_001)
    assert attestations(closed) == {PendingAttestation(one.url), block}
    assert set(one.asked) == {"digest", "timestamp"}  # and not at the address that it named


@on_sqlite
def test_a_calendar_is_asked_of_a_few_days_at_once_and_then_of_the_others(
    app: Flask, clock: Clock, session: Session, one: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timestamps, "AT_ONCE", 2)
    begin(session, FIRST_NOON)
    clock.turn(3 * ONE_DAY)
    scheduler.tick(app)
    counts = []
    for _ in range(3):
        scheduler.stamp(app)
        counts.append(len(one.received))

    assert counts == [2, 3, 3]


@on_sqlite
def test_nothing_is_stamped_while_draws_are_paused(closed: Flask, one: Calendar) -> None:
    parts_of(closed).pause.set("witness", "A witness has seen another journal.")

    scheduler.stamp(closed)

    assert one.received == []


@on_sqlite
def test_nothing_is_stamped_in_a_database_that_was_rolled_back(
    closed: Flask, clock: Clock, one: Calendar, backup: Backup
) -> None:
    restore = backup()
    clock.turn(ONE_DAY)
    scheduler.tick(closed)
    restore()

    scheduler.stamp(closed)

    assert one.received == []
    assert parts_of(closed).pause.reasons


@on_sqlite
def test_no_connection_is_held_while_calendars_are_asked(
    closed: Flask, clock: Clock, one: Calendar
) -> None:
    held: list[int] = []
    with closed.app_context():
        pools = [engine.pool for engine in db.engines.values()]

    def answer(path: str, body: bytes) -> Reply:
        held.extend(pool.checkedout() for pool in pools if isinstance(pool, QueuePool))
        return one.promise(path, body) if body else one.complete(path, body)

    one.answer = answer
    scheduler.stamp(closed)
    clock.turn(timedelta(hours=1))
    scheduler.stamp(closed)

    assert one.asked == ["digest", "timestamp"]
    assert held == [0, 0] * 2


def test_workers_that_ask_at_once_store_one_proof(
    closed: Flask, one: Calendar, two: Calendar, session: Session
) -> None:
    workers = [timestamps.Timestamps([one.url, two.url]) for _ in range(3)]

    def work(worker: timestamps.Timestamps) -> None:
        with closed.app_context():
            worker.look(FIRST_NOON + ONE_DAY)

    threads = [Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert stored(session) == 2
    assert len(one.received) >= 1
