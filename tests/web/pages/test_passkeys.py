"""Passkeys: adding them, logging in with one alone, and what is refused."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from lottery_system.models import AccountEvent, LoginSession, Passkey, User
from lottery_system.models.block import block
from lottery_system.models.passkey import MOST
from tests.conftest import FIRST_NOON, PASSWORD, Cast, Clock
from tests.stand_ins.authenticators import Authenticator, base64url
from tests.web.conftest import SESSION, LogIn, Visitor, csrf_token, text_of

SECURITY, PASSKEYS = "/account/security", "/account/security/passkeys"
LOG_IN = "/login/passkey"
OPTIONS = "/options"
Add = Callable[[Visitor], Authenticator]


def options_of(visitor: Visitor, path: str) -> dict[str, Any]:
    answer = visitor.get(path)
    assert answer.status_code == 200, answer.text
    options: dict[str, Any] = json.loads(answer.text)
    return options


def add_passkey(
    visitor: Visitor, device: Authenticator | None = None, name: str = "My phone"
) -> Authenticator:
    device = device or Authenticator()
    answer = device.create(options_of(visitor, PASSKEYS + OPTIONS))
    added = visitor.post(PASSKEYS, SECURITY, name=name, credential=answer)
    # the first one comes with recovery codes
    assert added.status_code == 303 or "Your new recovery codes" in added.text, text_of(added)
    return device


def log_in_with(visitor: Visitor, device: Authenticator, **changed: Any) -> TestResponse:
    visitor.get("/login")
    answer = device.sign(options_of(visitor, LOG_IN + OPTIONS), **changed)
    return visitor.post(LOG_IN, "/login", credential=answer)


def events_of(session: Session, user: User) -> list[str]:
    with session.begin():
        query = select(AccountEvent.kind).where(AccountEvent.user_id == user.id)
        return list(session.scalars(query.order_by(AccountEvent.id)))


def passkeys_in(session: Session) -> list[Passkey]:
    with session.begin():
        return list(session.scalars(select(Passkey).execution_options(populate_existing=True)))


@pytest.fixture
def stranger_elsewhere(app: Flask) -> Visitor:
    """Return somebody at another browser."""
    return Visitor(app.test_client())


def test_a_passkey_logs_in_without_username_and_password(
    bob: Visitor, stranger: Visitor, session: Session, cast: Cast
) -> None:
    device = add_passkey(bob)
    assert "My phone" in text_of(bob.get(SECURITY))

    answer = log_in_with(stranger, device)

    assert (answer.status_code, answer.location) == (303, "/")
    assert "bob" in text_of(stranger.get("/account"))
    assert events_of(session, cast.bob)[-2:] == ["passkey_added", "logged_in"]
    with session.begin():
        rows = session.scalars(select(LoginSession.second_factor_at)).all()
    assert rows == [FIRST_NOON, FIRST_NOON]
    [passkey] = passkeys_in(session)
    assert (passkey.used_at, passkey.sign_count) == (FIRST_NOON, 1)


def test_a_log_in_by_passkey_goes_where_one_was_going(bob: Visitor, stranger: Visitor) -> None:
    device = add_passkey(bob)
    page = stranger.get("/login?next=/ballots")
    assert 'action="/login/passkey?next=/ballots"' in page.text.replace("%2F", "/")
    answer = device.sign(options_of(stranger, LOG_IN + OPTIONS))

    logged_in = stranger.post(f"{LOG_IN}?next=/ballots", "/login", credential=answer)

    assert logged_in.location == "/ballots"


def test_a_passkey_that_does_not_count_is_used_again_and_again(
    bob: Visitor, log_in: LogIn, app: Flask
) -> None:
    device = add_passkey(bob, Authenticator(counts=False))

    for _ in range(3):
        assert log_in_with(Visitor(app.test_client()), device).status_code == 303


@pytest.mark.parametrize(
    "changed",
    [
        {"domain": "lottery.example"},
        {"origin": "https://lottery.example"},
        {"origin": "http://localhost:8080"},
        {"verifies": False},
        {"user_handle": base64url(b"somebody else's")},
    ],
    ids=lambda changed: "=".join(map(str, *changed.items())),
)
def test_a_passkey_of_another_site_origin_or_account_does_not_log_in(
    bob: Visitor, stranger: Visitor, session: Session, changed: dict[str, Any]
) -> None:
    device = add_passkey(bob)

    answer = log_in_with(stranger, replace(device, **changed))

    assert answer.status_code == 422
    assert "This passkey didn’t work here." in text_of(answer)
    assert stranger.get("/").status_code == 303
    assert passkeys_in(session)[0].used_at is None


def test_a_passkey_with_another_key_does_not_log_in_nor_is_the_right_one_blamed(
    bob: Visitor, stranger: Visitor, session: Session
) -> None:
    device = add_passkey(bob)
    assert log_in_with(stranger, device).status_code == 303
    forger = Authenticator(
        credential_id=device.credential_id, user_handle=device.user_handle, counts=False
    )

    stranger.client.delete_cookie(SESSION)
    assert log_in_with(stranger, forger).status_code == 422
    assert log_in_with(stranger, device).status_code == 303

    assert passkeys_in(session)[0].copied_at is None


def test_a_challenge_is_answered_once_in_its_time_and_by_its_browser(
    bob: Visitor, stranger: Visitor, stranger_elsewhere: Visitor, clock: Clock
) -> None:
    device = add_passkey(bob, Authenticator(counts=False))
    for visitor in (stranger, stranger_elsewhere):
        visitor.get("/login")
    options = options_of(stranger, LOG_IN + OPTIONS)
    foreign = options_of(stranger_elsewhere, LOG_IN + OPTIONS)
    other_purpose = options_of(bob, PASSKEYS + OPTIONS)

    for wrong in (foreign, other_purpose, {"challenge": base64url(b"made up")}):
        refused = stranger.post(LOG_IN, "/login", credential=device.sign(wrong))
        assert (refused.status_code, refused.headers.get("Location")) == (422, None)
    cookie = stranger.client.get_cookie(SESSION)
    assert cookie is not None
    answer = device.sign(options)
    assert stranger.post(LOG_IN, "/login", credential=answer).status_code == 303

    # a thief of answer and cookie is refused
    stranger.client.set_cookie(SESSION, cookie.value)
    assert stranger.post(LOG_IN, "/login", credential=answer).status_code == 422
    late = device.sign(options_of(stranger, LOG_IN + OPTIONS))
    clock.turn(timedelta(minutes=6))
    assert stranger.post(LOG_IN, "/login", credential=late).status_code == 422


def test_a_copied_passkey_is_refused_for_good_and_its_holder_is_told(
    bob: Visitor, stranger: Visitor, stranger_elsewhere: Visitor, session: Session, cast: Cast
) -> None:
    device = add_passkey(bob)
    thiefs = device.copy()
    assert log_in_with(stranger, device).status_code == 303

    stolen = log_in_with(stranger_elsewhere, thiefs)

    assert stolen.status_code == 422
    assert "another device seems to have a copy of it" in text_of(stolen)
    assert events_of(session, cast.bob)[-1] == "passkey_copied"
    # neither works any more, and it is said once
    for each in (device, device, thiefs):
        stranger_elsewhere.client.delete_cookie(SESSION)
        assert log_in_with(stranger_elsewhere, each).status_code == 422
    assert events_of(session, cast.bob).count("passkey_copied") == 1
    assert stranger_elsewhere.log_in("bob").status_code == 303
    assert "Something was done to your account" in text_of(stranger_elsewhere.get("/"))
    assert "refused: another device seems to have a copy" in text_of(
        stranger_elsewhere.get(SECURITY)
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"signature": b"x"},
        {"signature": b""},
        {"authenticatorData": b"\xff" * 9},
        {"authenticatorData": b""},
        {"authenticatorData": b"\xff" * 200},
        {"userHandle": b"x"},
        {"signature": None},
        {"authenticatorData": None},
    ],
    ids=lambda changed: "=".join(f"{key}-{value}" for key, value in changed.items()),
)
def test_an_answer_that_is_broken_behind_its_challenge_is_refused(
    bob: Visitor, stranger: Visitor, session: Session, changed: dict[str, Any]
) -> None:
    device = add_passkey(bob)

    answer = log_in_with(stranger, device, **changed)

    assert answer.status_code == 422
    assert "This passkey didn’t work here." in text_of(answer)
    assert passkeys_in(session)[0].copied_at is None


def test_a_passkey_whose_id_is_longer_than_any_is_not_added(bob: Visitor, session: Session) -> None:
    device = Authenticator(credential_id=bytes(1024))

    answer = bob.post(
        PASSKEYS,
        SECURITY,
        name="Key",
        credential=device.create(options_of(bob, PASSKEYS + OPTIONS)),
    )

    assert answer.status_code == 422
    assert passkeys_in(session) == []
    add_passkey(bob, Authenticator(credential_id=bytes(1023)))


def test_the_name_of_a_passkey_is_kept_through_a_log_in(bob: Visitor, stranger: Visitor) -> None:
    form = {"csrf_token": csrf_token(stranger.get("/login")), "name": "My “phone”"}
    kept = stranger.client.post(PASSKEYS, data=form)
    fields = {
        name: unescape(value)
        for name, value in re.findall(r'name="(resume|name)" value="([^"]*)"', kept.text)
    }

    answer = stranger.post("/login", username="bob", password=PASSWORD, **fields)

    assert fields["name"] == "My “phone”"
    assert answer.status_code == 200
    assert re.search(r'name="name"[^>]*value="My “phone”"', unescape(answer.text))


def test_an_unknown_passkey_is_told_so(bob: Visitor, stranger: Visitor) -> None:
    add_passkey(bob)

    answer = log_in_with(stranger, Authenticator())

    assert answer.status_code == 422
    assert "This passkey isn’t known here." in text_of(answer)


def test_a_blocked_account_is_not_logged_in_by_its_passkey(
    bob: Visitor, stranger: Visitor, session: Session, cast: Cast
) -> None:
    device = add_passkey(bob)
    with session.begin():
        block(session, cast.bob.id, "Sells ballots.", FIRST_NOON, cast.alice.id)

    answer = log_in_with(stranger, device)

    assert answer.status_code == 403
    assert "Sells ballots." in text_of(answer)


def test_a_closed_account_keeps_no_passkey(
    bob: Visitor, stranger: Visitor, session: Session
) -> None:
    device = add_passkey(bob)

    assert bob.post("/account/close", current=PASSWORD).status_code == 200

    assert passkeys_in(session) == []
    assert "isn’t known here" in text_of(log_in_with(stranger, device))


@pytest.mark.parametrize(
    "credential",
    [
        "", "null", "[]", "{}", "{", "1" * 9999, "[" * 5000, '{"rawId": 1}',
        '{"rawId": "", "response": {"clientDataJSON": "e30"}}',
        '{"rawId": "AA", "response": null}',
        '{"rawId": "AA", "response": {"clientDataJSON": "bnVsbA"}}',
        '{"rawId": "AA", "response": {"clientDataJSON": "!"}}',
        '{"rawId": "AA", "response": {"clientDataJSON": "eyJjaGFsbGVuZ2UiOjF9"}}',
    ],
)  # fmt: skip
def test_what_is_no_answer_of_a_browser_is_refused_with_a_sentence(
    bob: Visitor, stranger: Visitor, session: Session, credential: str
) -> None:
    refused = stranger.post(LOG_IN, "/login", credential=credential)
    not_added = bob.post(PASSKEYS, SECURITY, name="My phone", credential=credential)

    assert refused.status_code == 422
    assert "This passkey didn’t work here." in text_of(refused)
    assert not_added.status_code == 422
    assert "This passkey couldn’t be added." in text_of(not_added)
    assert passkeys_in(session) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "Enter a name, such as “My phone”."),
        ("x" * 41, "A passkey’s name can have up to 40 characters. Shorten it."),
        ("\u200b", "Remove the invisible characters and use plain text."),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    bob: Visitor, session: Session, name: str, says: str
) -> None:
    credential = Authenticator().create(options_of(bob, PASSKEYS + OPTIONS))

    answer = bob.post(PASSKEYS, SECURITY, name=name, credential=credential)

    assert answer.status_code == 422
    assert says in text_of(answer)
    assert passkeys_in(session) == []


def test_a_passkey_of_another_site_or_without_a_check_of_who_is_there_is_not_added(
    bob: Visitor, session: Session
) -> None:
    for device in (
        Authenticator(domain="lottery.example"),
        Authenticator(origin="https://lottery.example"),
        Authenticator(verifies=False),
    ):
        credential = device.create(options_of(bob, PASSKEYS + OPTIONS))
        answer = bob.post(PASSKEYS, SECURITY, name="Key", credential=credential)
        assert answer.status_code == 422
    assert passkeys_in(session) == []


def test_a_passkey_is_added_once_and_to_one_account(
    bob: Visitor, log_in: LogIn, session: Session
) -> None:
    device = add_passkey(bob)
    charlie = log_in("charlie")

    for visitor in (bob, charlie):
        credential = device.create(options_of(visitor, PASSKEYS + OPTIONS))
        answer = visitor.post(PASSKEYS, SECURITY, name="Again", credential=credential)
        assert answer.status_code == 422
        assert "has been added already" in text_of(answer)
    assert len(passkeys_in(session)) == 1


def test_an_account_has_ten_passkeys_at_most_and_a_device_makes_no_second_one(
    bob: Visitor, session: Session
) -> None:
    devices = [add_passkey(bob) for _ in range(MOST)]
    options = options_of(bob, PASSKEYS + OPTIONS)

    answer = bob.post(
        PASSKEYS, SECURITY, name="One more", credential=Authenticator().create(options)
    )

    known = {each["id"] for each in options["excludeCredentials"]}
    assert known == {base64url(each.credential_id) for each in devices}
    assert answer.status_code == 422
    assert "You have 10 passkeys" in text_of(answer)
    assert len(passkeys_in(session)) == MOST
    assert len({bytes(each.user_handle) for each in passkeys_in(session)}) == 1


def test_a_passkey_is_removed_by_its_holder_alone(
    bob: Visitor, log_in: LogIn, stranger: Visitor, session: Session, cast: Cast
) -> None:
    device = add_passkey(bob)
    [passkey] = passkeys_in(session)

    log_in("charlie").post(f"{PASSKEYS}/remove", SECURITY, passkey=passkey.id)
    assert len(passkeys_in(session)) == 1
    answer = bob.post(f"{PASSKEYS}/remove", SECURITY, passkey=passkey.id)

    assert answer.status_code == 303
    assert "The passkey has been removed." in text_of(bob.get(SECURITY))
    assert passkeys_in(session) == []
    assert events_of(session, cast.bob)[-1] == "passkey_removed"
    assert log_in_with(stranger, device).status_code == 422


def test_a_stolen_log_in_adds_no_passkey_without_the_password(
    bob: Visitor, session: Session, clock: Clock
) -> None:
    credential = Authenticator().create(options_of(bob, PASSKEYS + OPTIONS))
    clock.turn(timedelta(minutes=16))

    for path in (SECURITY, PASSKEYS + OPTIONS, "/account/security/app"):
        assert bob.get(path).location == "/account/confirm"
    clock.turn(timedelta(minutes=45))
    late = bob.post(PASSKEYS, "/account", name="Thief's", credential=credential)
    assert late.location == "/account/confirm"
    assert passkeys_in(session) == []

    wrong = bob.post("/account/confirm", current="not this one")
    assert wrong.status_code == 422
    assert "This isn’t your password." in text_of(wrong)
    thiefs_copy = bob.client.get_cookie(SESSION)
    assert thiefs_copy is not None
    right = bob.post("/account/confirm", current=PASSWORD)
    assert right.location == SECURITY
    add_passkey(bob)
    # what a thief has of the log-in is not proven with it: it is worth nothing
    bob.client.set_cookie(SESSION, thiefs_copy.value)
    assert bob.get(SECURITY).location.startswith("/login")


def test_there_are_no_passkeys_at_an_address_in_digits(bob: Visitor, stranger: Visitor) -> None:
    at = {"base_url": "http://192.0.2.1"}

    assert stranger.get(LOG_IN + OPTIONS, **at).status_code == 404
    assert "Log in with a passkey" not in text_of(stranger.get("/login", **at))
    assert "Log in with a passkey" in text_of(stranger.get("/login"))


class TestWithAPublicAddress:
    """Where `LOTTERY_URL` is set."""

    @pytest.fixture
    def given_settings(self) -> dict[str, str]:
        """Set it."""
        return {"LOTTERY_URL": "https://lottery.example"}

    def test_passkeys_belong_to_it_also_behind_a_proxy_that_tells_no_tls(
        self, bob: Visitor, stranger: Visitor
    ) -> None:
        at = {"base_url": "http://lottery.example"}

        stranger.get("/login", **at)
        options = json.loads(stranger.get(LOG_IN + OPTIONS, **at).text)

        assert options["rpId"] == "lottery.example"
        at_name = Visitor(bob.client.application.test_client())
        token = csrf_token(at_name.get("/login", **at))
        form = {"csrf_token": token, "username": "bob", "password": PASSWORD}
        assert at_name.client.post("/login", data=form, **at).status_code == 303
        device = Authenticator(domain="lottery.example", origin="https://lottery.example")
        asked = json.loads(at_name.get(PASSKEYS + OPTIONS, **at).text)
        token = csrf_token(at_name.get(SECURITY, **at))
        form = {"csrf_token": token, "name": "Key", "credential": device.create(asked)}
        added = at_name.client.post(PASSKEYS, data=form, **at)
        assert "Your new recovery codes" in added.text
        assert stranger.get(LOG_IN + OPTIONS).status_code == 404


def test_the_answers_of_devices_are_in_no_log(
    bob: Visitor, stranger: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    device = add_passkey(bob)
    log_in_with(stranger, Authenticator())
    log_in_with(stranger, device)

    assert "reason=passkey_unknown" in caplog.text
    assert base64url(device.credential_id) not in caplog.text


def test_what_an_account_has_is_in_its_data(bob: Visitor) -> None:
    add_passkey(bob)

    facts = json.loads(bob.get("/account/data.json").text)["log_in_security"]

    assert [each["name"] for each in facts["passkeys"]] == ["My phone"]
    assert facts["authenticator_app_since"] is None
    assert facts["recovery_codes_left"] == 10
