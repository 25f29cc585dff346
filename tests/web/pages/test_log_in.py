"""Logging in and out, and the redirect to the page asked for."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from lottery_system import passwords
from lottery_system.extensions import db
from lottery_system.models import LoginSession
from lottery_system.web.cookies import tag_of
from lottery_system.web.pages import accounts
from tests.conftest import PASSWORD, Cast, Clock, running, settings_for
from tests.web.conftest import SESSION, LogIn, Visitor, csrf_token, text_of


@pytest.mark.parametrize("path", ["/", "/ballots", "/ballots/2026-11-19", "/organiser/lotteries"])
def test_everybody_else_is_sent_to_log_in_and_comes_back(
    cast: Cast, stranger: Visitor, path: str
) -> None:
    sent = stranger.get(path)

    assert sent.status_code == 303
    assert sent.location.startswith("/login?next=")
    back = stranger.log_in("alice", path=sent.location)
    assert (back.status_code, back.location) == (303, path)


def test_a_query_survives_logging_in(cast: Cast, stranger: Visitor) -> None:
    sent = stranger.get("/ballots?before=2026-11-19")

    assert stranger.log_in("bob", path=sent.location).location == "/ballots?before=2026-11-19"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example/", "///evil.example", "/\\evil.example",
        "\\\\evil.example", "/\t/evil.example", "/\n/evil.example", "\t//evil.example",
        "javascript:alert(1)", "/%09/evil.example ", "evil.example", "http:evil.example",
        "/ /evil.example", "/\u0000/evil.example", "",
    ],
)  # fmt: skip
def test_nobody_is_sent_to_another_site(cast: Cast, stranger: Visitor, target: str) -> None:
    page = stranger.get("/login", query_string={"next": target})

    answer = stranger.client.post(
        "/login",
        query_string={"next": target},
        data={"csrf_token": csrf_token(page), "username": "bob", "password": PASSWORD},
    )

    assert answer.status_code == 303
    assert answer.location in ("/", "/%09/evil.example")


def test_the_username_may_be_typed_in_any_case(cast: Cast, stranger: Visitor) -> None:
    assert stranger.log_in("BoB").status_code == 303


@pytest.mark.parametrize("username", ["bob", "nobody", "no\x00body", "x" * 5000, "<b>"])
def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(
    cast: Cast, stranger: Visitor, session: Session, username: str
) -> None:
    answer = stranger.log_in(username, "wrong horse battery")

    assert answer.status_code == 422
    assert "The username or password is incorrect." in text_of(answer)
    assert "wrong horse" not in answer.text
    assert session.scalar(select(func.count()).select_from(LoginSession)) == 0


def test_an_unknown_user_costs_as_much_work_as_a_known_one(
    app: Flask, stranger: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time is not measured here: the very same work is done, on a hash of the same cost."""
    Visitor(app.test_client()).post("/signup", username="dana", password=PASSWORD)
    verified: list[str] = []

    def verify(password_hash: str, password: str) -> bool:
        verified.append(password_hash)
        return False

    monkeypatch.setattr(passwords, "_verify", verify)

    stranger.log_in("dana", "wrong horse battery")
    stranger.log_in("nobody", "wrong horse battery")

    of_dana, of_nobody = (each.split("$")[:4] for each in verified)
    assert of_dana == of_nobody


def test_logging_out_ends_the_session_on_the_server(bob: Visitor, session: Session) -> None:
    stolen, token = cookie_of(bob), csrf_token(bob.get("/account"))

    answer = bob.post("/logout", page="/")

    assert (answer.status_code, answer.location) == (303, "/login")
    assert csrf_token(bob.get("/login")) != token
    assert session.scalar(select(func.count()).select_from(LoginSession)) == 0
    bob.client.set_cookie(SESSION, stolen)
    assert bob.get("/").location == "/login?next=/"


