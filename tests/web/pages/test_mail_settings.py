"""A mail address is added, confirmed, changed and removed; mails can be turned off."""

import re
from datetime import timedelta
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from lottery_system import scheduler
from lottery_system.letters import stopping_token
from lottery_system.models import AccountEvent, Mail, MailAddress, User
from lottery_system.models.mail_address import MOST_ACCOUNTS
from tests.conftest import PASSWORD, Cast, Clock
from tests.stand_ins.mail_server import MailBox, settings_to_mail
from tests.web.conftest import LogIn, Visitor, csrf_token, text_of

PAGE, CONFIRM = "/account/email", "/confirm-email"
NEW = "seven lazy badgers"
BOB, OTHER = "bob@mail.example", "bobby@mail.example"


@pytest.fixture
def given_settings(mail_port: int) -> dict[str, str]:
    return settings_to_mail(mail_port)


def ask(visitor: Visitor, address: str = BOB, password: str = PASSWORD) -> int:
    return visitor.post(PAGE, address=address, current=password).status_code


def body_of(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def link_in(message: EmailMessage, page: str) -> str:
    """Return the path and query of the link to a page."""
    [link] = re.findall(rf"https://site\.example({page}\S*)", body_of(message))
    return str(link)


def send(app: Flask) -> None:
    scheduler.send_mails(app)


def follow(visitor: Visitor, link: str) -> None:
    """Follow a link to confirm, and confirm."""
    led = visitor.get(link)
    assert led.status_code == 303
    assert urlsplit(led.location).query == ""
    page = visitor.get(led.location)
    visitor.client.post(CONFIRM, data={"csrf_token": csrf_token(page)})


def confirm(app: Flask, mailbox: MailBox, visitor: Visitor, address: str = BOB) -> None:
    """Give the account of a visitor an address."""
    assert ask(visitor, address) == 303
    send(app)
    follow(visitor, link_in(mailbox.to(address)[-1], CONFIRM))


def address_of(session: Session, cast: Cast) -> tuple[str | None, str | None] | None:
    with session.begin():
        its = session.get(MailAddress, cast.bob.id, populate_existing=True)
        return (its.address, its.asked) if its else None


def events(session: Session, cast: Cast) -> list[str]:
    with session.begin():
        rows = AccountEvent.latest_of(session.connection(), cast.bob.id, 20)
    return [row.kind for row in rows if row.kind.startswith("mail_")]


def test_an_address_is_the_accounts_once_its_link_was_confirmed(
    app: Flask, bob: Visitor, stranger: Visitor, mailbox: MailBox, session: Session, cast: Cast
) -> None:
    assert 'href="/account/email"' in bob.get("/account").text

    assert ask(bob) == 303
    assert "We’ve sent you an email." in text_of(bob.get(PAGE))
    assert address_of(session, cast) == (None, BOB)
    send(app)
    [message] = mailbox.to(BOB)
    link = link_in(message, CONFIRM)
    for _ in range(3):  # as mail scanners do
        stranger.get(stranger.get(link).location)
    assert address_of(session, cast) == (None, BOB)
    follow(stranger, link)  # another browser, not logged in

    assert address_of(session, cast) == (BOB, None)
    assert events(session, cast) == ["mail_address_verified"]
    assert f"Your email address {BOB}" in text_of(bob.get(PAGE))
    assert "Not confirmed" not in text_of(bob.get(PAGE))


def test_a_link_to_confirm_works_once_and_not_after_a_newer_one(
    app: Flask, bob: Visitor, mailbox: MailBox, session: Session, cast: Cast, clock: Clock
) -> None:
    ask(bob)
    send(app)
    ask(bob, OTHER)
    send(app)
    older, newer = (link_in(mailbox.to(each)[0], CONFIRM) for each in (BOB, OTHER))

    answer = bob.get(bob.get(older).location)
    assert answer.status_code == 410
    assert "There’s a newer one" in text_of(answer)
    follow(bob, newer)
    assert address_of(session, cast) == (OTHER, None)

    answer = bob.get(bob.get(newer).location)
    assert answer.status_code == 410
    assert "used already" in text_of(answer)


def test_a_link_to_an_address_that_is_no_longer_wanted_confirms_nothing(
    app: Flask, bob: Visitor, mailbox: MailBox, session: Session, cast: Cast
) -> None:
    ask(bob)
    send(app)
    page = bob.get(bob.get(link_in(mailbox.to(BOB)[0], CONFIRM)).location)
    with session.begin():
        session.get_one(MailAddress, cast.bob.id, populate_existing=True).asked = OTHER

    answer = bob.client.post(CONFIRM, data={"csrf_token": csrf_token(page)})

    assert answer.status_code == 410
    assert address_of(session, cast) == (None, OTHER)


def test_of_two_tabs_one_confirms(
    app: Flask, bob: Visitor, mailbox: MailBox, session: Session, cast: Cast
) -> None:
    ask(bob)
    send(app)
    page = bob.get(bob.get(link_in(mailbox.to(BOB)[0], CONFIRM)).location)
    form = {"csrf_token": csrf_token(page)}

    first = bob.client.post(CONFIRM, data=form)
    bob.get(link_in(mailbox.to(BOB)[0], CONFIRM))
    second = bob.client.post(CONFIRM, data=form)

    assert (first.status_code, second.status_code) == (303, 410)
    assert events(session, cast) == ["mail_address_verified"]


def test_a_link_to_confirm_works_for_a_day_from_when_it_was_sent(
    app: Flask, bob: Visitor, mailbox: MailBox, session: Session, cast: Cast, clock: Clock
) -> None:
    ask(bob)
    clock.turn(timedelta(hours=20))
    send(app)
    link = link_in(mailbox.to(BOB)[0], CONFIRM)
    clock.turn(timedelta(hours=23))
    assert bob.get(bob.get(link).location).status_code == 200
    clock.turn(timedelta(hours=1))

    answer = bob.get(bob.get(link).location)

    assert answer.status_code == 410
    assert "too old" in text_of(answer)


def test_whoever_is_logged_in_as_another_is_told_and_nothing_is_used_up(
    app: Flask, bob: Visitor, log_in: LogIn, mailbox: MailBox, session: Session, cast: Cast
) -> None:
    ask(bob)
    send(app)
    link, charlie = link_in(mailbox.to(BOB)[0], CONFIRM), log_in("charlie")

    answer = charlie.get(charlie.get(link).location)

    assert answer.status_code == 409
    assert "logged in as charlie" in text_of(answer)
    follow(bob, link)
    assert address_of(session, cast) == (BOB, None)


def test_a_change_tells_the_address_before_and_ends_links_that_it_got(
    app: Flask, bob: Visitor, stranger: Visitor, mailbox: MailBox, session: Session, cast: Cast,
) -> None:  # fmt: skip
    confirm(app, mailbox, bob)
    stranger.post("/forgotten-password", who="bob")
    send(app)
    reset = link_in(mailbox.to(BOB)[-1], "/new-password")

    confirm(app, mailbox, bob, OTHER)
    send(app)

    assert address_of(session, cast) == (OTHER, None)
    told = mailbox.to(BOB)[-1]
    assert told["Subject"] == "Your email address was changed"
    assert OTHER not in body_of(told)
    assert stranger.get(stranger.get(reset).location).status_code == 410
    assert events(session, cast) == ["mail_address_changed", "mail_address_verified"]


def test_removing_an_address_tells_it_and_forgets_it(
    app: Flask, bob: Visitor, mailbox: MailBox, session: Session, cast: Cast
) -> None:
    confirm(app, mailbox, bob)
    ask(bob, OTHER)

    wrong = bob.post(f"{PAGE}/remove", PAGE, **{"remove-current": "wrong horse"})
    assert wrong.status_code == 422
    assert address_of(session, cast) == (BOB, OTHER)
    assert bob.post(f"{PAGE}/remove", PAGE, **{"remove-current": PASSWORD}).status_code == 303
    send(app)

    assert address_of(session, cast) is None
    assert mailbox.to(BOB)[-1]["Subject"] == "Your email address was changed"
    assert mailbox.to(OTHER) == []
    assert events(session, cast)[0] == "mail_address_removed"
    with session.begin():
        assert BOB not in str(session.execute(text("SELECT * FROM mails")).all())


@pytest.mark.parametrize(
    ("address", "password", "says"),
    [
        ("bob@mail.example\nBcc: eve@mail.example", PASSWORD, "isn’t an email address"),
        ("b" * 300, PASSWORD, "at most 254 characters"),
        ("a@b.example,c@d.example", PASSWORD, "isn’t an email address"),
        ("bob", PASSWORD, "Enter an email address"),
        (BOB, "wrong horse", "This isn’t your password."),
        (BOB, "", "Enter your password."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_sent(
    app: Flask, bob: Visitor, mailbox: MailBox, session: Session, cast: Cast,
    address: str, password: str, says: str,
) -> None:  # fmt: skip
    answer = bob.post(PAGE, address=address, current=password)
    send(app)

    assert answer.status_code == 422
    assert says in text_of(answer)
    assert address_of(session, cast) is None
    assert mailbox.taken == []


def test_an_address_of_several_accounts_is_confirmed_for_few_and_only_its_reader_is_told(
    app: Flask, bob: Visitor, mailbox: MailBox, session: Session, cast: Cast
) -> None:
    with session.begin():
        for number in range(MOST_ACCOUNTS):
            user = User.sign_up(f"user{number}", "", cast.bob.created_at)
            session.add(user)
            session.flush()
            session.add(
                MailAddress(
                    user_id=user.id, address=BOB, address_key=BOB,
                    verified_at=cast.bob.created_at, language="en",
                )
            )  # fmt: skip

    assert ask(bob) == 303
    send(app)
    page = bob.get(bob.get(link_in(mailbox.to(BOB)[0], CONFIRM)).location)
    answer = bob.client.post(CONFIRM, data={"csrf_token": csrf_token(page)})

    assert answer.status_code == 422
    assert "confirmed for several other accounts" in text_of(answer)
    assert address_of(session, cast) == (None, BOB)


def test_links_to_an_address_are_few_whoever_asks(
    app: Flask, bob: Visitor, log_in: LogIn, mailbox: MailBox, clock: Clock
) -> None:
    charlie = log_in("charlie")

    answers = [ask(each) for each in (bob, charlie) for _ in range(3)]

    assert answers == [303] * 5 + [429]
    assert ask(charlie, OTHER) == 303


def test_mails_about_prizes_are_turned_off_and_on_and_those_about_log_ins_too(
    app: Flask, bob: Visitor, log_in: LogIn, mailbox: MailBox, session: Session, cast: Cast,
    stranger: Visitor,
) -> None:  # fmt: skip
    confirm(app, mailbox, bob)
    log_in("bob")
    send(app)
    assert len(mailbox.to(BOB)) == 1

    assert bob.post(f"{PAGE}/choices", PAGE, tells_log_ins="y").status_code == 303
    log_in("bob")
    send(app)

    [told] = mailbox.to(BOB)[1:]
    assert told["Subject"] == "New log-in to your account"
    assert "List-Unsubscribe" not in told
    with session.begin():
        its = session.get_one(MailAddress, cast.bob.id, populate_existing=True)
        assert (its.tells_wins, its.tells_log_ins) == (False, True)


def test_a_browser_that_is_known_is_not_told(app: Flask, bob: Visitor, mailbox: MailBox) -> None:
    confirm(app, mailbox, bob)
    bob.post(f"{PAGE}/choices", PAGE, tells_log_ins="y")
    bob.post("/logout", "/account")
    bob.log_in("bob")
    send(app)

    assert len(mailbox.to(BOB)) == 1


def test_mail_programs_turn_mails_off_by_one_click_without_a_cookie(
    app: Flask, bob: Visitor, mailbox: MailBox, session: Session, cast: Cast
) -> None:
    """RFC 8058: a POST with one field, from anywhere."""
    confirm(app, mailbox, bob)
    token = stopping_token(app.config["SECRET_KEY"], cast.bob.id, BOB)
    bare = app.test_client(use_cookies=False)
    link = f"/stop-emails?stop={token}"

    assert bare.get(link).status_code == 200
    assert "Turn off emails about prizes" in text_of(bare.get(link))
    with session.begin():
        assert session.get_one(MailAddress, cast.bob.id, populate_existing=True).tells_wins
    answer = bare.post(link, data={"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    with session.begin():
        assert not session.get_one(MailAddress, cast.bob.id, populate_existing=True).tells_wins


@pytest.mark.parametrize("token", ["", "x", "2-", "2-" + "0" * 64, "999-" + "0" * 64, "2-é", "-"])
def test_a_link_that_is_none_turns_nothing_off(
    app: Flask, bob: Visitor, mailbox: MailBox, session: Session, cast: Cast, token: str
) -> None:
    confirm(app, mailbox, bob)

    for answer in (
        bob.client.get("/stop-emails", query_string={"stop": token}),
        bob.client.post("/stop-emails", query_string={"stop": token}),
    ):
        assert answer.status_code == 404
    with session.begin():
        assert session.get_one(MailAddress, cast.bob.id, populate_existing=True).tells_wins


def test_the_data_of_an_account_has_its_address(app: Flask, bob: Visitor, mailbox: MailBox) -> None:
    assert bob.get("/account/data.json").get_json()["mail"] is None
    confirm(app, mailbox, bob)
    ask(bob, OTHER)

    mail = bob.get("/account/data.json").get_json()["mail"]

    assert (mail["address"], mail["address_to_confirm"]) == (BOB, OTHER)
    assert (mail["tells_wins"], mail["tells_log_ins"]) == (True, False)


def test_a_closed_account_has_no_address_and_gets_no_mails(
    app: Flask, bob: Visitor, stranger: Visitor, mailbox: MailBox, session: Session, cast: Cast
) -> None:
    confirm(app, mailbox, bob)
    bob.post("/account/close", current=PASSWORD)
    stranger.post("/forgotten-password", who="bob")
    stranger.post("/forgotten-password", who=BOB)
    send(app)

    assert address_of(session, cast) is None
    assert len(mailbox.taken) == 1


def test_nobody_else_sees_the_address(
    app: Flask, bob: Visitor, alice: Visitor, log_in: LogIn, mailbox: MailBox
) -> None:
    confirm(app, mailbox, bob)
    charlie = log_in("charlie")

    for visitor in (alice, charlie):
        for path in ("/", "/account", PAGE, "/winners", "/account/data.json"):
            assert BOB not in visitor.get(path).text
    for path in ("/organiser", "/organiser/participants", "/organiser/participants.csv"):
        assert BOB not in alice.get(path).text


def test_a_new_password_is_told(
    app: Flask, bob: Visitor, mailbox: MailBox, session: Session
) -> None:
    confirm(app, mailbox, bob)

    bob.post("/account/password", "/account", current=PASSWORD, new=NEW)
    send(app)

    assert mailbox.to(BOB)[-1]["Subject"] == "Your password was changed"
    with session.begin():
        assert session.scalars(select(Mail.sent_at)).all().count(None) == 0


@pytest.mark.parametrize("given_settings", [{}])
def test_an_address_from_when_mails_were_sent_can_be_removed(
    app: Flask, bob: Visitor, session: Session, cast: Cast
) -> None:
    with session.begin():
        session.add(
            MailAddress(
                user_id=cast.bob.id, address=BOB, address_key=BOB, language="en",
                verified_at=cast.bob.created_at,
            )
        )  # fmt: skip

    page = text_of(bob.get(PAGE))
    assert "This lottery doesn’t send emails." in page
    assert "Send link" not in page
    token = csrf_token(bob.get(PAGE))
    form = {"csrf_token": token, "address": OTHER, "current": PASSWORD}
    assert bob.client.post(PAGE, data=form).status_code == 404
    assert bob.post(f"{PAGE}/remove", PAGE, **{"remove-current": PASSWORD}).status_code == 303
    assert address_of(session, cast) is None
    assert 'href="/account/email"' not in bob.get("/account").text
