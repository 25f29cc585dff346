"""The second step of a log-in: codes, recovery codes, who needs it, and what is lost."""

import json
import re
from datetime import timedelta

import pyotp
import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from config.settings import TESTING
from lottery_system.clock import utcnow
from lottery_system.models import (
    AccountEvent,
    AuthenticatorApp,
    LoginSession,
    Lottery,
    RecoveryCode,
    User,
)
from lottery_system.models.password_reset import make_reset_link
from lottery_system.passwords import hash_password
from tests.conftest import FIRST_NOON, PASSWORD, Cast, Clock
from tests.stand_ins.authenticators import Authenticator
from tests.web.conftest import LogIn, Visitor, csrf_token, text_of
from tests.web.pages.test_passkeys import add_passkey, events_of, options_of

SECURITY, APP = "/account/security", "/account/security/app"
STEP = "/login/second-step"
A_STEP = timedelta(seconds=30)


def begin_app(visitor: Visitor) -> pyotp.TOTP:
    """Begin to set up an app, and type its key from the page."""
    assert visitor.post(f"{APP}/begin", SECURITY).location == APP
    key = re.search(r"<code>([A-Z2-7 ]+)</code>", visitor.get(APP).text)
    assert key
    return pyotp.TOTP(key[1].replace(" ", ""))


def set_up_app(visitor: Visitor) -> tuple[pyotp.TOTP, list[str]]:
    """Set up an app, and keep the recovery codes that are shown."""
    app = begin_app(visitor)
    answer = visitor.post(APP, APP, code=app.at(utcnow()))
    # codes are shown with the first factor alone
    assert answer.status_code == 303 or codes_on(answer), text_of(answer)
    return app, codes_on(answer)


def codes_on(page: TestResponse) -> list[str]:
    return re.findall(r"<code>([0-9a-z-]{29})</code>", page.text)


def send_code(visitor: Visitor, page: TestResponse, code: str) -> TestResponse:
    return visitor.client.post(STEP, data={"csrf_token": csrf_token(page), "code": code})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def test_an_app_that_is_set_up_is_asked_for_a_code_after_the_password(
    bob: Visitor, stranger: Visitor, session: Session, cast: Cast, clock: Clock
) -> None:
    app, codes = set_up_app(bob)
    assert len(set(codes)) == 10
    clock.turn(A_STEP)

    page = stranger.log_in("bob")
    assert page.status_code == 200
    assert "The password of bob is right." in text_of(page)
    assert stranger.get("/").location == "/login?next=/"
    refused = send_code(stranger, page, wrong(app.at(utcnow())))
    assert refused.status_code == 422
    assert "This code is wrong" in text_of(refused)
    answer = send_code(stranger, refused, f" {app.at(utcnow())[:3]} {app.at(utcnow())[3:]}")

    assert (answer.status_code, answer.location) == (303, "/")
    assert stranger.get("/").status_code == 200
    kinds = ["logged_in", "authenticator_added", "wrong_code", "logged_in"]
    assert events_of(session, cast.bob) == kinds


def test_a_code_works_once_also_in_two_browsers(
    bob: Visitor, stranger: Visitor, app: Flask, clock: Clock
) -> None:
    its_app, _ = set_up_app(bob)
    other = Visitor(app.test_client())
    pages = [visitor.log_in("bob") for visitor in (stranger, other)]
    # that with which it was set up is used, too
    assert send_code(stranger, pages[0], its_app.at(utcnow())).status_code == 422
    clock.turn(A_STEP)
    code = its_app.at(utcnow())

    assert send_code(stranger, pages[0], code).status_code == 303
    assert send_code(other, pages[1], code).status_code == 422
    clock.turn(A_STEP)
    assert send_code(other, pages[1], its_app.at(utcnow())).status_code == 303


