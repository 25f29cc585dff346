"""The cookie by which a browser stays logged in."""

from datetime import timedelta

from lottery_system.models.login_session import LIFETIME
from tests.conftest import Clock
from tests.web.conftest import Visitor


def test_a_clock_set_back_or_a_host_that_is_behind_logs_nobody_out(
    bob: Visitor, clock: Clock
) -> None:
    clock.turn(timedelta(hours=-1))

    assert bob.get("/").status_code == 200


def test_a_log_in_ends_when_the_database_says_so(bob: Visitor, clock: Clock) -> None:
    clock.turn(LIFETIME)

    assert bob.get("/").location == "/login?next=/"


def test_a_cookie_that_is_not_ours_logs_nobody_in(bob: Visitor) -> None:
    bob.client.set_cookie("session", "eyJhIjoxfQ.aRxyzQ.AAAAAAAAAAAAAAAAAAAAAAAAAAA")

    assert bob.get("/").location == "/login?next=/"
