"""Account page: new password, other log-ins, language, one's data, closing the account."""

import json
from datetime import timedelta
from io import BytesIO

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from lottery_system.clock import ONE_DAY
from lottery_system.models import Ballot, LoginSession, Lottery, User
from lottery_system.passwords import check_password
from lottery_system.web import own_password
from lottery_system.web.pages import accounts
from tests.conftest import FIRST_DAY, FIRST_NOON, PASSWORD, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import SESSION, LogIn, Visitor, csrf_token, text_of

ACCOUNT = "/account"
NEW = "seven lazy badgers"


def count_log_ins(session: Session, user: User) -> int:
    with session.begin():
        found = session.scalar(
            select(func.count()).select_from(LoginSession).where(LoginSession.user_id == user.id)
        )
    return found or 0


def change_password(visitor: Visitor, current: str, new: str) -> TestResponse:
    return visitor.post("/account/password", ACCOUNT, current=current, new=new)


def test_a_new_password_takes_the_place_of_the_old_one_and_ends_other_log_ins(
    log_in: LogIn, stranger: Visitor, session: Session, cast: Cast
) -> None:
    here, there = log_in("bob"), log_in("bob")
    stolen, token = here.client.get_cookie(SESSION), csrf_token(here.get(ACCOUNT))

    answer = change_password(here, PASSWORD, NEW)

    assert (answer.status_code, answer.location) == (303, "/account?done=password")
    assert "Your password has been changed." in text_of(here.get(answer.location))
    assert there.get("/").status_code == 303
    assert count_log_ins(session, cast.bob) == 1
    assert csrf_token(here.get(ACCOUNT)) != token
    assert stolen is not None
    there.client.set_cookie(SESSION, stolen.value)
    assert there.get("/").location == "/login?next=/"
    assert stranger.log_in("bob", PASSWORD).status_code == 422
    assert stranger.log_in("bob", NEW).status_code == 303


@pytest.mark.parametrize(
    ("current", "new", "says"),
    [
        ("", NEW, "Enter your password."),
        (PASSWORD, "", "Enter a new password."),
        ("not this one", NEW, "This isn’t your password. Try again."),
        (PASSWORD, "short", "A password must be 8 to 128 characters long."),
        (PASSWORD, "password", "too common"),
        (PASSWORD, "1234567890", "too common"),
    ],
)
def test_a_password_that_cannot_be_is_refused_and_the_old_one_holds(
    bob: Visitor, stranger: Visitor, current: str, new: str, says: str
) -> None:
    answer = change_password(bob, current, new)

    assert answer.status_code == 422
    assert says in text_of(answer)
    assert "not this one" not in answer.text
    assert NEW not in answer.text
    assert stranger.log_in("bob").status_code == 303


def test_a_password_that_is_sent_as_a_file_is_none(bob: Visitor) -> None:
    answer = bob.post(
        "/account/password",
        "/account",
        current=(BytesIO(PASSWORD.encode()), "password.txt"),
        new="another horse battery",
    )

    assert answer.status_code == 422
    assert "Enter your password." in text_of(answer)


def test_guessing_the_password_of_a_browser_left_open_is_bounded(bob: Visitor) -> None:
    answers = [change_password(bob, f"guess number {tries}", NEW) for tries in range(12)]

    assert "Try again later" in text_of(answers[-1])


def test_other_log_ins_end_and_this_one_stays(log_in: LogIn, session: Session, cast: Cast) -> None:
    here, there = log_in("bob"), log_in("bob")
    assert "In 2 browsers, including this one." in text_of(here.get(ACCOUNT))

    answer = here.post("/account/sessions", ACCOUNT)

    assert answer.status_code == 303
    assert (here.get("/").status_code, there.get("/").status_code) == (200, 303)
    assert count_log_ins(session, cast.bob) == 1
    assert "Only here." in text_of(here.get(ACCOUNT))


def test_only_the_newest_log_ins_of_an_account_hold_and_older_ones_end(
    log_in: LogIn, session: Session, cast: Cast, clock: Clock
) -> None:
    """Also where an account has many from before there was a bound."""
    charlie, oldest = log_in("charlie"), log_in("bob")
    with session.begin():
        session.add_all(
            LoginSession(
                token_hash=bytes(31) + bytes([number]), user_id=cast.bob.id,
                created_at=FIRST_NOON, expires_at=FIRST_NOON + ONE_DAY,
            ) for number in range(30)
        )  # fmt: skip
    clock.turn(timedelta(minutes=1))
    page = text_of(oldest.get(ACCOUNT))
    assert "In 20 browsers, including this one." in page
    assert len(json.loads(oldest.get("/account/data.json").text)["log_ins"]) == 20

    newest = log_in("bob")

    assert count_log_ins(session, cast.bob) == 20
    for _ in range(19):
        clock.turn(timedelta(minutes=1))
        last = log_in("bob")
    assert count_log_ins(session, cast.bob) == 20
    assert [each.get("/").status_code for each in (newest, last, charlie)] == [200, 200, 200]
    assert oldest.get("/").status_code == 303
    log_in("bob")
    assert newest.get("/").status_code == 303


