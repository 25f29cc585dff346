"""A whole day in mode beacon with real gunicorn, a moved clock and relays of all kinds."""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY, closes_at
from lottery_system.fairness.beacon import QUICKNET, time_of
from lottery_system.fairness.certificate import parse_certificate
from lottery_system.fairness.checks import holds
from lottery_system.fairness.verify import verify
from lottery_system.models import Lottery
from lottery_system.runtime import database
from tests.stand_ins.players import Player
from tests.stand_ins.processes import Gunicorn, wait_for
from tests.stand_ins.relay import Relay
from tests.stand_ins.rounds import BEACON_DAY, BEACON_GAP, BEACON_ROUND, SIGNATURES

MIDNIGHT = closes_at(BEACON_DAY)
DUE = datetime.fromtimestamp(time_of(QUICKNET, BEACON_ROUND), UTC)
SECOND = timedelta(seconds=1)
CERTIFICATE = f"/draws/{BEACON_DAY}/certificate.json"


@pytest.mark.parametrize(
    "kinds", [["honest"], ["wrong signature", "other chain", "cut off", "honest"]]
)
def test_a_day_is_played_closed_and_drawn_by_its_round(
    database_url: str, tmp_path: Path, kinds: Sequence[str]
) -> None:
    open_lottery(database_url)
    with ExitStack() as stack:
        urls = [stack.enter_context(Relay(kind)).url for kind in kinds]
        server = Gunicorn(
            database_url, tmp_path, at=MIDNIGHT - 6 * 60 * SECOND,
            LOTTERY_BEACON="drand", LOTTERY_BEACON_GAP=str(BEACON_GAP),
            LOTTERY_BEACON_URLS=" ".join(urls),
        )  # fmt: skip
        stack.enter_context(server)
        player = Player(server, "bob")
        player.play()
        server.clock.run_from(MIDNIGHT - SECOND)
        server.stop()  # and is down over midnight
        server.clock.run_from(MIDNIGHT + 30 * SECOND)
        server.start()
        wait_for(lambda: f"draw of {BEACON_DAY}: closed" in server.log(), "the day is closed")
        assert status_of(server, CERTIFICATE) == 404  # closed in time, and not yet drawn
        server.stop()
        server.clock.run_from(DUE + SECOND)
        server.start()

        wait_for(lambda: status_of(server, CERTIFICATE) == 200, "the day is drawn")

        with urlopen(server.url + CERTIFICATE) as answer:
            certificate = answer.read()
        warnings = [line for line in server.log().splitlines() if " beacon: " in line]
    assert holds(verify(certificate))
    beacon = parse_certificate(certificate).beacon
    assert beacon is not None
    assert (beacon.round, beacon.signature) == (BEACON_ROUND, SIGNATURES[BEACON_ROUND])
    assert len(warnings) == len(kinds) - 1


def open_lottery(url: str) -> None:
    engine = create_engine(url, **database.engine_options(url))
    database.prepare(engine)
    with Session(engine) as session, session.begin():
        closes_on = BEACON_DAY + 30 * ONE_DAY
        session.add(Lottery.create("Big Chance", "", closes_on, MIDNIGHT - ONE_DAY))
    engine.dispose()


def status_of(server: Gunicorn, path: str) -> int:
    try:
        with urlopen(server.url + path) as answer:
            status: int = answer.status
            return status
    except HTTPError as error:
        return error.code