@pytest.mark.parametrize(("steps", "status"), [(-2, 422), (-1, 303), (0, 303), (1, 303), (2, 422)])
def test_a_code_may_be_a_step_early_or_late(
    bob: Visitor, stranger: Visitor, clock: Clock, steps: int, status: int
) -> None:
    app, _ = set_up_app(bob)
    clock.turn(10 * A_STEP)

    answer = send_code(stranger, stranger.log_in("bob"), app.at(utcnow() + steps * A_STEP))

    assert answer.status_code == status


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "1" * 9000, "0x1234"])
def test_what_is_no_code_is_refused_with_a_sentence(
    bob: Visitor, stranger: Visitor, code: str
) -> None:
    set_up_app(bob)

    answer = send_code(stranger, stranger.log_in("bob"), code)

    assert answer.status_code == 422
    assert "There is a problem" in text_of(answer)
    assert stranger.get("/").status_code == 303


def test_a_recovery_code_stands_in_once_however_it_is_typed(
    bob: Visitor, stranger: Visitor, app: Flask, session: Session, cast: Cast
) -> None:
    _, codes = set_up_app(bob)
    typed = codes[3].upper().replace("-", " ").replace("1", "l").replace("0", "O")

    answer = send_code(stranger, stranger.log_in("bob"), typed)

    assert answer.status_code == 303
    assert "9 codes are left." in text_of(stranger.get(SECURITY))
    assert events_of(session, cast.bob)[-2:] == ["recovery_code_used", "logged_in"]
    other = Visitor(app.test_client())
    assert send_code(other, other.log_in("bob"), codes[3]).status_code == 422
    assert send_code(other, other.log_in("bob"), codes[4]).status_code == 303


def test_new_recovery_codes_end_the_earlier_ones(bob: Visitor, stranger: Visitor) -> None:
    _, earlier = set_up_app(bob)

    codes = codes_on(bob.post(f"{SECURITY}/recovery-codes", SECURITY))

    assert not set(codes) & set(earlier)
    assert codes_on(bob.get(SECURITY)) == []
    page = stranger.log_in("bob")
    assert send_code(stranger, page, earlier[0]).status_code == 422
    assert send_code(stranger, page, codes[0]).status_code == 303


def test_codes_are_not_guessed_and_recovery_codes_go_on_to_work(
    bob: Visitor, stranger: Visitor, app: Flask, clock: Clock
) -> None:
    its_app, codes = set_up_app(bob)
    clock.turn(A_STEP)
    page = stranger.log_in("bob")
    for _ in range(5):
        assert send_code(stranger, page, wrong(its_app.at(utcnow()))).status_code == 422

    answer = send_code(stranger, page, its_app.at(utcnow()))

    assert answer.status_code == 429
    assert "Too many wrong codes." in text_of(answer)
    assert int(answer.headers["Retry-After"]) <= 600
    other = Visitor(app.test_client())
    assert send_code(other, other.log_in("bob"), codes[0]).status_code == 303
    for _ in range(3):
        clock.turn(timedelta(minutes=11))
        page = stranger.log_in("bob")
        for _ in range(5):
            assert send_code(stranger, page, wrong(its_app.at(utcnow()))).status_code == 422
    clock.turn(timedelta(minutes=11))  # 20 wrong ones in a day are enough
    page = stranger.log_in("bob")
    assert send_code(stranger, page, its_app.at(utcnow())).status_code == 429
    clock.turn(timedelta(days=1))
    page = stranger.log_in("bob")
    assert send_code(stranger, page, its_app.at(utcnow())).status_code == 303


def test_the_first_step_is_worth_nothing_after_a_while_or_a_new_password(
    bob: Visitor, stranger: Visitor, session: Session, cast: Cast, clock: Clock
) -> None:
    app, _ = set_up_app(bob)
    page = stranger.log_in("bob")
    assert stranger.get(STEP).status_code == 200

    clock.turn(timedelta(minutes=11))
    late = send_code(stranger, page, app.at(utcnow()))
    assert late.status_code == 403
    assert "Your log-in took too long" in text_of(late)
    page = stranger.log_in("bob")
    with session.begin():
        session.execute(
            update(User)
            .where(User.id == cast.bob.id)
            .values(password_hash=hash_password("seven lazy badgers"))
        )
    assert stranger.get(STEP).location == "/login"
    assert send_code(stranger, page, app.at(utcnow())).status_code == 403
    assert stranger.get("/").status_code == 303


