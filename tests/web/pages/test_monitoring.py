"""Health checks and metrics for load balancers and Prometheus."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from lottery_system.clock import starts_at
from lottery_system.models import Lottery, Mail, MailKind
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import Visitor

LAST_DRAWN = "lottery_last_drawn_day_seconds "


def test_a_process_that_lives_says_so(stranger: Visitor) -> None:
    assert (stranger.get("/healthz").status_code, stranger.get("/healthz").text) == (200, "alive\n")


def test_it_is_ready_however_late_a_draw_is(stranger: Visitor, clock: Clock) -> None:
    clock.turn(timedelta(days=3))

    assert (stranger.get("/readyz").status_code, stranger.get("/readyz").text) == (200, "ready\n")


def test_prometheus_reads_the_figures(
    stranger: Visitor, session: Session, cast: Cast, big_chance: Lottery, submit: Submit,
    clock: Clock,
) -> None:  # fmt: skip
    submit(cast.bob, big_chance, 3)
    clock.turn(timedelta(days=1))
    run_due(session, FIRST_NOON + timedelta(days=1), places=1)
    submit(cast.bob, big_chance, 7)
    clock.turn(timedelta(days=1))
    submit(cast.bob, big_chance, 5)

    lines = stranger.get("/metrics").text.splitlines()

    assert "lottery_ballots_today 5.0" in lines
    assert "lottery_draws_undrawn 1.0" in lines
    assert "lottery_draws_overdue 1.0" in lines
    [drawn_at] = [line.split()[1] for line in lines if line.startswith(LAST_DRAWN)]
    assert float(drawn_at) == starts_at(FIRST_DAY).timestamp()
    for cause in ("clock", "disk", "keys", "mark", "witness"):
        assert f'lottery_paused{{cause="{cause}"}} 0.0' in lines


def test_prometheus_reads_how_many_mails_wait_and_were_set_aside(
    stranger: Visitor, session: Session, cast: Cast
) -> None:
    with session.begin():
        for address in ("a@mail.example", "b@mail.example", "c@mail.example"):
            Mail.add(
                session.connection(), MailKind.ADDRESS_CHANGED, cast.bob.id, FIRST_NOON,
                address=address,
            )  # fmt: skip
        lease, (first, second, _) = Mail.take(session, FIRST_NOON, 3)
        Mail.set_aside(session, first, lease, FIRST_NOON, "The server answered 550")
        Mail.finish(session, second, lease, FIRST_NOON)

    lines = stranger.get("/metrics").text.splitlines()

    assert "lottery_mails_waiting 1.0" in lines
    assert "lottery_mails_set_aside 1.0" in lines


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "10.0.0.1"])
def test_the_figures_are_for_the_operators_network_only(
    app: Flask, clock: Clock, address: str
) -> None:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address

    assert client.get("/metrics").status_code == 403


@pytest.mark.parametrize("given_settings", [{"LOTTERY_METRICS_NETWORKS": "10.0.0.0/8"}])
def test_the_operator_may_name_the_network(app: Flask, clock: Clock) -> None:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = "10.1.2.3"

    assert client.get("/metrics").status_code == 200