def test_logging_out_ends_only_this_session(log_in: LogIn) -> None:
    phone, desk = log_in("bob"), log_in("bob")

    phone.post("/logout", page="/")

    assert phone.get("/").status_code == 303
    assert desk.get("/").status_code == 200


def test_a_session_ends_after_thirty_days(bob: Visitor, clock: Clock) -> None:
    clock.turn(timedelta(days=30))

    assert bob.get("/").location == "/login?next=/"


def test_the_token_itself_is_not_stored(bob: Visitor, session: Session) -> None:
    with bob.client.session_transaction() as cookie:
        token = cookie["_user_id"]

    stored = session.scalars(select(LoginSession.token_hash)).one()
    assert token.encode() not in stored
    assert len(stored) == 32


@pytest.mark.parametrize("username", ["bob", "charlie"])
def test_a_browser_that_logs_in_again_ends_the_log_in_that_it_had(
    bob: Visitor, log_in: LogIn, session: Session, username: str
) -> None:
    elsewhere, stolen = log_in("bob"), cookie_of(bob)
    token = csrf_token(bob.get("/account"))

    answer = bob.client.post(
        "/login", data={"csrf_token": token, "username": username, "password": PASSWORD}
    )

    assert answer.status_code == 303
    assert csrf_token(bob.get("/account")) != token
    assert session.scalar(select(func.count()).select_from(LoginSession)) == 2
    bob.client.set_cookie(SESSION, stolen)
    assert bob.get("/").location == "/login?next=/"
    assert elsewhere.get("/").status_code == 200


def test_whoever_signs_up_at_a_browser_that_is_logged_in_ends_that_log_in(
    bob: Visitor, session: Session
) -> None:
    form = {"username": "dana", "password": "seven lazy badgers"}
    token = csrf_token(bob.get("/account"))

    assert bob.client.post("/signup", data={"csrf_token": token, **form}).status_code == 303

    assert session.scalar(select(func.count()).select_from(LoginSession)) == 1


def cookie_of(visitor: Visitor) -> str:
    cookie = visitor.client.get_cookie(SESSION)
    assert cookie is not None
    return str(cookie.value)


def test_a_forged_cookie_logs_nobody_in(cast: Cast, stranger: Visitor) -> None:
    stranger.client.set_cookie(SESSION, "eyJfdXNlcl9pZCI6IjEifQ.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbb")

    assert stranger.get("/").status_code == 303


def test_the_cookie_is_host_only_and_secure_in_production(cast: Cast, database_url: str) -> None:
    settings = settings_for(
        database_url,
        LOTTERY_ENV="production", LOTTERY_SECRET_KEY="k" * 32, LOTTERY_NAME="lottery.example",
    )  # fmt: skip
    site = "https://localhost"
    with running(settings) as app:
        client = app.test_client()
        page = client.get("/login", base_url=site)
        form = {"csrf_token": csrf_token(page), "username": "bob", "password": PASSWORD}
        answer = client.post("/login", base_url=site, headers={"Referer": site}, data=form)

    assert answer.status_code == 303
    cookies = answer.headers.getlist("Set-Cookie")
    assert {cookie.split("=")[0] for cookie in cookies} == {
        f"__Host-{name}-{tag_of('k' * 32)}" for name in ("session", "known")
    }
    for cookie in cookies:
        attributes = {part.strip() for part in cookie.split(";")}
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= attributes
        assert not any(part.startswith("Domain") for part in attributes)
    assert answer.headers["Strict-Transport-Security"] == "max-age=63072000"


def test_whoever_waits_for_the_check_of_a_password_holds_no_connection(
    app: Flask, cast: Cast, stranger: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a storm of log-ins would keep all connections from the pages."""
    held: list[int] = []

    def check(*_: object) -> bool:
        pools = [engine.pool for engine in db.engines.values()]
        held.extend(pool.checkedout() for pool in pools if isinstance(pool, QueuePool))
        return True

    monkeypatch.setattr(accounts, "check_password", check)

    assert stranger.log_in("bob").status_code == 303
    assert held == [0, 0]
