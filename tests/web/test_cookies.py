"""Cookies: the session cookie, and small ones beside it."""

from collections.abc import Iterator
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from lottery_system.models import Lottery
from lottery_system.models.login_session import LIFETIME
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, running, settings_for
from tests.stand_ins.log_keys import keep_keys, run_due
from tests.web.conftest import LogIn, Visitor


def test_a_clock_set_back_or_a_host_that_is_behind_logs_nobody_out(
    bob: Visitor, clock: Clock
) -> None:
    clock.turn(timedelta(hours=-1))

    assert bob.get("/").status_code == 200


def test_a_log_in_ends_when_the_database_says_so(bob: Visitor, clock: Clock) -> None:
    clock.turn(LIFETIME)

    assert bob.get("/").location == "/login?next=/"


def test_a_cookie_that_is_not_ours_logs_nobody_in(bob: Visitor) -> None:
    bob.client.set_cookie(name_in(bob.client), "eyJhIjoxfQ.aRxyzQ.AAAAAAAAAAAAAAAAAAAAAAAAAAA")

    assert bob.get("/").location == "/login?next=/"


def name_in(client: FlaskClient) -> str:
    """Return the name of the session's cookie."""
    return str(client.application.config["SESSION_COOKIE_NAME"])


def ages_set_by(answer: TestResponse) -> dict[str, str]:
    """Return the age of each cookie that an answer sets, which goes before any expiry."""
    cookies = [SimpleCookie(text) for text in answer.headers.getlist("Set-Cookie")]
    return {name: each["max-age"] for cookie in cookies for name, each in cookie.items()}


def test_a_log_in_is_kept_by_its_age_whatever_the_clock_of_a_browser_says(
    cast: Cast, stranger: Visitor
) -> None:
    answer = stranger.log_in("bob")

    ages = ages_set_by(answer)
    assert ages[name_in(stranger.client)] == str(int(LIFETIME.total_seconds()))
    assert all(int(age) > 0 for age in ages.values())


@pytest.fixture
def another(cast: Cast, database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """Return another lottery on the same host: browsers tell it their cookies, too."""
    folder = tmp_path / "another"
    folder.mkdir()
    keep_keys(folder)
    settings = settings_for(
        database_url, LOTTERY_STORAGE=str(folder), LOTTERY_SECRET_KEY="another lottery's key"
    )
    with running(settings) as app:
        yield app


def test_two_lotteries_on_one_host_log_nobody_out_of_each_other(
    bob: Visitor, another: Flask
) -> None:
    there = Visitor(another.test_client())
    there.client._cookies = bob.client._cookies  # one browser

    assert there.get("/").location == "/login?next=/"
    assert there.log_in("charlie").status_code == 303

    assert "charlie" in there.get("/account").text
    assert "bob" in bob.get("/account").text
    assert there.post("/logout", page="/account").status_code == 303
    assert bob.get("/account").status_code == 200


def with_former_name(client: FlaskClient) -> None:
    """Let a browser hold its log-in as it was kept before cookies had the lottery's own name."""
    cookie = client.get_cookie(name_in(client))
    assert cookie is not None
    client.delete_cookie(name_in(client))
    client.set_cookie("session", cookie.value)


def test_a_log_in_from_before_goes_on_under_its_own_name(bob: Visitor) -> None:
    with_former_name(bob.client)

    answer = bob.get("/account")

    assert answer.status_code == 200
    assert bob.client.get_cookie("session") is None
    assert bob.client.get_cookie(name_in(bob.client)) is not None
    assert bob.post("/logout", page="/account").status_code == 303
    assert bob.get("/account").status_code == 303


def test_a_cookie_of_another_lottery_is_left_alone(bob: Visitor, another: Flask) -> None:
    with_former_name(bob.client)
    there = Visitor(another.test_client())
    there.client._cookies = bob.client._cookies  # one browser

    there.log_in("charlie")

    assert bob.client.get_cookie("session") is not None
    assert "bob" in bob.get("/account").text


def test_a_language_from_before_is_spoken_still(clock: Clock, stranger: Visitor) -> None:
    stranger.client.set_cookie("language", "de")
    assert 'lang="de"' in stranger.get("/how-it-works").text

    stranger.get("/how-it-works?lang=fr")

    assert 'lang="fr"' in stranger.get("/how-it-works").text


@pytest.fixture
def drawn(clock: Clock, session: Session, big_chance: Lottery) -> None:
    """Let the first day be drawn."""
    run_due(session, FIRST_NOON)
    clock.turn(timedelta(days=1))
    run_due(session, FIRST_NOON + timedelta(days=1))


ANYBODY_MAY_KEEP = [
    "/card.png",
    f"/winners/{FIRST_DAY}/card.png",
    f"/draws/{FIRST_DAY}/certificate.json",
    "/log/checkpoint",
    f"/log/{FIRST_DAY}/checkpoint",
    "/log/tile/0/000.p/2",
    "/log/tile/entries/000.p/2",
    "/verifier.html",
    "/verify.pyz",
    "/static/css/lottery.css",
]


@pytest.mark.parametrize("path", ANYBODY_MAY_KEEP)
def test_what_anybody_may_keep_is_the_same_for_all_and_sets_no_cookie(
    drawn: None, log_in: LogIn, stranger: Visitor, path: str
) -> None:
    alice = log_in("alice")
    alice.client.set_cookie("language", "de")
    with alice.client.session_transaction() as changed:
        changed["something"] = "else"

    answers = [each.get(path, headers={"Accept-Encoding": ""}) for each in (stranger, alice)]

    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].data == answers[1].data
    for answer in answers:
        assert "Cookie" not in answer.headers.get("Vary", "")
        assert "Set-Cookie" not in answer.headers
        answer.close()


@pytest.mark.parametrize(
    "path",
    ["/winners", f"/winners/{FIRST_DAY}", f"/draws/{FIRST_DAY}", "/how-it-works", "/readyz"],
)
def test_a_page_without_a_form_sets_no_cookie(drawn: None, stranger: Visitor, path: str) -> None:
    answer = stranger.get(path)

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
