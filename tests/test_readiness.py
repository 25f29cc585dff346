"""Readiness: 200 only if a ballot could be stored now; asking costs and changes nothing."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import psycopg
import pytest
import time_machine
from flask import Flask
from sqlalchemy import Engine, func, make_url, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from lottery_system import readiness
from lottery_system.ballot_box import BallotBox
from lottery_system.models import Draw, Lottery
from lottery_system.parts import parts_of
from lottery_system.pause import Pause
from lottery_system.readiness import BUSY, FAILED, NO_ANSWER, PERIOD, STUCK, Readiness
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Submit
from tests.stand_ins.log_keys import begin


class Box:
    """A ballot box whose database does as a test says."""

    def __init__(self) -> None:
        self.stored_at: float | None = None
        self.busy_since: float | None = None
        self.has_failed = False
        self.tried = 0
        self.fails = False
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def try_out(self) -> None:
        self.tried += 1
        self.may_go_on.wait()
        if self.fails:
            raise OperationalError("UPDATE", None, Exception("read-only transaction"))


class Case:
    """A readiness probe at a clock that tests turn."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.box = Box()
        self.pause = Pause()
        self.readiness = Readiness(self.box, self.pause, lambda: self.now)  # type: ignore[arg-type]


@pytest.fixture
def case() -> Case:
    return Case()


def test_what_was_found_is_kept_for_some_seconds_and_then_tried_again(case: Case) -> None:
    assert [case.readiness.look() for _ in range(5)] == 5 * [()]
    assert case.box.tried == 1

    case.box.fails = True
    case.now += PERIOD
    assert case.readiness.look() == (FAILED,)

    case.box.fails = False
    case.now += PERIOD
    assert case.readiness.look() == ()


def test_while_ballots_are_stored_nothing_is_tried(case: Case) -> None:
    case.box.stored_at = case.now - 1

    assert case.readiness.look() == ()
    assert case.box.tried == 0


@pytest.mark.parametrize("seconds", [0, PERIOD + 1, BUSY])
def test_a_batch_that_waits_for_a_lock_is_given_its_time_and_nothing_else_is_tried(
    case: Case, seconds: int
) -> None:
    """A probe would wait for the same lock, and say after three seconds that nobody answers."""
    case.box.busy_since = case.now - seconds

    assert case.readiness.look() == ()
    assert case.box.tried == 0


def test_a_batch_that_is_not_stored_for_long_is_told(case: Case) -> None:
    case.box.busy_since = case.now - BUSY - 1

    assert case.readiness.look() == (STUCK,)


def test_batches_that_fail_one_after_the_other_are_told_though_each_is_short(case: Case) -> None:
    case.box.has_failed = True
    case.box.busy_since = case.now - 1

    assert case.readiness.look() == (FAILED,)


def test_a_database_that_hangs_is_waited_for_once_and_asked_once(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "BOUND", 0.1)
    case.box.may_go_on.clear()
    began = monotonic()

    first = case.readiness.look()
    case.now += PERIOD
    others = [case.readiness.look() for _ in range(100)]

    assert [first, *others] == 101 * [(NO_ANSWER,)]
    assert case.box.tried == 1
    assert monotonic() - began < 5
    case.box.may_go_on.set()


def test_a_pause_is_told_with_its_reason_and_nothing_is_tried(case: Case) -> None:
    case.pause.set("fire", "The disk is on fire. Put it out.")

    assert case.readiness.look() == ("paused: The disk is on fire. Put it out.",)
    assert case.box.tried == 0


@pytest.fixture
def probe(app: Flask) -> Readiness:
    return parts_of(app).readiness


def test_a_database_that_only_reads_is_not_ready(
    app: Flask, probe: Readiness, engine: Engine, session: Session
) -> None:
    begin(session, FIRST_NOON)
    engine.dispose()
    with only_reading(engine):
        assert app.test_client().get("/readyz").status_code == 503


@contextmanager
def only_reading(engine: Engine) -> Iterator[None]:
    """Let a database take no writes, as a standby does, or a file of somebody else."""
    if engine.dialect.name == "sqlite":
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(
                engine.dialect.__dict__, "connect",
                lambda *_, **__: read_only(make_url(str(engine.url)).database or ""),
            )  # fmt: skip
            yield
        return
    with engine.connect() as connection, connection.begin():
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    engine.dispose()
    try:
        yield
    finally:
        address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, options="-c default_transaction_read_only=off") as raw:
            raw.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        engine.dispose()


def read_only(file: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{file}?mode=ro", uri=True, check_same_thread=False)


def test_trying_stores_nothing_and_leaves_the_day_to_others(
    box: BallotBox, session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    submit(cast.bob, big_chance, 3)

    box.try_out()

    with session.begin():
        assert session.get_one(Draw, FIRST_DAY).ballot_count == 3
    assert submit(cast.bob, big_chance).first_number == 4


def test_trying_opens_no_day(box: BallotBox, session: Session) -> None:
    with time_machine.travel(FIRST_NOON, tick=False):
        box.try_out()

    with session.begin():
        assert session.scalar(select(func.count()).select_from(Draw)) == 0
