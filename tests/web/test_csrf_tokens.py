"""CSRF tokens: different on every page, all valid for the session's lifetime."""

import re

import pytest
from flask import Flask
from flask import session as flask_session
from flask_wtf.csrf import generate_csrf

from lottery_system.csrf_tokens import csrf_token
from tests.conftest import Cast
from tests.web.conftest import LogIn, Visitor, text_of

PAGES = (
    "/", "/?q=Big", "/account", "/account/close", "/organiser/lotteries/new",
    "/organiser/lotteries/1", "/organiser/lotteries/1/withdraw",
)  # fmt: skip
PAGES_OF_STRANGERS = ("/signup", "/login")


def tokens(page: str) -> set[str]:
    return set(re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page))


@pytest.mark.usefixtures("big_chance")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_page_has_anything_of_the_token_of_another(alice: Visitor, stranger: Visitor) -> None:
    """What is compressed beside a text that a stranger chose must not be the same each time."""
    seen = [tokens(alice.get(path).text) for path in 2 * PAGES]
    seen += [tokens(stranger.get(path).text) for path in 2 * PAGES_OF_STRANGERS]

    assert [len(each) for each in seen] == [1] * len(seen)
    texts = [text for each in seen for text in each]
    assert len({text[:10] for text in texts}) == len({text[-10:] for text in texts}) == len(texts)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_token_of_any_page_of_a_session_is_good(bob: Visitor) -> None:
    early, late = (tokens(bob.get("/").text).pop() for _ in range(2))

    for token in (late, early):
        answer = bob.client.post("/account/language", data={"csrf_token": token, "language": "en"})
        assert answer.status_code == 303


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_page_that_was_open_before_the_upgrade_can_be_sent(app: Flask, bob: Visitor) -> None:
    with bob.client.session_transaction() as session:
        secret = session.setdefault("csrf_token", "ab" * 20)
    with app.test_request_context():
        flask_session["csrf_token"] = secret
        signed = generate_csrf()

    answer = bob.client.post("/account/language", data={"csrf_token": signed, "language": "en"})

    assert answer.status_code == 303


@pytest.mark.usefixtures("cast")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("token", ["", "x", "A" * 56, "Ä" * 56, "=" * 56, "A" * 55])
def test_a_token_that_is_made_up_is_refused(bob: Visitor, token: str) -> None:
    bob.get("/")

    answer = bob.client.post("/account/language", data={"csrf_token": token, "language": "de"})

    assert answer.status_code == 400
    assert "Nothing was saved" in text_of(answer)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_token_of_somebody_else_is_refused(cast: Cast, log_in: LogIn) -> None:
    token = tokens(log_in("alice").get("/").text).pop()

    answer = log_in("bob").client.post(
        "/account/language", data={"csrf_token": token, "language": "de"}
    )

    assert answer.status_code == 400


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_token_is_of_the_session_at_hand_though_another_has_just_ended(app: Flask) -> None:
    with app.test_request_context():
        ended = csrf_token()
        flask_session.clear()

        assert csrf_token() not in {ended, ""}
        assert csrf_token() == csrf_token()
