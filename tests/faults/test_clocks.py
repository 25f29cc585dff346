"""Clocks that are set over midnight and back, and hosts whose clocks differ.

The first tests turn the clock checks off: the database's own rules must still hold. The others run
with the checks.
"""

import random
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.keys import CHAIN_TIP, LOG_KEY
from lottery_system.models import OPEN, Draw
from tests.conftest import FIRST_DAY, FIRST_NOON
from tests.faults.conftest import LATE, MIDNIGHT
from tests.stand_ins.database_clocks import moved_clock
from tests.stand_ins.players import Player, drawn, has_winner, let_play, open_lottery, playing
from tests.stand_ins.processes import Gunicorn, wait_for
from tests.stand_ins.strikes import SOON, STRIKES, check

NEXT_DAY = FIRST_DAY + ONE_DAY


def draw_of_first_day(session: Session) -> tuple[object, ...]:
    with session.begin():
        draw = session.get_one(Draw, FIRST_DAY, populate_existing=True)
        return draw.status, draw.ballot_count, draw.seed, draw.closed_at, draw.drawn_at


def test_a_clock_set_over_midnight_and_back_leaves_a_closed_day_closed(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    with playing(players):
        let_play(players)
        server.clock.run_from(MIDNIGHT + timedelta(seconds=1))
        wait_for(lambda: has_winner(server, FIRST_DAY) and drawn(server), "a winner", SOON)
        ended = draw_of_first_day(session)
        for _ in range(STRIKES):
            back = timedelta(seconds=random.uniform(0, 3600))
            server.clock.run_from(LATE - back)
            let_play(players, 2)
            before = [player.receipts[-1] for player in players]
            server.clock.run_from(MIDNIGHT + back)
            let_play(players, 2)

    assert {text.split()[3] for text in before} == {str(NEXT_DAY)}
    assert draw_of_first_day(session) == ended
    assert drawn(server) == [str(FIRST_DAY)]
    assert not any(player.unanswered_count + player.turned_away_count for player in players)
    check(server, players, session)


def host_folder(first: Path) -> Path:
    """Return the storage of a further host.

    Hosts share the database, the key that signs cookies and those of the logs, and nothing else.
    """
    storage = first / "another host"
    storage.mkdir()
    for name in ("secret_key", LOG_KEY, CHAIN_TIP):
        shutil.copy(first / name, storage)
    return storage


@pytest.fixture
def host_ahead(server: Gunicorn, database_url: str, tmp_path: Path) -> Iterator[Gunicorn]:
    """Serve the same lottery from a second host, which comes to midnight some seconds early."""
    host = Gunicorn(database_url, host_folder(tmp_path), at=LATE)
    host.clock.stand_at(LATE)
    with host:
        yield host


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("seconds", [0.5, 4])
def test_two_hosts_whose_clocks_differ_make_one_draw_and_lose_nothing(
    server: Gunicorn,
    host_ahead: Gunicorn,
    players: list[Player],
    session: Session,
    seconds: float,
) -> None:
    hosts = server, host_ahead
    with playing(players):
        let_play(players)
        host_ahead.clock.run_from(LATE + timedelta(seconds=seconds))
        server.clock.run_from(LATE)
        while not has_winner(server, FIRST_DAY):
            assert server.clock.now() < MIDNIGHT + timedelta(seconds=SOON)
            random.choice(players).server = random.choice(hosts)
            let_play(players)
        for player in players:
            player.server = random.choice(hosts)
        let_play(players)

    wait_for(lambda: drawn(server) + drawn(host_ahead), "the line that says who drew")
    assert drawn(server) + drawn(host_ahead) == [str(FIRST_DAY)]
    assert not any(player.unanswered_count + player.turned_away_count for player in players)
    check(server, players, session)
    check(host_ahead, players, session)


@pytest.fixture
def noon(database_url: str, session: Session) -> Iterator[datetime]:
    """Let it be noon, by the clock of the database too, ten seconds before the next tick."""
    open_lottery(session)
    at = FIRST_NOON + timedelta(seconds=50)
    with moved_clock(database_url, at) if database_url.startswith("post") else nullcontext():
        yield at


TOLERANCE = "60"


def statuses(session: Session) -> list[tuple[date, str]]:
    with session.begin():
        rows = session.execute(select(Draw.day, Draw.status).order_by(Draw.day))
        return [(row.day, row.status) for row in rows]


@pytest.mark.parametrize("by", [ONE_DAY, 365 * ONE_DAY], ids=["a day", "a year"])
def test_a_clock_ahead_for_twelve_seconds_closes_nothing_and_takes_no_ballots(
    noon: datetime, database_url: str, tmp_path: Path, session: Session, by: timedelta
) -> None:
    with Gunicorn(database_url, tmp_path, at=noon, LOTTERY_CLOCK_TOLERANCE=TOLERANCE) as server:
        player = Player(server, "bob")
        player.play()
        form = player.form()
        server.clock.run_from(server.clock.now() + by)
        back_at = server.clock.now() + timedelta(seconds=12)

        wait_for(lambda: "This host's clock" in server.readyz(), "it says that it is paused")
        # after a year the form is out of date, too
        assert player.try_once(form, 1) in (None, HTTPStatus.UNPROCESSABLE_ENTITY)
        wait_for(lambda: server.clock.now() > back_at, "twelve seconds are over")
        server.clock.run_from(server.clock.now() - by)

        wait_for(lambda: server.readyz() == "ready\n", "it goes on")
        player.receipts.append(player.submit(form, 1))
        assert statuses(session) == [(FIRST_DAY, OPEN)]
        assert player.days() == {str(FIRST_DAY)}
        check(server, [player], session)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("by", [ONE_DAY, -ONE_DAY], ids=["ahead", "behind"])
def test_a_host_whose_clock_is_a_day_off_does_nothing_and_the_other_goes_on(
    noon: datetime, database_url: str, tmp_path: Path, session: Session, by: timedelta
) -> None:
    with Gunicorn(database_url, tmp_path, at=noon, LOTTERY_CLOCK_TOLERANCE=TOLERANCE) as server:
        player = Player(server, "bob")
        player.play()
        wrong = Gunicorn(
            database_url, host_folder(tmp_path), at=noon + by, LOTTERY_CLOCK_TOLERANCE=TOLERANCE
        )
        wrong.start_up()
        try:
            wait_for(lambda: "24 hours" in wrong.readyz(), "it says that its clock is wrong")
            form = player.form()
            player.server = wrong
            assert player.try_once(form, 1) is None
            player.server = server
            player.receipts.append(player.submit(form, 1))
            wrong.clock.run_from(server.clock.now())
            wait_for(lambda: wrong.readyz() == "ready\n", "its clock was set right")
            player.server = wrong
            player.play()
        finally:
            wrong.stop()

        assert "paused: This host's clock is 24 hours" in wrong.log()
        assert server.readyz() == "ready\n"
        assert statuses(session) == [(FIRST_DAY, OPEN)]
        assert player.days() == {str(FIRST_DAY)}
        check(server, [player], session)
        check(wrong, [player], session)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_no_lottery_begins_by_a_clock_that_is_wrong(
    database_url: str, tmp_path: Path, session: Session
) -> None:
    open_lottery(session, begins=False)
    for name in (LOG_KEY, CHAIN_TIP):
        (tmp_path / name).unlink()
    ahead = FIRST_NOON + ONE_DAY
    server = Gunicorn(database_url, tmp_path, at=ahead, LOTTERY_CLOCK_TOLERANCE=TOLERANCE)
    with moved_clock(database_url, FIRST_NOON):
        server.start_up()
        assert wait_for(server.exit_code, "it ends") != 0

    assert "This host's clock is 24 hours ahead of the database's." in server.log()
    assert statuses(session) == []
