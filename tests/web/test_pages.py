"""Rules for every page: headers, errors, sizes, and GETs that change nothing."""

import logging
import re

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from lottery_system.extensions import db
from lottery_system.models import Base, Lottery, User
from tests.conftest import FIRST_NOON, Clock
from tests.web.conftest import LogIn, Visitor, csrf_token, text_of

PAGES = [
    "/signup",
    "/login",
    "/welcome",
    "/winners",
    "/winners/2026-11-19",
    "/how-it-works",
    "/screen",
    "/nowhere",
]


@pytest.mark.parametrize("path", [*PAGES, "/static/css/lottery.css", "/healthz"])
def test_every_answer_brings_the_security_headers(
    clock: Clock, stranger: Visitor, path: str
) -> None:
    with stranger.get(path) as answer:
        headers = answer.headers

    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self';")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in headers  # only where there is TLS


@pytest.mark.parametrize("path", PAGES)
def test_pages_have_no_inline_script_or_style(clock: Clock, stranger: Visitor, path: str) -> None:
    page = stranger.get(path).text

    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page
    assert page.count("<script") == len(re.findall(r"<script (type=\"module\" )?src=", page))


def test_pages_of_a_person_are_not_kept_by_caches(bob: Visitor) -> None:
    assert bob.get("/").headers["Cache-Control"] == "no-store"


def test_an_address_that_is_none_says_so(clock: Clock, stranger: Visitor) -> None:
    answer = stranger.get("/nowhere")

    assert answer.status_code == 404
    assert "start again from the front page" in text_of(answer)


def test_nobody_writes_lines_of_their_own_into_the_log(
    clock: Clock, stranger: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        stranger.get("/nowhere%0aPOST%20/login:%20303")

    assert caplog.messages == ["GET /nowhere%0APOST%20/login%3A%20303: 404"]


def test_a_method_that_is_none_says_so(bob: Visitor, big_chance: Lottery) -> None:
    answer = bob.get(f"/lotteries/{big_chance.id}/ballots")

    assert (answer.status_code, set(answer.allow)) == (405, {"OPTIONS", "POST"})
    assert "use the buttons on the page" in text_of(answer)


def test_a_body_of_five_megabytes_is_refused(bob: Visitor) -> None:
    token = csrf_token(bob.get("/"))

    answer = bob.client.post(
        "/lotteries/1/ballots", data={"csrf_token": token, "x": "y" * 5_000_000}
    )

    assert answer.status_code == 413
    assert "Nothing was saved" in text_of(answer)


def test_a_fault_of_ours_shows_no_traceback_and_is_noted(
    clock: Clock, app: Flask, stranger: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.view_functions["rules.how_it_works"] = broken

    answer = stranger.get("/how-it-works")

    assert answer.status_code == 500
    assert "Sorry, something went wrong on our side" in text_of(answer)
    assert "secret detail" not in answer.text
    assert "secret detail" in caplog.text


def broken() -> str:
    raise ZeroDivisionError("secret detail")


broken.access = None  # type: ignore[attr-defined]


def test_without_its_database_the_site_says_so_and_goes_on_by_itself(
    bob: Visitor, app: Flask, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OperationalError("SELECT", None, Exception("server closed the connection"))

    with monkeypatch.context() as patch, caplog.at_level(logging.INFO):
        with app.app_context():
            for engine in db.engines.values():
                patch.setattr(engine.dialect, "do_execute", fail)
        answer = bob.get("/")
        ready = bob.get("/readyz")

    assert (answer.status_code, ready.status_code) == (503, 503)
    assert "can’t reach our records right now" in text_of(answer)
    assert "only count if you see a receipt. It’s safe to try again" in text_of(answer)
    assert answer.headers["Retry-After"] == "5"
    assert "server closed" not in answer.text
    assert len(caplog.records) == 2  # one for each
    assert bob.get("/").status_code == 200


def test_looking_at_pages_writes_nothing(
    log_in: LogIn, session: Session, big_chance: Lottery
) -> None:
    alice = log_in("alice")
    log_in("bob").submit(big_chance.id)
    before = rows(session)

    for path in ["/", "/", "/ballots", "/ballots/2026-11-19", "/winners", "/winners/2026-11-19",
                 "/winners/2026-11-18", "/organiser/lotteries", "/organiser/lotteries/1",
                 "/how-it-works", "/readyz", "/metrics", "/login"]:  # fmt: skip
        alice.get(path)

    assert rows(session) == before


def rows(session: Session) -> dict[str, list[object]]:
    with session.begin():
        return {
            table.name: [tuple(row) for row in session.execute(table.select())]
            for table in Base.metadata.sorted_tables
        }


def test_the_session_of_a_request_refuses_to_write(app: Flask, clock: Clock) -> None:
    with app.app_context():
        db.session.add(User.sign_up("dana", "x", FIRST_NOON))

        with pytest.raises(DBAPIError, match=r"read-?only"):
            db.session.flush()
        db.session.rollback()


def test_reading_leaves_no_transaction_open(app: Flask, clock: Clock, session: Session) -> None:
    """A request that waits for something else must hold nothing."""
    with app.app_context():
        db.session.execute(text("SELECT 1"))
        with session.begin():  # on SQLite this takes the one lock
            session.add(User.sign_up("dana", "x", FIRST_NOON))

        assert db.session.scalar(text("SELECT count(*) FROM users")) == 1


def test_the_name_of_the_lottery_stands_on_every_page(clock: Clock, stranger: Visitor) -> None:
    assert "lottery.local" in text_of(stranger.get("/how-it-works"))
