"""Rate limits of wrong passwords: guessing is limited; strangers can't lock somebody out."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from lottery_system import passwords
from lottery_system.extensions import db
from lottery_system.models import Throttle
from lottery_system.parts import parts_of
from lottery_system.web import log_in_throttle
from lottery_system.web.log_in_throttle import PLACES_TO_WAIT, Attempt
from tests.conftest import FIRST_NOON, PASSWORD, Cast, Clock
from tests.web.conftest import KNOWN, Visitor, csrf_token, text_of
from tests.web.test_query_counts import statements


def at(app: Flask, address: str) -> Visitor:
    visitor = Visitor(app.test_client())
    visitor.client.environ_base["REMOTE_ADDR"] = address
    return visitor


def guess(visitor: Visitor, username: str, times: int) -> list[int]:
    return [visitor.log_in(username, "wrong horse battery").status_code for _ in range(times)]


def wrong_before(session: Session, username: str, count: int, where: str = "account") -> None:
    """Have so many wrong passwords of an account been counted, at many addresses."""
    with session.begin():
        session.merge(
            Throttle(
                key=f"log in/{where}/{Attempt(username).account}", attempt_count=count,
                expires_at=FIRST_NOON + timedelta(hours=1),
            )
        )  # fmt: skip


def writes(found: list[str]) -> list[str]:
    return [each for each in found if each.startswith(("INSERT", "UPDATE", "DELETE", "BEGIN"))]


@pytest.fixture
def waits(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that were waited, at once, with no connection held."""
    found: list[float] = []

    def wait(seconds: float) -> None:
        found.append(seconds)
        with app.app_context():
            pools = [engine.pool for engine in db.engines.values()]
        assert not any(pool.checkedout() for pool in pools if isinstance(pool, QueuePool))

    monkeypatch.setattr(log_in_throttle, "sleep", wait)
    return found


def test_an_account_cannot_be_guessed_at_for_ever_from_one_address(app: Flask, cast: Cast) -> None:
    thief = at(app, "192.0.2.1")

    assert guess(thief, "bob", 11) == [422] * 10 + [429]
    refused = thief.log_in("bob", PASSWORD)
    assert refused.status_code == 429
    assert "Too many wrong passwords. Wait 10 minutes, then try again." in text_of(refused)
    assert refused.headers["Retry-After"] == "600"


def test_whoever_is_refused_is_told_how_long_it_really_is(
    app: Flask, cast: Cast, clock: Clock
) -> None:
    thief = at(app, "192.0.2.1")
    guess(thief, "bob", 10)
    clock.turn(timedelta(minutes=8, seconds=50))

    refused = thief.log_in("bob")

    assert "Wait 2 minutes, then" in text_of(refused)
    assert refused.headers["Retry-After"] == "70"
    clock.turn(timedelta(seconds=69))
    assert "Wait 1 minute, then" in text_of(thief.log_in("bob"))
    clock.turn(timedelta(seconds=1))
    assert thief.log_in("bob").status_code == 303


def test_after_a_while_one_may_try_again(app: Flask, cast: Cast, clock: Clock) -> None:
    forgetful = at(app, "192.0.2.1")
    guess(forgetful, "bob", 11)

    clock.turn(timedelta(minutes=10))

    assert forgetful.log_in("bob").status_code == 303


def test_a_strangers_guesses_do_not_lock_the_account_elsewhere(app: Flask, cast: Cast) -> None:
    guess(at(app, "192.0.2.1"), "bob", 30)

    assert at(app, "198.51.100.7").log_in("bob").status_code == 303


def test_a_browser_that_logged_in_before_neither_waits_nor_is_locked_out_by_any_stranger(
    app: Flask, cast: Cast, session: Session, waits: list[float]
) -> None:
    """Many strangers, at many addresses, one of them that of bob himself."""
    bob = at(app, "192.0.2.1")
    bob.log_in("bob")
    bob.post("/logout", page="/")
    guess(at(app, "192.0.2.1"), "bob", 10)
    wrong_before(session, "bob", 1000)

    assert bob.log_in("bob").status_code == 303
    assert waits == []


@pytest.mark.parametrize(
    ("wrong", "wait"), [(99, []), (100, [1]), (119, [1]), (120, [2]), (5000, [10])]
)
def test_an_account_that_many_strangers_guess_at_makes_a_fresh_browser_wait_and_lets_it_in(
    app: Flask, cast: Cast, session: Session, waits: list[float], wrong: int, wait: list[float]
) -> None:
    wrong_before(session, "bob", wrong)

    assert at(app, "198.51.100.7").log_in("bob").status_code == 303
    assert waits == wait
    assert at(app, "198.51.100.7").log_in("charlie").status_code == 303
    assert waits == wait


def test_whoever_waits_holds_no_connection_and_finds_a_place_or_is_told_when(
    app: Flask, cast: Cast, session: Session, waits: list[float], engines: list[Engine]
) -> None:
    wrong_before(session, "bob", 100)
    places = parts_of(app).log_in_waits
    for _ in range(PLACES_TO_WAIT):
        assert places.acquire(blocking=False)
    visitor = at(app, "198.51.100.7")

    with statements(engines) as found:
        refused = visitor.log_in("bob")

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
    assert not writes(found)
    places.release()
    for _ in range(2):  # a place that was used is free again
        assert at(app, "198.51.100.7").log_in("bob").status_code == 303
    assert waits == [1, 1]


