"""A forgotten password is set anew by a mail; nobody learns which accounts and addresses exist."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event, func, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from lottery_system import scheduler
from lottery_system.models import Mail, MailAddress, ResetRequest, User
from tests.conftest import FIRST_NOON, Cast, Clock
from tests.stand_ins.mail_server import MailBox, settings_to_mail
from tests.web.conftest import Visitor, csrf_token, text_of

PAGE, NEW = "/forgotten-password", "seven lazy badgers"
BOB = "Bob@mail.example"


@pytest.fixture
def given_settings(mail_port: int) -> dict[str, str]:
    return settings_to_mail(mail_port)


def give_address(session: Session, user: User, address: str = BOB) -> None:
    with session.begin():
        session.add(
            MailAddress(
                user_id=user.id, address=address, address_key=address.lower(),
                verified_at=FIRST_NOON, language="en",
            )
        )  # fmt: skip


@pytest.fixture
def bobs(session: Session, cast: Cast) -> User:
    """Return bob, who has an address."""
    give_address(session, cast.bob)
    return cast.bob


def link_in(mailbox: MailBox, at: int = -1) -> str:
    body = mailbox.to(BOB)[at].get_body(("plain",))
    assert body is not None
    [link] = re.findall(r"https://site\.example(/new-password\S+)", body.get_content())
    return str(link)


@pytest.mark.parametrize("typed", ["bob", "BOB", " bob ", BOB, "bob@MAIL.example"])
def test_a_mail_leads_to_a_new_password(
    app: Flask, stranger: Visitor, mailbox: MailBox, bobs: User, typed: str
) -> None:
    assert stranger.post(PAGE, who=typed).status_code == 303
    assert "we’ve sent a link to it" in text_of(stranger.get(PAGE))
    scheduler.send_mails(app)
    page = stranger.get(stranger.get(link_in(mailbox)).location)
    assert "For the account bob ." in text_of(page)
    form = {"csrf_token": csrf_token(page), "new": NEW}
    assert stranger.client.post("/new-password", data=form).status_code == 303

    assert stranger.log_in("bob", NEW).location == "/"
    scheduler.send_mails(app)
    assert [each["Subject"] for each in mailbox.to(BOB)] == [
        "Choose a new password",
        "Your password was changed",
    ]


def test_an_address_of_several_accounts_gets_a_mail_for_each(
    app: Flask, stranger: Visitor, mailbox: MailBox, bobs: User, session: Session, cast: Cast
) -> None:
    give_address(session, cast.charlie)
    stranger.post(PAGE, who=BOB)
    scheduler.send_mails(app)

    bodies = [str(each.get_body(("plain",))) for each in mailbox.to(BOB)]
    assert len(bodies) == 2
    assert ["account bob" in each for each in bodies] == [True, False]
    assert ["account charlie" in each for each in bodies] == [False, True]


def test_known_and_unknown_get_the_same_answer_for_the_same_work(
    app: Flask, mailbox: MailBox, bobs: User, engines: list[Engine], clock: Clock
) -> None:
    """The page does not look an account up; so neither answer nor time can tell."""
    seen = []
    for typed in ("bob", BOB, "alice", "nobody", "no@mail.example", "x" * 200, "\u0301\u0301"):
        visitor, statements = Visitor(app.test_client()), []  # type: ignore[var-annotated]
        token = csrf_token(visitor.get(PAGE))

        def note(*arguments: object, into: list[str] = statements) -> None:
            into.append(str(arguments[2]))

        for engine in engines:
            event.listen(engine, "before_cursor_execute", note)
        answer = visitor.client.post(PAGE, data={"csrf_token": token, "who": typed})
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
        page = visitor.get(PAGE)
        seen.append((answer.status_code, answer.location, text_of(page), statements))

    assert seen.count(seen[0]) == len(seen)
    assert not [each for each in seen[0][3] if "users" in each or "mail_addresses" in each]


def test_nobody_but_who_has_an_address_gets_a_mail(
    app: Flask, stranger: Visitor, mailbox: MailBox, bobs: User, session: Session
) -> None:
    for typed in ("alice", "nobody", "no@mail.example", "%", "bob@mail.example.", "_ob"):
        stranger.post(PAGE, who=typed)
    for _ in range(3):
        scheduler.send_mails(app)

    assert mailbox.taken == []
    with session.begin():
        assert session.scalar(select(func.count(ResetRequest.id))) == 0
        assert session.scalar(select(func.count(Mail.id))) == 0


@pytest.mark.parametrize("typed", ["", "x" * 255])
def test_what_can_be_neither_is_refused(
    stranger: Visitor, mailbox: MailBox, bobs: User, session: Session, typed: str
) -> None:
    answer = stranger.post(PAGE, who=typed)

    assert answer.status_code == 422
    assert "Enter your username or your email address." in text_of(answer)
    with session.begin():
        assert session.scalar(select(func.count(ResetRequest.id))) == 0


def test_an_account_gets_three_mails_an_hour_however_often_it_is_asked_for(
    app: Flask, stranger: Visitor, mailbox: MailBox, bobs: User, clock: Clock
) -> None:
    answers = {stranger.post(PAGE, who=typed).status_code for typed in ("bob", BOB) * 5}
    scheduler.send_mails(app)
    assert answers == {303}
    assert len(mailbox.taken) == 3

    clock.turn(timedelta(hours=1))
    stranger.post(PAGE, who="bob")
    scheduler.send_mails(app)
    assert len(mailbox.taken) == 4


def test_requests_from_an_address_are_limited(
    app: Flask, stranger: Visitor, mailbox: MailBox, bobs: User, clock: Clock
) -> None:
    answers = [stranger.post(PAGE, who=f"nobody{number}").status_code for number in range(31)]

    assert answers == [303] * 30 + [429]


def test_a_newer_mail_ends_the_link_of_the_older(
    app: Flask, stranger: Visitor, mailbox: MailBox, bobs: User, clock: Clock
) -> None:
    for _ in range(2):
        stranger.post(PAGE, who="bob")
        scheduler.send_mails(app)
        clock.turn(timedelta(seconds=5))

    assert stranger.get(stranger.get(link_in(mailbox, 0)).location).status_code == 410
    assert stranger.get(stranger.get(link_in(mailbox, 1)).location).status_code == 200


@pytest.mark.parametrize("given_settings", [{}])
def test_without_a_mail_server_there_is_no_such_form(
    app: Flask, stranger: Visitor, cast: Cast, session: Session
) -> None:
    assert "Get a link by email" not in text_of(stranger.get(PAGE))
    token = csrf_token(stranger.get("/login"))

    answer = stranger.client.post(PAGE, data={"csrf_token": token, "who": "bob"})

    assert answer.status_code == 404
    with session.begin():
        assert session.scalar(select(func.count(ResetRequest.id))) == 0


def test_what_was_typed_is_in_no_log(
    app: Flask, stranger: Visitor, mailbox: MailBox, bobs: User, session: Session,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """People type passwords into the wrong field."""
    caplog.set_level("DEBUG")
    stranger.post(PAGE, who="my secret password")
    scheduler.send_mails(app)

    assert "password_forgotten user=- id=-" in caplog.text
    assert "my secret password" not in caplog.text
    assert "secret" not in repr(ResetRequest(id=1, typed="secret"))
