"""Metrics in one process: what is counted, by labels that no request can choose."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from lottery_system import scheduler
from lottery_system.errors import LotteryFinished
from lottery_system.extensions import db
from lottery_system.models import Lottery
from lottery_system.parts import parts_of
from tests.conftest import FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import begin
from tests.web.conftest import Visitor


class Scrape:
    """What Prometheus reads, and by how much it has grown."""

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()
        self._before = self.now()

    def now(self) -> dict[str, float]:
        lines = self._client.get("/metrics").text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def grown(self, name: str) -> float:
        """Return by how much a figure has grown since the beginning."""
        return self.now().get(name, 0) - self._before.get(name, 0)


@pytest.fixture
def scrape(app: Flask, clock: Clock) -> Scrape:
    return Scrape(app)


def test_requests_are_counted_by_route_and_status_and_timed(
    scrape: Scrape, stranger: Visitor
) -> None:
    for path in ("/winners", "/winners/2026-11-19", "/winners/2026-11-19?before=x", "/winners"):
        stranger.get(path)

    assert scrape.grown('lottery_requests_total{endpoint="winners.index",status="200"}') == 2
    assert scrape.grown('lottery_request_seconds_count{endpoint="winners.index"}') == 2
    assert scrape.grown('lottery_request_seconds_bucket{endpoint="winners.show",le="10.0"}') == 2


def test_no_request_makes_a_label_of_its_own(scrape: Scrape, stranger: Visitor) -> None:
    known = set(scrape.now())
    for path in ("/nothing-1", "/nothing-2?x=y", "/x" * 3000, "/winners/nonsense"):
        stranger.get(path)
    stranger.get("/winners", headers={"Host": "a b"})
    stranger.client.open("/winners", method="BREW")

    new = set(scrape.now()) - known
    endpoints = {found[1] for each in new if (found := re.search('endpoint="([^"]*)"', each))}
    assert endpoints <= {"unknown", "winners.show", "winners.index"}
    assert scrape.grown('lottery_requests_total{endpoint="unknown",status="404"}') >= 2
    assert scrape.grown('lottery_requests_total{endpoint="unknown",status="414"}') == 1


def test_ballots_are_counted_once_and_refusals_by_their_reason(
    app: Flask, scrape: Scrape, cast: Cast, big_chance: Lottery, extra_win: Lottery,
    submit: Submit, clock: Clock,
) -> None:  # fmt: skip
    granted = submit(cast.bob, big_chance, 3)
    submit(cast.bob, big_chance, 3, token=granted.token)
    clock.turn(timedelta(days=1))
    with pytest.raises(LotteryFinished):
        submit(cast.bob, extra_win, 5)

    assert scrape.grown("lottery_ballots_stored_total") == 3
    assert scrape.grown('lottery_ballots_refused_total{reason="lottery_finished"}') == 5
    assert scrape.grown("lottery_ballot_wait_seconds_count") == 3
    assert scrape.grown("lottery_ballot_batch_submissions_sum") == 3
    assert scrape.now()["lottery_last_ballot_timestamp_seconds"] == FIRST_NOON.timestamp()
    assert scrape.now()["lottery_ballot_queue_length"] == 0


def test_a_tick_closes_and_draws_and_says_when(
    app: Flask, scrape: Scrape, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock,
    session: Session,
) -> None:  # fmt: skip
    begin(session, FIRST_NOON)
    submit(cast.bob, big_chance)
    clock.turn(timedelta(days=1))
    scheduler.tick(app)

    assert scrape.grown("lottery_closing_seconds_count") == 1
    assert scrape.grown("lottery_drawing_seconds_count") == 1
    now = FIRST_NOON + timedelta(days=1)
    assert scrape.now()["lottery_last_tick_timestamp_seconds"] == now.timestamp()


def test_a_pause_is_a_figure_with_its_cause(app: Flask, scrape: Scrape) -> None:
    pause = parts_of(app).pause
    pause.set("clock", "Set the clock.")
    paused = scrape.now()
    scheduler.show(app)
    not_ready = scrape.now()
    pause.clear("clock")
    scheduler.show(app)

    assert paused['lottery_paused{cause="clock"}'] == 1
    assert not_ready["lottery_ready"] == 0
    assert scrape.now()['lottery_paused{cause="clock"}'] == 0
    assert scrape.now()["lottery_ready"] == 1


def test_what_the_process_is_at_can_be_read_without_the_database(
    app: Flask, scrape: Scrape, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", None, Exception("server closed the connection"))

    before = scrape.now()
    with app.app_context():
        for engine in db.engines.values():
            monkeypatch.setattr(engine.dialect, "do_execute", fail)
    figures = scrape.now()

    assert (before["lottery_database_up"], figures["lottery_database_up"]) == (1, 0)
    assert figures["lottery_workers"] == 1
    assert 'lottery_database_connections_limit{engine="reading"}' in figures
    assert "lottery_ballots_today" not in figures


def test_it_says_what_runs(scrape: Scrape) -> None:
    assert any(
        re.fullmatch(r'lottery_build_info\{schema="\d{4}",version="1\.\d+\.\d+"\}', each)
        for each in scrape.now()
    )


PEER, PLAYER, MONITOR = "192.0.2.9", "203.0.113.9", "10.1.2.3"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("given_settings", "peer", "forwarded", "status"),
    [
        ({}, "127.0.0.1", None, 200),
        ({}, PEER, None, 403),
        # a proxy on this host speaks for a player, and nobody has said that it is to be trusted
        ({}, "127.0.0.1", PLAYER, 403),
        # whoever reaches the port claims to be this host
        ({}, PEER, "127.0.0.1", 403),
        ({"LOTTERY_TRUSTED_PROXIES": "1"}, PEER, "127.0.0.1", 403),
        ({"LOTTERY_TRUSTED_PROXIES": "1"}, "127.0.0.1", PLAYER, 403),
        ({"LOTTERY_TRUSTED_PROXIES": "1"}, "127.0.0.1", f"127.0.0.1, {PLAYER}", 403),
        ({"LOTTERY_TRUSTED_PROXIES": "1"}, "127.0.0.1", None, 200),
        ({"LOTTERY_METRICS_NETWORKS": "10.0.0.0/8"}, MONITOR, None, 200),
        ({"LOTTERY_METRICS_NETWORKS": "10.0.0.0/8"}, PEER, MONITOR, 403),
        (
            {"LOTTERY_METRICS_NETWORKS": "10.0.0.0/8", "LOTTERY_TRUSTED_PROXIES": "1"},
            PEER, MONITOR, 403,
        ),
    ],
)  # fmt: skip
def test_no_header_opens_the_metrics(
    app: Flask, clock: Clock, peer: str, forwarded: str | None, status: int
) -> None:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = peer
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}

    assert client.get("/metrics", headers=headers).status_code == status


def test_the_draws_of_a_lottery_that_has_not_begun_are_none(app: Flask, scrape: Scrape) -> None:
    assert scrape.now()["lottery_last_ballot_timestamp_seconds"] == 0