def test_a_form_that_was_typed_before_is_kept_through_both_steps(
    bob: Visitor, stranger: Visitor, big_chance: Lottery, clock: Clock
) -> None:
    app, _ = set_up_app(bob)
    clock.turn(A_STEP)
    kept = stranger.client.post(
        f"/lotteries/{big_chance.id}/ballots",
        data={"csrf_token": csrf_token(stranger.get("/login")), "count": "7"},
    )
    fields = dict(re.findall(r'name="(resume|count)" value="([^"]*)"', kept.text))
    assert fields["count"] == "7"
    page = stranger.client.post(
        "/login",
        data={
            "csrf_token": csrf_token(kept), "username": "bob", "password": PASSWORD, **fields,
        },
    )  # fmt: skip

    fields = dict(re.findall(r'name="(resume|count)" value="([^"]*)"', page.text))
    answer = stranger.client.post(
        STEP, data={"csrf_token": csrf_token(page), "code": app.at(utcnow()), **fields}
    )

    assert answer.status_code == 200
    assert "You’re logged in again." in text_of(answer)
    assert re.search(r'name="count"[^>]*value="7"', answer.text)


def test_a_link_for_a_new_password_leads_past_no_second_step(
    bob: Visitor, stranger: Visitor, session: Session, cast: Cast
) -> None:
    set_up_app(bob)
    with session.begin():
        token = make_reset_link(session, cast.bob.id, FIRST_NOON, made_by=cast.alice.id)

    stranger.get(f"/new-password?link={token}")
    stranger.post("/new-password", new="seven lazy badgers")
    page = stranger.log_in("bob", "seven lazy badgers")

    assert "One more step" in text_of(page)
    assert stranger.get("/").status_code == 303


def test_a_passkey_is_a_second_step_too(bob: Visitor, stranger: Visitor, log_in: LogIn) -> None:
    set_up_app(bob)
    device = add_passkey(bob)
    charlies = add_passkey(log_in("charlie"))
    page = stranger.log_in("bob")
    options = options_of(stranger, f"{STEP}/passkey/options")
    assert len(options["allowCredentials"]) == 1

    foreign = stranger.client.post(
        f"{STEP}/passkey",
        data={"csrf_token": csrf_token(page), "credential": charlies.sign(options)},
    )
    answer = stranger.client.post(
        f"{STEP}/passkey",
        data={"csrf_token": csrf_token(page), "credential": device.sign(options)},
    )

    assert foreign.status_code == 422
    assert answer.status_code == 303
    assert stranger.get("/").status_code == 200


def test_an_app_begins_to_count_with_its_first_right_code(
    bob: Visitor, stranger: Visitor, session: Session
) -> None:
    app = begin_app(bob)

    refused = bob.post(APP, APP, code=wrong(app.at(utcnow())))

    assert refused.status_code == 422
    assert "This code is wrong." in text_of(refused)
    assert stranger.log_in("bob").status_code == 303


def test_the_secret_of_an_app_is_not_readable_in_the_database_nor_with_another_key(
    bob: Visitor, session: Session
) -> None:
    app, _ = set_up_app(bob)

    with session.begin():
        row = session.scalars(select(AuthenticatorApp)).one()
        hashes = session.scalars(select(RecoveryCode.code_hash)).all()

    assert app.secret.encode() not in row.sealed_secret
    assert app.byte_secret() not in row.sealed_secret
    assert row.secret(TESTING["LOTTERY_SECRET_KEY"]) == app.secret
    assert row.secret("another key that signs nothing either") is None
    assert {len(each) for each in hashes} == {32}


