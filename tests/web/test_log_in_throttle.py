"""Guessing is bounded; a stranger cannot lock somebody out."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.models import Throttle
from tests.conftest import PASSWORD, Cast, Clock
from tests.web.conftest import Visitor, text_of


def at(app: Flask, address: str) -> Visitor:
    visitor = Visitor(app.test_client())
    visitor.client.environ_base["REMOTE_ADDR"] = address
    return visitor


def guess(visitor: Visitor, username: str, times: int) -> list[int]:
    return [visitor.log_in(username, "wrong horse battery").status_code for _ in range(times)]


def test_an_account_cannot_be_guessed_at_for_ever_from_one_address(app: Flask, cast: Cast) -> None:
    thief = at(app, "192.0.2.1")

    assert guess(thief, "bob", 11) == [422] * 10 + [429]
    refused = thief.log_in("bob", PASSWORD)
    assert refused.status_code == 429
    assert "Wait ten minutes" in text_of(refused)


def test_after_a_while_one_may_try_again(app: Flask, cast: Cast, clock: Clock) -> None:
    forgetful = at(app, "192.0.2.1")
    guess(forgetful, "bob", 11)

    clock.turn(timedelta(minutes=10))

    assert forgetful.log_in("bob").status_code == 303


def test_a_strangers_guesses_do_not_lock_the_account_elsewhere(app: Flask, cast: Cast) -> None:
    guess(at(app, "192.0.2.1"), "bob", 30)

    assert at(app, "198.51.100.7").log_in("bob").status_code == 303


def test_a_browser_that_logged_in_before_is_not_locked_out_by_any_stranger(
    app: Flask, cast: Cast
) -> None:
    """Many strangers, at many addresses, one of them that of bob himself."""
    bob = at(app, "192.0.2.1")
    bob.log_in("bob")
    bob.post("/logout", page="/")
    for host in range(1, 13):
        guess(at(app, f"192.0.2.{host}"), "bob", 10)
    assert at(app, "198.51.100.7").log_in("bob").status_code == 429  # an unknown browser

    assert bob.log_in("bob").status_code == 303


def test_a_known_browser_may_not_guess_for_ever_either(app: Flask, cast: Cast) -> None:
    bob = at(app, "192.0.2.1")
    bob.log_in("bob")
    bob.post("/logout", page="/")

    assert guess(bob, "bob", 11) == [422] * 10 + [429]


def test_a_known_browser_of_one_account_is_unknown_to_another(app: Flask, cast: Cast) -> None:
    charlie = at(app, "192.0.2.1")
    charlie.log_in("charlie")
    charlie.post("/logout", page="/")
    guess(at(app, "192.0.2.1"), "bob", 10)

    assert charlie.log_in("bob").status_code == 429
    assert charlie.log_in("charlie").status_code == 303


def test_an_address_cannot_try_one_password_on_many_accounts(app: Flask, cast: Cast) -> None:
    thief = at(app, "192.0.2.1")

    statuses = [guess(thief, f"user{number}", 1)[0] for number in range(101)]

    assert statuses == [422] * 100 + [429]


def test_addresses_of_one_ipv6_network_count_as_one(app: Flask, cast: Cast) -> None:
    for host in range(10):
        guess(at(app, f"2001:db8::{host:x}"), "bob", 1)

    assert guess(at(app, "2001:db8::ffff"), "bob", 1) == [429]
    assert guess(at(app, "2001:db8:0:1::1"), "bob", 1) == [422]


def test_logging_in_with_the_right_password_is_not_bounded(app: Flask, cast: Cast) -> None:
    for _ in range(40):
        assert at(app, "192.0.2.1").log_in("bob").status_code == 303


def test_an_unknown_account_is_throttled_like_a_known_one(app: Flask, cast: Cast) -> None:
    assert guess(at(app, "192.0.2.1"), "nobody", 11) == [422] * 10 + [429]


def test_counters_hold_no_username_and_no_password(
    app: Flask, cast: Cast, session: Session
) -> None:
    guess(at(app, "192.0.2.1"), "charlie", 1)

    keys = session.scalars(select(Throttle.key)).all()
    assert len(keys) == 3
    assert not any("charlie" in key or "horse" in key for key in keys)


@pytest.mark.parametrize("cookie", ["", "x", "[]", "WyJhIl0.bad", "bnVsbA"])
def test_a_forged_cookie_makes_no_browser_known(app: Flask, cast: Cast, cookie: str) -> None:
    thief = at(app, "192.0.2.1")
    thief.client.set_cookie("known", cookie)

    assert guess(thief, "bob", 11)[-1] == 429


def test_sign_ups_from_one_address_are_bounded(app: Flask, cast: Cast) -> None:
    visitor = at(app, "192.0.2.1")

    statuses = [visitor.post("/signup", username="x", password="y").status_code for _ in range(61)]

    assert statuses == [422] * 60 + [429]
