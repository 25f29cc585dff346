"""Free disk space: with too little, no ballots are taken, but draws are made."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system import free_space, scheduler
from lottery_system.clock import ONE_DAY
from lottery_system.models import DRAWN, Draw, Lottery
from lottery_system.parts import parts_of
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, settings_for
from tests.stand_ins.log_keys import begin
from tests.stand_ins.small_disk import NoDisk, SmallDisk, small_disk
from tests.web.conftest import Visitor, submission_token, text_of

MEGABYTES = 32


@pytest.fixture
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    try:
        with small_disk(tmp_path_factory.mktemp("disk"), MEGABYTES) as disk:
            yield disk
    except NoDisk as error:
        pytest.skip(str(error))


@pytest.fixture
def tmp_path(disk: SmallDisk) -> Path:
    """Return the small disk, on which the keys are, and the file of SQLite."""
    return disk.folder


@pytest.fixture
def given_settings() -> dict[str, str]:
    return {"LOTTERY_FREE_SPACE": "8"}


@pytest.fixture(autouse=True)
def _looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_space, "PERIOD", 0)


def test_ballots_wait_for_room_and_everybody_is_told(
    bob: Visitor, alice: Visitor, big_chance: Lottery, disk: SmallDisk,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO, "lottery_system.pause")
    assert bob.submit(big_chance.id).status_code == 303
    disk.fill()

    refused = bob.submit(big_chance.id, count="7")

    reason = f"Less than 8 MB are free on the disk of {disk.folder}."
    assert refused.status_code == 503
    assert "The lottery is paused. You can’t add ballots right now" in text_of(refused)
    assert str(disk.folder) not in refused.text
    assert bob.submit(big_chance.id).status_code == 503
    ready = bob.get("/readyz")
    assert ready.status_code == 503
    assert ready.text.startswith(f"paused: {reason} Make room there;")
    assert f"The lottery is paused {reason}" in text_of(alice.get("/organiser"))
    assert len(caplog.records) == 1
    disk.free()
    token = submission_token(refused)
    assert bob.submit(big_chance.id, count="7", submission=token).status_code == 303
    assert bob.get("/readyz").text != ready.text
    assert "you have 8 ballots in today’s draw" in text_of(bob.get("/"))


def test_the_alarm_clock_looks_too_and_draws_go_on(
    app: Flask, cast: Cast, disk: SmallDisk, session: Session, clock: Clock
) -> None:
    begin(session, FIRST_NOON)
    clock.turn(ONE_DAY)
    parts_of(app).free_space._least = 10 * MEGABYTES  # more than there ever is

    scheduler.tick(app)

    assert parts_of(app).pause.reasons
    with session.begin():
        assert session.scalar(select(Draw.status).where(Draw.day == FIRST_DAY)) == DRAWN
    parts_of(app).free_space._least = 1
    scheduler.watch(app)
    assert not parts_of(app).pause.reasons


def test_the_disk_is_looked_at_once_in_a_while(
    app: Flask, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(free_space, "PERIOD", 2)
    look, pause = parts_of(app).free_space.look, parts_of(app).pause
    parts_of(app).free_space._steady = iter([10, 11, 13]).__next__
    look()
    disk.fill()

    look()
    assert not pause.reasons
    look()
    assert pause.reasons


def test_nobody_looks_at_the_disk_of_a_database_elsewhere(tmp_path: Path) -> None:
    here, there = tmp_path / "keys", tmp_path / "data"

    sqlite = settings_for(f"sqlite:///{there}/lottery.db", LOTTERY_STORAGE=str(here))
    postgresql = settings_for("postgresql://lottery@db.example/lottery", LOTTERY_STORAGE=str(here))

    assert sqlite.folders == (here, there)
    assert postgresql.folders == (here,)