def test_an_app_is_removed_and_the_password_alone_is_enough_again(
    bob: Visitor, stranger: Visitor, session: Session, app: Flask
) -> None:
    _, codes = set_up_app(bob)
    elsewhere = Visitor(app.test_client())
    assert send_code(elsewhere, elsewhere.log_in("bob"), codes[0]).status_code == 303

    bob.post(f"{APP}/remove", SECURITY)

    assert "The authenticator app has been removed." in text_of(bob.get(SECURITY))
    assert elsewhere.get("/").status_code == 303  # what was lost may be logged in
    assert stranger.log_in("bob").status_code == 303
    with session.begin():
        assert session.scalars(select(RecoveryCode)).all() == []
        assert not any(session.scalars(select(LoginSession.second_factor_at)))


def test_an_organiser_helps_a_participant_who_has_lost_all(
    alice: Visitor, bob: Visitor, stranger: Visitor, session: Session, cast: Cast
) -> None:
    device = add_passkey(bob)
    set_up_app(bob)
    page = f"/organiser/participants/{cast.bob.id}"

    answer = alice.post(f"{page}/remove-second-factors", page)

    assert answer.status_code == 303
    assert "They can log in with the password alone." in text_of(alice.get(page))
    assert bob.get("/").status_code == 303
    stranger.get("/login")
    lost = device.sign(options_of(stranger, "/login/passkey/options"))
    assert stranger.post("/login/passkey", "/login", credential=lost).status_code == 422
    assert stranger.log_in("bob").status_code == 303
    news = text_of(stranger.get("/account"))
    assert "recovery codes were removed. By alice" in news
    assert "bob : Passkeys, authenticator app and recovery codes were removed." in text_of(
        alice.get("/organiser/participants")
    )
    again = alice.client.post(
        f"{page}/remove-second-factors", data={"csrf_token": csrf_token(alice.get(page))}
    )
    assert again.status_code == 422
    assert "neither passkeys nor an authenticator app" in text_of(again)


def test_an_organiser_removes_nothing_of_an_organiser(
    alice: Visitor, log_in: LogIn, session: Session, cast: Cast
) -> None:
    with session.begin():
        session.execute(update(User).where(User.id == cast.bob.id).values(is_organiser=True))
    set_up_app(log_in("bob"))
    page = f"/organiser/participants/{cast.bob.id}"
    assert "Lost phone or key" not in text_of(alice.get(page))

    answer = alice.post(f"{page}/remove-second-factors", page)

    assert answer.status_code == 422
    assert "ask whoever runs the server" in text_of(answer)
    with session.begin():
        assert session.scalars(select(AuthenticatorApp)).one()


def test_an_app_that_was_begun_can_be_set_up_for_an_hour(bob: Visitor, clock: Clock) -> None:
    app = begin_app(bob)
    clock.turn(timedelta(minutes=59))
    assert bob.post("/account/confirm", current=PASSWORD).status_code == 303
    assert bob.get(APP).status_code == 200
    clock.turn(timedelta(minutes=2))

    form = {"csrf_token": csrf_token(bob.get(SECURITY)), "code": app.at(utcnow())}
    late = bob.client.post(APP, data=form)

    assert (late.status_code, late.location) == (303, SECURITY)
    assert bob.get(APP).location == SECURITY
    assert "Set up an app" in text_of(bob.get(SECURITY))


def test_a_thief_of_the_password_does_not_keep_the_holder_out(
    bob: Visitor, stranger: Visitor, app: Flask, clock: Clock
) -> None:
    its_app, _ = set_up_app(bob)
    clock.turn(A_STEP)
    page = stranger.log_in("bob")
    for _ in range(5):
        send_code(stranger, page, wrong(its_app.at(utcnow())))
    refused = send_code(stranger, page, its_app.at(utcnow()))
    assert refused.status_code == 429
    assert "A recovery code works at once." in text_of(refused)

    bob.post("/logout", "/")  # whose browser is known

    assert send_code(bob, bob.log_in("bob"), its_app.at(utcnow())).status_code == 303


