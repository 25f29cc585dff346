"""Signing up."""

import gzip

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lottery_system import passwords
from lottery_system.models import LoginSession, User
from tests.conftest import Cast, Clock
from tests.web.conftest import Visitor, text_of


def count_users(session: Session) -> int | None:
    with session.begin():
        return session.scalar(select(func.count()).select_from(User))


def test_whoever_signs_up_is_logged_in(clock: Clock, stranger: Visitor, session: Session) -> None:
    answer = stranger.post("/signup", username="Dana", password="correct horse")

    assert (answer.status_code, answer.location) == (303, "/")
    assert "Log out (Dana)" in text_of(stranger.get("/"))
    user = session.scalars(select(User)).one()
    assert (user.username, user.is_organiser) == ("Dana", False)
    assert user.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize(
    ("username", "says"),
    [
        ("", "Enter a username."),
        ("ab", "3 to 32 characters"),
        ("x" * 33, "3 to 32 characters"),
        ("<script>", "Use only letters"),
        ("dana\u202egro", "some of the characters"),
        ("dana\x00", "some of the characters"),
        ("da na", "some of the characters"),
        (".dana", "must start and end with"),
        ("BOB", "taken, or looks too similar to"),
        ("b0b", "taken, or looks too similar to"),
        ("bоb", "taken, or looks too similar to"),  # the middle letter is Cyrillic
        ("alice\U00016fe4", "Remove the invisible characters"),
        ("a" + "\u0301" * 30, "at most 4 accents"),
        ("аlice", "taken, or looks too similar to"),  # so is the first
    ],
)
def test_a_bad_username_is_refused_with_a_sentence(
    cast: Cast, stranger: Visitor, session: Session, username: str, says: str
) -> None:
    answer = stranger.post("/signup", username=username, password="correct horse")

    assert answer.status_code == 422
    assert says in text_of(answer)
    assert count_users(session) == 3


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("", "Enter a password."),
        ("1234567", "8 to 128 characters"),
        ("x" * 129, "8 to 128 characters"),
        ("Password1", "too common"),
        ("letmein123", "too common"),  # beyond the first 30,000
        ("LetMeIn123", "too common"),
        ("dana-the-great", "too similar to your username or the lottery’s name"),
        ("D4na-the-Gre@t1234", "too similar to your username"),
        ("lotterylottery", "too similar to your username or the lottery’s name"),
        ("L0ttery2026", "too similar to your username"),
        ("Lottery.Local!", "too similar to your username"),
        ("LoteríaLotto!", "too similar to your username"),
        ("correct\thorse", "some of the characters"),
    ],
)
def test_a_bad_password_is_refused_and_what_else_was_typed_stays(
    clock: Clock, stranger: Visitor, session: Session, password: str, says: str
) -> None:
    answer = stranger.post("/signup", username="Dana-the-Great", password=password)

    assert answer.status_code == 422
    assert says in text_of(answer)
    assert 'value="Dana-the-Great"' in answer.text
    assert password not in answer.text or not password
    assert count_users(session) == 0


@pytest.mark.parametrize("password", ["lottery horse", "dana-the-great-badger"])
def test_a_password_may_have_such_words_among_others(
    clock: Clock, stranger: Visitor, password: str
) -> None:
    answer = stranger.post("/signup", username="Dana-the-Great", password=password)

    assert answer.status_code == 303


def test_the_common_passwords_are_many_and_sorted_as_passwords_are_asked_for() -> None:
    """Each in the one form in which it is looked up, so that the look-up is exact."""
    common = gzip.decompress(passwords.COMMON.read_bytes()).decode().splitlines()

    assert len(common) >= 100_000
    assert common == sorted(set(common))
    assert all(len(each) >= passwords.SHORTEST for each in common)
    assert all(each == each.casefold() for each in common)
    assert passwords.COMMON.stat().st_size < 500_000


def test_a_name_with_a_joiner_and_one_without_are_not_both_had(
    clock: Clock, stranger: Visitor, session: Session
) -> None:
    taken = stranger.post("/signup", username="علی\u200cرضا", password="correct horse")
    stranger.post("/logout", "/")

    refused = stranger.post("/signup", username="علیرضا", password="correct horse")

    assert (taken.status_code, refused.status_code) == (303, 422)
    assert "looks too similar to" in text_of(refused)
    assert stranger.log_in("علی\u200cرضا", "correct horse").status_code == 303


def test_markup_in_a_refused_username_is_shown_as_text(clock: Clock, stranger: Visitor) -> None:
    answer = stranger.post("/signup", username='"><img src=x>', password="correct horse")

    assert "<img" not in answer.text
    assert 'value="&#34;&gt;&lt;img src=x&gt;"' in answer.text


def test_signing_up_needs_the_form_of_this_site(
    clock: Clock, stranger: Visitor, session: Session
) -> None:
    answer = stranger.client.post("/signup", data={"username": "dana", "password": "correct horse"})

    assert answer.status_code == 400
    assert "Nothing was saved" in text_of(answer)
    assert count_users(session) == 0
    assert session.scalar(select(func.count()).select_from(LoginSession)) == 0


def test_whoever_is_logged_in_is_sent_on(bob: Visitor) -> None:
    assert bob.get("/signup").location == "/"
    assert bob.get("/login").location == "/"