def test_wrong_passwords_of_one_address_do_not_slow_the_account_down_for_others(
    app: Flask, cast: Cast, session: Session, waits: list[float]
) -> None:
    """What is refused counts for nothing."""
    assert guess(at(app, "192.0.2.1"), "bob", 40) == [422] * 10 + [429] * 30

    assert at(app, "198.51.100.7").log_in("bob").status_code == 303
    assert waits == []
    counts = session.scalars(select(Throttle.attempt_count).order_by(Throttle.key)).all()
    assert sorted(counts) == [0, 0, 10, 10, 10]


@pytest.mark.parametrize("given_settings", [{"LOTTERY_SIGN_UPS_PER_HOUR": "2"}])
def test_what_is_refused_writes_nothing_and_hashes_nothing(
    app: Flask, cast: Cast, engines: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    thief, crowd = at(app, "192.0.2.1"), at(app, "192.0.2.2")
    bob = at(app, "192.0.2.3")
    bob.log_in("bob")
    token = csrf_token(bob.get("/account"))
    guess(thief, "bob", 10)
    for _ in range(10):
        bob.client.post("/account/close", data={"csrf_token": token, "current": "wrong horse"})
    for number in range(2):
        crowd.post("/signup", username=f"crowd{number}", password=PASSWORD)
        crowd.post("/logout", page="/")
    monkeypatch.setattr(passwords, "_offload", None)  # what would hash or check, fails

    with statements(engines) as found:
        answers = [
            thief.log_in("bob"),
            bob.client.post("/account/close", data={"csrf_token": token, "current": PASSWORD}),
            bob.client.post(
                "/account/password",
                data={"csrf_token": token, "current": PASSWORD, "new": "seven lazy badgers"},
            ),
            crowd.post("/signup", username="dana", password="seven lazy badgers"),
        ]

    assert [answer.status_code for answer in answers] == [429] * 4
    assert [answer.headers["Retry-After"] for answer in answers] == ["600"] * 3 + ["3600"]
    assert not writes(found)


def test_tries_at_the_same_instant_are_bounded_as_well(
    app: Flask, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them look before the first has counted."""
    monkeypatch.setattr(log_in_throttle, "look", lambda limits, now: [0 for _ in limits])

    assert guess(at(app, "192.0.2.1"), "bob", 11) == [422] * 10 + [429]


def test_a_known_browser_may_not_guess_for_ever_either(app: Flask, cast: Cast) -> None:
    bob = at(app, "192.0.2.1")
    bob.log_in("bob")
    bob.post("/logout", page="/")

    assert guess(bob, "bob", 11) == [422] * 10 + [429]


def test_whoever_has_made_many_known_browsers_waits_and_makes_no_other_wait(
    app: Flask, cast: Cast, session: Session, waits: list[float]
) -> None:
    """Somebody who knew the password before it was changed may have logged in many times."""
    thief, other = at(app, "192.0.2.1"), at(app, "192.0.2.2")
    for known in (thief, other):
        known.log_in("bob")
        known.post("/logout", page="/")
    wrong_before(session, "bob", 99, "known")
    guess(thief, "bob", 1)
    assert waits == []

    assert guess(other, "bob", 1) == [422]
    assert waits == [1]
    assert at(app, "198.51.100.7").log_in("bob").status_code == 303
    assert waits == [1]


def test_an_account_is_guessed_at_as_one_however_its_name_is_typed(app: Flask, cast: Cast) -> None:
    named = Visitor(app.test_client()).post(
        "/signup", username="ᾴων", password="seven lazy badgers"
    )
    assert named.status_code == 303
    thief = at(app, "192.0.2.1")

    assert guess(thief, "ᾴων", 10) == [422] * 10
    for typed in ("α\u0345\u0301ων", "Α\u0301\u0345ΩΝ", " ᾴΩΝ "):
        assert guess(thief, typed, 1) == [429], typed


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
    thief.client.set_cookie(KNOWN, cookie)

    assert guess(thief, "bob", 11)[-1] == 429


@pytest.mark.parametrize("given_settings", [{"LOTTERY_SIGN_UPS_PER_HOUR": "3"}])
def test_sign_ups_from_one_address_are_bounded_however_many_forms_are_mistyped(
    app: Flask, cast: Cast
) -> None:
    def sign_up(username: str, password: str = PASSWORD, address: str = "192.0.2.1") -> int:
        return at(app, address).post("/signup", username=username, password=password).status_code

    mistyped = [("x", PASSWORD), ("", ""), ("dana", "short"), ("dana", "password1")]
    assert [sign_up(*each) for each in mistyped] == [422] * 4

    assert [sign_up("dana"), sign_up("bob"), sign_up("erin")] == [303, 422, 303]  # bob is there
    assert [sign_up("frank"), sign_up(*mistyped[0])] == [429, 429]
    assert sign_up("frank", address="192.0.2.2") == 303
    assert "Wait 60 minutes, then try again." in text_of(at(app, "192.0.2.1").post("/signup"))