def test_a_form_from_an_older_tab_leads_to_where_it_can_be_sent(
    bob: Visitor, session: Session
) -> None:
    begin_app(bob)
    old = csrf_token(bob.get(APP))
    add_passkey(bob)  # in another tab, which renews the log-in

    answer = bob.client.post(APP, data={"csrf_token": old, "code": "123456"})
    bob.post(f"{APP}/remove", SECURITY)
    again = bob.client.post(APP, data={"csrf_token": old, "code": "123456"})

    assert answer.status_code == 400
    assert "Scan this code" in text_of(answer)
    assert (again.status_code, again.location) == (303, SECURITY)


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/login/passkey?next=/ballots", "/login?next=/ballots"),
        (f"{STEP}/passkey", STEP),
        (f"{SECURITY}/passkeys", SECURITY),
        (f"{SECURITY}/recovery-codes", SECURITY),
    ],
)
def test_the_address_of_a_form_leads_back_to_its_page(
    bob: Visitor, stranger: Visitor, path: str, to: str
) -> None:
    visitor = bob if path.startswith("/account") else stranger

    assert visitor.get(path).location == to


def test_codes_and_keys_are_in_no_log(
    bob: Visitor, stranger: Visitor, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    app, codes = set_up_app(bob)
    clock.turn(A_STEP)
    page = stranger.log_in("bob")
    send_code(stranger, page, wrong(app.at(utcnow())))
    send_code(stranger, page, codes[0])

    assert "log_in user=bob" in caplog.text
    assert "reason=recovery_code" in caplog.text
    secrets = (app.secret, codes[0], codes[0].replace("-", ""), wrong(app.at(utcnow())))
    assert not [each for each in secrets if each in caplog.text]


class TestWhereOrganisersMustHaveOne:
    """With the setting."""

    @pytest.fixture
    def given_settings(self) -> dict[str, str]:
        """Demand it."""
        return {"LOTTERY_ORGANISERS_SECOND_FACTOR": "on"}

    def test_organisers_pages_open_once_it_is_set_up_and_to_such_log_ins_alone(
        self, alice: Visitor, stranger: Visitor, log_in: LogIn, cast: Cast, clock: Clock
    ) -> None:
        assert log_in("bob").get("/organiser").status_code == 403
        for path in ("/organiser", "/organiser/lotteries/new", "/organiser/participants.csv"):
            assert alice.get(path).location == SECURITY
        denied = alice.post("/organiser/lotteries/new", "/account", name="Big Chance")
        assert denied.location == SECURITY
        assert "Organisers’ pages need more than a password here." in text_of(alice.get(SECURITY))

        elsewhere = log_in("alice")
        app, codes = set_up_app(alice)

        assert len(codes) == 10
        assert alice.get("/organiser").status_code == 200
        assert elsewhere.get("/organiser").location == SECURITY
        # nor can a log-in by password replace what it lacks
        assert elsewhere.get(SECURITY).location == "/account/confirm"
        page = elsewhere.get("/account/confirm")
        assert "Log out, then log in with your passkey" in text_of(page)
        for path in ("recovery-codes", "app/remove", "app/begin"):
            refused = elsewhere.post(f"{SECURITY}/{path}", "/account")
            assert refused.location == "/account/confirm"
        assert elsewhere.post("/account/confirm", "/account", current=PASSWORD).status_code == 303
        assert elsewhere.get(SECURITY).location == "/account/confirm"
        clock.turn(A_STEP)
        page = stranger.log_in("alice")
        assert send_code(stranger, page, app.at(utcnow())).status_code == 303
        assert stranger.get("/organiser").status_code == 200

    def test_a_passkey_is_enough_and_the_password_is_not_any_more(
        self, alice: Visitor, stranger: Visitor
    ) -> None:
        device = Authenticator()
        answer = alice.post(
            f"{SECURITY}/passkeys",
            SECURITY,
            name="Key",
            credential=device.create(options_of(alice, f"{SECURITY}/passkeys/options")),
        )
        assert len(codes_on(answer)) == 10
        assert alice.get("/organiser").status_code == 200

        page = stranger.log_in("alice")

        assert "One of your recovery codes." in text_of(page)
        assert send_code(stranger, page, codes_on(answer)[0]).status_code == 303
        assert stranger.get("/organiser").status_code == 200

    def test_a_copied_passkey_does_not_make_the_password_enough(
        self, alice: Visitor, stranger: Visitor, app: Flask
    ) -> None:
        device = add_passkey(alice)
        options = options_of(alice, f"{SECURITY}/passkeys/options")
        assert options["excludeCredentials"]
        thiefs = device.copy()
        for each in (device, thiefs):
            visitor = Visitor(app.test_client())
            visitor.get("/login")
            answer = each.sign(options_of(visitor, "/login/passkey/options"))
            visitor.post("/login/passkey", "/login", credential=answer)

        page = stranger.log_in("alice")

        assert "One more step" in text_of(page)
        assert stranger.get("/").status_code == 303

    def test_an_app_that_was_only_begun_is_no_second_step(
        self, alice: Visitor, stranger: Visitor
    ) -> None:
        add_passkey(alice)
        begun = begin_app(alice)

        answer = send_code(stranger, stranger.log_in("alice"), begun.at(utcnow()))

        assert answer.status_code == 422
        assert stranger.get("/").status_code == 303

    def test_organisers_pages_close_with_the_last_of_them(self, alice: Visitor) -> None:
        set_up_app(alice)
        assert alice.get("/organiser").status_code == 200

        alice.post(f"{APP}/remove", SECURITY)

        assert alice.get("/organiser").location == SECURITY

    def test_a_new_password_keeps_them_open(self, alice: Visitor) -> None:
        set_up_app(alice)

        alice.post("/account/password", "/account", current=PASSWORD, new="seven lazy badgers")

        assert alice.get("/organiser").status_code == 200

    def test_a_form_of_organisers_is_not_shown_to_a_log_in_by_password(
        self, stranger: Visitor, cast: Cast
    ) -> None:
        kept = stranger.client.post(
            "/organiser/lotteries/new",
            data={"csrf_token": csrf_token(stranger.get("/login")), "name": "Big Chance"},
        )
        resume = re.search(r'name="resume" value="([^"]*)"', kept.text)
        assert resume

        answer = stranger.post(
            "/login", username="alice", password=PASSWORD, resume=resume[1], name="Big Chance"
        )

        assert answer.location == SECURITY


def test_the_operator_helps_an_organiser_who_has_lost_all(
    alice: Visitor, app: Flask, stranger: Visitor, session: Session, cast: Cast
) -> None:
    set_up_app(alice)
    run = app.test_cli_runner().invoke

    done = run(args=["user", "remove-second-factors", "alice"])
    again = run(args=["user", "remove-second-factors", "alice"])
    nobody = run(args=["user", "remove-second-factors", "nobody"])

    assert done.exit_code == 0
    assert "alice logs in with the password alone again." in done.output
    assert (again.exit_code, nobody.exit_code) == (1, 1)
    assert "neither passkeys nor an authenticator app" in again.output
    assert "There is no user 'nobody'." in nobody.output
    assert stranger.log_in("alice").status_code == 303
    assert "By whoever runs the server." in text_of(stranger.get("/account"))
    with session.begin():
        events = session.scalars(
            select(AccountEvent.by_command).where(AccountEvent.kind == "second_factors_removed")
        ).all()
    assert events == [True]


def test_what_an_account_has_is_in_its_data_and_no_secret(bob: Visitor) -> None:
    app, codes = set_up_app(bob)

    text = bob.get("/account/data.json").text

    facts = json.loads(text)["log_in_security"]
    assert facts["authenticator_app_since"] == FIRST_NOON.isoformat()
    assert facts["recovery_codes_left"] == 10
    assert not [each for each in (app.secret, *codes) if each in text]
