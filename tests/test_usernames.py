"""Which usernames there may be, and when two are too much alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery_system.usernames import BadUsername, enforce_username, look_alike_key, username_key


@pytest.mark.parametrize(
    "username",
    ["bob", "Bob.Smith-42", "x_y", "Ծովինար", "שלום", "مرحبا", "王小明", "José", "Łukasz"],
)
def test_names_of_any_script_may_be_chosen(username: str) -> None:
    assert enforce_username(username) == username


@pytest.mark.parametrize(
    ("typed", "stored"), [("  bob \n", "bob"), ("ｂｏｂ", "bob"), ("Jose\u0301", "José")]
)
def test_a_name_is_stored_in_one_form(typed: str, stored: str) -> None:
    assert enforce_username(typed) == stored


@pytest.mark.parametrize(
    "username",
    ["", "ab", "a" * 33, "<b>bob", "bo b", "\x00bob", "b\u200dob", "b\u202eob", "-bob",
     "bob.", "bob@home", "Ⅳbob", "\ud800bob", "bob😀", "1אבc"],
)  # fmt: skip
def test_other_names_cannot_be_had(username: str) -> None:
    with pytest.raises(BadUsername):
        enforce_username(username)


@given(st.text(max_size=40))
def test_whatever_is_typed_is_refused_or_has_one_form(text: str) -> None:
    try:
        username = enforce_username(text)
    except BadUsername:
        return
    assert enforce_username(username) == username
    assert 3 <= len(username) <= 32
    assert username_key(username) == username_key(username_key(username))
    assert username_key(username.upper()) == username_key(username) or not username.isascii()


@pytest.mark.parametrize(
    ("one", "other"),
    [("alice", "аlice"), ("Ivan", "lvan"), ("alice", "a1ice"), ("b0b", "bob"), ("modern", "modem"),
     ("paypal", "раураl"), ("BOB", "B0B"), ("lisa", "Iisa")],
)  # fmt: skip
def test_names_that_look_the_same_have_one_key(one: str, other: str) -> None:
    assert look_alike_key(one) == look_alike_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("alice", "alicia"), ("jose", "josé"), ("anna", "hanna"), ("bob1", "bob2")]
)
def test_names_that_differ_to_the_eye_have_two(one: str, other: str) -> None:
    assert look_alike_key(one) != look_alike_key(other)
