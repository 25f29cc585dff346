"""Security log: who, from where, when; never a secret."""

import logging

import pytest
from flask import Flask

from tests.conftest import PASSWORD, Cast, Clock
from tests.web.conftest import Visitor, csrf_token

NEW = "seven lazy badgers"
WHEN = "at=2026-11-19T12:00:00Z"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Take the lines as a server does, from INFO on."""
    caplog.set_level(logging.INFO)
    return caplog


def lines(log: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in log.records if each.name == "lottery_system.security"]


def test_each_event_of_an_account_is_one_line_that_says_who_from_where_and_when(
    app: Flask, cast: Cast, log: pytest.LogCaptureFixture
) -> None:
    visitor = Visitor(app.test_client())
    visitor.client.environ_base["REMOTE_ADDR"] = "2001:db8::7"

    visitor.post("/signup", username="Łódka", password=NEW)
    visitor.post("/logout", page="/account")
    visitor.log_in("bob", "wrong horse battery")
    visitor.log_in(PASSWORD, "x")
    visitor.log_in("BOB")
    token = csrf_token(visitor.get("/account"))
    for path, fields in {
        "/account/password": {"current": "wrong horse", "new": NEW},
        "/account/sessions": {},
    }.items():
        visitor.client.post(path, data={"csrf_token": token, **fields})
    visitor.post("/account/password", "/account", current=PASSWORD, new=NEW)
    visitor.get("/organiser?q=secret")
    visitor.client.post("/account/sessions", data={"csrf_token": "x" * 500})
    visitor.post("/account/close", current=NEW)

    bob = f"user=bob id={cast.bob.id} from=2001:db8::7 {WHEN}"
    lodka = f"user=%C5%81%C3%B3dka id={cast.charlie.id + 1} from=2001:db8::7 {WHEN}"
    assert lines(log) == [
        f"sign_up {lodka}",
        f"log_out {lodka}",
        f"log_in_failed {bob}",
        f"log_in_failed user=- id=- from=2001:db8::7 {WHEN}",
        f"log_in {bob}",
        f"password_wrong {bob}",
        f"other_log_ins_ended {bob}",
        f"password_changed {bob}",
        f"access_denied {bob} path=GET:/organiser",
        f"csrf_refused {bob} path=POST:/account/sessions reason=old_token",
        f"account_closed {bob}",
    ]


def test_what_is_throttled_is_noted_and_no_password_ever_is(
    app: Flask, cast: Cast, clock: Clock, log: pytest.LogCaptureFixture
) -> None:
    visitor = Visitor(app.test_client())
    for _ in range(11):
        visitor.log_in("bob", "wrong horse battery")

    at = f"from=127.0.0.1 {WHEN}"
    found = lines(log)
    assert found[:10] == [f"log_in_failed user=bob id={cast.bob.id} {at}"] * 10
    assert found[10:] == [f"throttled user=- id=- {at} path=POST:/login"]
    assert PASSWORD not in log.text
    assert "wrong horse" not in log.text
