"""A closing that is stamped by real gunicorn workers, at their start."""

from pathlib import Path
from urllib.request import urlopen

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from lottery_system import scheduler
from lottery_system.clock import ONE_DAY
from lottery_system.timestamp_proof import HEADER
from tests.conftest import FIRST_DAY, FIRST_NOON, Clock
from tests.stand_ins.calendar import Calendar
from tests.stand_ins.log_keys import begin
from tests.stand_ins.processes import Gunicorn, wait_for


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_workers_stamp_what_is_missing_when_they_start(
    app: Flask, session: Session, clock: Clock, database_url: str, tmp_path: Path
) -> None:
    begin(session, FIRST_NOON)
    clock.turn(ONE_DAY)
    scheduler.tick(app)

    with (
        Calendar("one") as calendar,
        Gunicorn(
            database_url, tmp_path, workers=2, at=FIRST_NOON + ONE_DAY,
            LOTTERY_TIMESTAMP_URLS=calendar.url,
        ) as server,
    ):  # fmt: skip
        page = f"{server.url}/draws/{FIRST_DAY}"

        def is_offered() -> bool:
            with urlopen(page) as answer:
                return b"checkpoint.ots" in answer.read()

        wait_for(is_offered, "a timestamp on the page")
        with urlopen(f"{page}/checkpoint.ots") as answer:
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert answer.read().startswith(HEADER)