def test_the_log_ins_of_others_are_left_alone(bob: Visitor, log_in: LogIn) -> None:
    charlie = log_in("charlie")

    bob.post("/account/sessions", ACCOUNT)

    assert charlie.get("/").status_code == 200


def test_my_data_holds_all_that_is_stored_of_me_and_nothing_of_others(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock, log_in: LogIn
) -> None:
    submit(cast.bob, big_chance, 3)
    submit(cast.charlie, big_chance, 500)
    clock.turn(ONE_DAY)
    submit(cast.bob, big_chance)
    run_due(session, FIRST_NOON + ONE_DAY, places=503)

    answer = log_in("bob").get("/account/data.json")

    data = json.loads(answer.text)
    assert data["username"] == "bob"
    assert len(data["log_ins"]) == 1
    first, second = data["submissions"]
    assert (first["day"], first["first_number"], first["last_number"]) == (str(FIRST_DAY), 1, 3)
    assert first["lottery"] == "Big Chance"
    assert first["result"] in ("won", "reserve")
    assert sorted(each.split(":")[1] for each in first["places"].split()) == ["1", "2", "3"]
    assert second["result"] == "waiting"
    assert "password" not in answer.text
    assert "attachment" in answer.headers["Content-Disposition"]


def test_closing_takes_the_password_and_says_what_it_means(bob: Visitor, session: Session) -> None:
    page = text_of(bob.get("/account/close"))
    refused = bob.post("/account/close", current="not this one")

    assert "Your ballots stay in their draws" in page
    assert refused.status_code == 422
    assert "This isn’t your password." in text_of(refused)
    assert bob.get("/").status_code == 200


def test_a_closed_account_logs_in_nowhere_and_its_ballots_stay(
    log_in: LogIn, stranger: Visitor, session: Session, cast: Cast, big_chance: Lottery,
    submit: Submit, clock: Clock,
) -> None:  # fmt: skip
    submit(cast.bob, big_chance, 2)
    here, there = log_in("bob"), log_in("bob")

    answer = here.post("/account/close", current=PASSWORD)

    assert "Your account is closed." in text_of(answer)
    assert (here.get("/").status_code, there.get("/").status_code) == (303, 303)
    assert stranger.log_in("bob").status_code == 422
    taken = stranger.post("/signup", username="Bob", password=NEW)
    assert "This username is taken" in text_of(taken)
    with session.begin():
        assert session.scalar(select(func.count()).select_from(Ballot)) == 2
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=1)
    assert "bob Big Chance" in text_of(stranger.get(f"/winners/{FIRST_DAY}"))


def test_an_organiser_who_closes_the_account_is_none_any_more(
    alice: Visitor, session: Session, cast: Cast
) -> None:
    alice.post("/account/close", current=PASSWORD)

    with session.begin():
        user = session.get_one(User, cast.alice.id, populate_existing=True)
        assert (user.is_organiser, user.password_hash, user.closed_at) == (False, "", FIRST_NOON)


@pytest.mark.parametrize("path", ["/account", "/account/close", "/account/data.json"])
def test_nobody_else_sees_an_account(clock: Clock, stranger: Visitor, path: str) -> None:
    assert stranger.get(path).location == f"/login?next={path}"


@pytest.fixture
def _password_changes_meanwhile(
    session: Session, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let bob's password be changed elsewhere just after it was checked and found right."""

    def check(password_hash: str | None, text: str) -> bool:
        found = check_password(password_hash, text)
        with session.begin():
            session.get_one(User, cast.bob.id).password_hash = "another one"
        return found

    monkeypatch.setattr(accounts, "check_password", check)
    monkeypatch.setattr(own_password, "check_password", check)


@pytest.mark.usefixtures("_password_changes_meanwhile")
def test_a_log_in_that_is_under_way_while_the_password_changes_comes_to_nothing(
    stranger: Visitor, session: Session, cast: Cast
) -> None:
    assert stranger.log_in("bob").status_code == 422

    assert count_log_ins(session, cast.bob) == 0


def test_an_account_is_not_closed_by_a_password_that_is_no_longer_right(
    bob: Visitor, session: Session, cast: Cast, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("_password_changes_meanwhile")

    answers = [
        bob.post("/account/close", current=PASSWORD),
        change_password(bob, PASSWORD, NEW),
    ]

    for answer in answers:
        assert answer.status_code == 422
        assert "This isn’t your password." in text_of(answer)
    with session.begin():
        user = session.get_one(User, cast.bob.id, populate_existing=True)
        assert (user.closed_at, user.password_hash) == (None, "another one")
