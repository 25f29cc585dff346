"""Resuming a form whose session has ended: it comes back filled in, with nothing stored."""

import html
import re
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from lottery_system.models import Lottery
from tests.conftest import PASSWORD
from tests.web.conftest import LogIn, Visitor, csrf_token, submission_token, text_of

NEW = "/organiser/lotteries/new"
PRIZE = "Ein Fahrrad,\n„rot“ & mit <b>Klingel</b>" + " und mehr" * 400
TYPED = {"name": "Spring Raffle", "prize": PRIZE, "closes_on": "2026-12-24"}
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def names(session: Session) -> list[tuple[str, date]]:
    with session.begin():
        return [
            (row.name, row.closes_on)
            for row in session.execute(select(Lottery.name, Lottery.closes_on))
        ]


def log_in_again(
    visitor: Visitor, page: TestResponse, password: str = PASSWORD, username: str = "alice"
) -> TestResponse:
    """Fill in the log-in page as it stands, with whatever it keeps."""
    kept = {name: html.unescape(value) for name, value in HIDDEN.findall(page.text)}
    form = {**kept, "csrf_token": csrf_token(page), "username": username, "password": password}
    return visitor.client.post("/login", data=form)


def end_session_elsewhere(visitor: Visitor) -> None:
    """Log out in another tab of the same browser."""
    assert visitor.post("/logout", "/").status_code == 303


def test_what_an_organiser_typed_survives_logging_in_again(
    alice: Visitor, session: Session
) -> None:
    form = {"csrf_token": csrf_token(alice.get(NEW)), **TYPED}
    end_session_elsewhere(alice)

    kept = alice.client.post(NEW, data=form)
    assert kept.status_code == 422
    assert "what you typed is still here. Log in to continue" in text_of(kept)
    assert names(session) == []

    wrong = log_in_again(alice, kept, password="not this one")
    assert wrong.status_code == 422
    again = log_in_again(alice, wrong)

    assert again.status_code == 200
    assert "You’re logged in again. Check the form, then send it." in text_of(again)
    assert 'value="Spring Raffle"' in again.text
    assert 'value="2026-12-24"' in again.text
    assert "&lt;b&gt;Klingel&lt;/b&gt;" in again.text
    assert names(session) == []

    sent = alice.client.post(NEW, data={**TYPED, "csrf_token": csrf_token(again)})
    assert sent.status_code == 303
    assert names(session) == [("Spring Raffle", date(2026, 12, 24))]


def test_a_number_of_ballots_survives_logging_in_again(bob: Visitor, big_chance: Lottery) -> None:
    page = bob.get("/")
    form = {
        "csrf_token": csrf_token(page), "submission": str(submission_token(page)), "count": "77",
    }  # fmt: skip
    end_session_elsewhere(bob)

    kept = bob.client.post(f"/lotteries/{big_chance.id}/ballots", data=form)
    again = log_in_again(bob, kept, username="bob")

    assert 'value="77"' in again.text
    assert str(submission_token(page)) not in again.text


def test_one_click_without_a_session_has_nothing_to_keep_and_leads_to_the_log_in(
    bob: Visitor, big_chance: Lottery
) -> None:
    page = bob.get("/")
    form = {"csrf_token": csrf_token(page), "submission": str(submission_token(page))}
    end_session_elsewhere(bob)

    answer = bob.client.post(f"/lotteries/{big_chance.id}/ballots", data=form)

    assert (answer.status_code, answer.location) == (303, "/login")


def test_a_form_of_a_session_before_this_one_comes_back_filled_in(
    alice: Visitor, session: Session
) -> None:
    form = {"csrf_token": csrf_token(alice.get(NEW)), **TYPED}
    end_session_elsewhere(alice)
    alice.log_in("alice")

    answer = alice.client.post(NEW, data=form)

    assert answer.status_code == 400
    assert "This form is out of date" in text_of(answer)
    assert 'value="Spring Raffle"' in answer.text
    assert names(session) == []


def test_a_form_that_another_site_sends_is_not_filled_in(alice: Visitor, session: Session) -> None:
    answer = alice.client.post(NEW, data=TYPED, headers={"Origin": "https://evil.example"})

    assert answer.status_code == 400
    assert "This form wasn’t sent from this website" in text_of(answer)
    assert "Spring Raffle" not in answer.text
    assert names(session) == []


def test_a_password_is_never_kept_on_the_log_in_page(alice: Visitor) -> None:
    form = {"csrf_token": "x", "current": "my secret words", "new": "my newer words"}
    end_session_elsewhere(alice)

    answer = alice.client.post("/account/password", data=form)

    assert "my secret words" not in answer.text
    assert "my newer words" not in answer.text


def test_who_is_no_organiser_does_not_get_their_form_by_logging_in(
    log_in: LogIn, session: Session
) -> None:
    bob = log_in("bob")
    end_session_elsewhere(bob)
    page = bob.get("/login")
    form = {
        "csrf_token": csrf_token(page), "username": "bob", "password": PASSWORD,
        "resume": NEW, **TYPED,
    }  # fmt: skip

    assert bob.client.post("/login", data=form).status_code == 403


@pytest.mark.parametrize("path", ["https://evil.example/", "/nowhere", "/logout", "//x", "", "\0"])
def test_the_log_in_page_resumes_nothing_but_forms_of_this_site(alice: Visitor, path: str) -> None:
    end_session_elsewhere(alice)
    page = alice.get("/login")
    form = {"csrf_token": csrf_token(page), "username": "alice", "password": PASSWORD}

    answer = alice.client.post("/login", data={**form, "resume": path})

    assert (answer.status_code, answer.location) == (303, "/")


def test_a_sign_up_form_that_is_out_of_date_keeps_the_username(stranger: Visitor) -> None:
    form = {"csrf_token": "of yesterday", "username": "dana", "password": PASSWORD}
    stranger.get("/signup")

    answer = stranger.client.post("/signup", data=form)

    assert answer.status_code == 400
    assert "This form is out of date" in text_of(answer)
    assert 'value="dana"' in answer.text
    assert PASSWORD not in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [(NEW, 403), ("/organiser/lotteries/1", 403), ("/organiser/lotteries/1/withdraw", 403)],
)
def test_a_form_that_is_out_of_date_shows_nobody_a_page_that_is_not_theirs(
    log_in: LogIn, big_chance: Lottery, path: str, status: int
) -> None:
    answer = log_in("bob").client.post(path, data={**TYPED, "csrf_token": "of another time"})

    assert answer.status_code == status
    assert "This page is for organisers." in text_of(answer)
    assert "Spring Raffle" not in answer.text
    assert "Big Chance" not in answer.text


def test_a_form_that_is_out_of_date_of_something_that_is_not_there_is_no_fault_of_ours(
    alice: Visitor,
) -> None:
    data = {**TYPED, "csrf_token": "of another time"}

    assert alice.client.post("/organiser/lotteries/999", data=data).status_code == 404
