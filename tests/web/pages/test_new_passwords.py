"""Forgotten passwords: a link of one use from an organiser, and what becomes of it."""

import html
import logging
import re
import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from lottery_system.extensions import db
from lottery_system.models import (
    AccountEvent,
    AccountLink,
    LoginSession,
    SiteChange,
    Throttle,
    User,
)
from lottery_system.models.site_change import TEXTS
from lottery_system.passwords import check_password, hash_password
from lottery_system.runtime.database import READING
from lottery_system.web.pages import new_passwords
from tests.conftest import FIRST_NOON, PASSWORD, Cast, Clock
from tests.stand_ins.processes import PATIENCE
from tests.web.conftest import SESSION, LogIn, Visitor, csrf_token, text_of

NEW = "seven lazy badgers"
FORM = "/new-password"


def path_of(user: User) -> str:
    return f"/organiser/participants/{user.id}/reset-link"


def make(alice: Visitor, user: User) -> str:
    """Make a link as an organiser does, and return its path and query."""
    page = alice.post(path_of(user))
    assert page.status_code == 200, text_of(page)
    found = re.search(r"<textarea[^>]*>http://localhost(/new-password\?link=[^<]+)<", page.text)
    assert found, page.text
    return html.unescape(found[1])


def follow(visitor: Visitor, link: str) -> TestResponse:
    led = visitor.get(link)
    assert (led.status_code, led.location) == (303, FORM)
    return visitor.get(FORM)


def use(visitor: Visitor, link: str, new: str = NEW) -> TestResponse:
    token = csrf_token(follow(visitor, link))
    return visitor.client.post(FORM, data={"csrf_token": token, "new": new})


def password_of(session: Session, user: User) -> str:
    with session.begin():
        return session.scalars(select(User.password_hash).where(User.id == user.id)).one()


def kinds(session: Session) -> list[tuple[str, int | None]]:
    with session.begin():
        rows = session.execute(
            select(AccountEvent.kind, AccountEvent.actor_id)
            .where(AccountEvent.kind.like("reset_link%"))
            .order_by(AccountEvent.id)
        )
        return [(row.kind, row.actor_id) for row in rows]


def test_a_link_from_an_organiser_sets_a_new_password_and_ends_all_log_ins(
    alice: Visitor, log_in: LogIn, stranger: Visitor, session: Session, cast: Cast
) -> None:
    elsewhere = log_in("bob")
    link = make(alice, cast.bob)
    assert elsewhere.get("/").status_code == 200  # making it changes nothing

    answer = use(stranger, link)

    assert (answer.status_code, answer.location) == (303, "/login")
    assert "Your new password is set" in text_of(stranger.get("/login"))
    assert elsewhere.get("/").status_code == 303
    assert stranger.log_in("bob", PASSWORD).status_code == 422
    assert stranger.log_in("bob", NEW).status_code == 303
    assert kinds(session) == [("reset_link_made", cast.alice.id), ("reset_link_used", None)]


def test_following_a_link_uses_nothing_up_and_takes_the_token_out_of_the_address(
    alice: Visitor, app: Flask, stranger: Visitor, cast: Cast
) -> None:
    link = make(alice, cast.bob)
    scanner = Visitor(app.test_client())
    for _ in range(3):
        follow(scanner, link)

    led = stranger.get(link)
    page = stranger.get(led.location)

    assert led.headers["Referrer-Policy"] == "no-referrer"
    assert led.headers["Cache-Control"] == "no-store"
    assert "For the account bob ." in text_of(page)
    assert link.partition("=")[2] not in page.text
    assert use(stranger, link).status_code == 303


def test_neither_log_nor_database_has_the_token(
    alice: Visitor, stranger: Visitor, session: Session, cast: Cast,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO)
    link = make(alice, cast.bob)
    token = link.partition("=")[2]

    use(stranger, link)
    follow(stranger, link)
    stranger.get(f"{link}x")
    stranger.get(FORM)

    assert f"reset_link_made user=bob id={cast.bob.id}" in caplog.text
    assert f"password_reset user=bob id={cast.bob.id}" in caplog.text
    assert token not in caplog.text
    assert NEW not in caplog.text
    with session.begin():
        assert token.encode() not in session.scalars(select(AccountLink.token_hash)).one()


def after_use(link: str, alice: Visitor, cast: Cast, clock: Clock, app: Flask) -> None:
    use(Visitor(app.test_client()), link)


def after_a_newer_one(link: str, alice: Visitor, cast: Cast, clock: Clock, app: Flask) -> None:
    make(alice, cast.bob)


def after_a_day(link: str, alice: Visitor, cast: Cast, clock: Clock, app: Flask) -> None:
    clock.turn(timedelta(days=1))


def after_another_change(link: str, alice: Visitor, cast: Cast, clock: Clock, app: Flask) -> None:
    bob = Visitor(app.test_client())
    bob.log_in("bob")
    bob.post("/account/password", "/account", current=PASSWORD, new="eight busy badgers")


def after_closing(link: str, alice: Visitor, cast: Cast, clock: Clock, app: Flask) -> None:
    bob = Visitor(app.test_client())
    bob.log_in("bob")
    bob.post("/account/close", current=PASSWORD)


@pytest.mark.parametrize(
    ("meanwhile", "status", "says"),
    [
        (after_use, 410, "This link has been used already."),
        (after_a_newer_one, 410, "This link no longer works. There’s a newer one"),
        (after_a_day, 410, "This link is too old."),
        (after_another_change, 410, "or the password has been changed since."),
        (after_closing, 410, "This account is closed."),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_a_link_that_is_over_says_why_before_and_after_the_form(
    app: Flask, alice: Visitor, stranger: Visitor, session: Session, cast: Cast, clock: Clock,
    meanwhile: object, status: int, says: str,
) -> None:  # fmt: skip
    link = make(alice, cast.bob)
    token = csrf_token(follow(stranger, link))
    assert callable(meanwhile)
    meanwhile(link, alice, cast, clock, app)
    before = password_of(session, cast.bob)

    answers = [
        stranger.get(FORM),
        stranger.client.post(FORM, data={"csrf_token": token, "new": NEW + " indeed"}),
    ]

    for answer in answers:
        assert answer.status_code == status
        assert says in text_of(answer)
        assert "Your password wasn’t changed. How to get a new link" in text_of(answer)
    assert password_of(session, cast.bob) == before


@pytest.mark.parametrize("token", ["", "x", "é\x00", "x" * 3000, "Q" * 43])
def test_a_token_that_is_none_says_so(cast: Cast, stranger: Visitor, token: str) -> None:
    stranger.client.get(FORM, query_string={"link": token})

    answer = stranger.get(FORM)

    assert answer.status_code == 404
    assert "This link isn’t valid." in text_of(answer)


def test_a_page_without_a_link_says_what_to_do(cast: Cast, stranger: Visitor) -> None:
    assert stranger.get(FORM).status_code == 404
    assert stranger.post(FORM, "/login", new=NEW).status_code == 404


def test_whoever_is_logged_in_as_another_is_told_and_nothing_is_used_up(
    alice: Visitor, log_in: LogIn, stranger: Visitor, session: Session, cast: Cast
) -> None:
    charlie, link = log_in("charlie"), make(alice, cast.bob)
    token = csrf_token(charlie.get("/account"))

    page = follow(charlie, link)
    answer = charlie.client.post(FORM, data={"csrf_token": token, "new": NEW})

    for each in (page, answer):
        assert each.status_code == 409
        assert "You’re logged in as charlie" in text_of(each)
    assert charlie.get("/").status_code == 200
    charlie.post("/logout", "/account")
    assert use(charlie, link).status_code == 303


def test_its_holder_can_use_it_while_logged_in(
    alice: Visitor, bob: Visitor, cast: Cast, session: Session
) -> None:
    stolen = bob.client.get_cookie(SESSION)

    assert use(bob, make(alice, cast.bob)).status_code == 303

    assert bob.get("/account").status_code == 303
    assert stolen is not None
    bob.client.set_cookie(SESSION, stolen.value)
    assert bob.get("/account").status_code == 303
    assert bob.log_in("bob", NEW).status_code == 303


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("", "Enter a new password."),
        ("short", "A password must be 8 to 128 characters long."),
        ("password", "too common"),
        ("bob4bob!bob", "too similar to your username"),
    ],
)
def test_a_password_that_cannot_be_is_refused_and_the_link_still_works(
    alice: Visitor, stranger: Visitor, cast: Cast, session: Session, new: str, says: str
) -> None:
    link, before = make(alice, cast.bob), password_of(session, cast.bob)

    answer = use(stranger, link, new)

    assert answer.status_code == 422
    assert says in text_of(answer)
    assert password_of(session, cast.bob) == before
    assert use(stranger, link).status_code == 303


def test_of_two_tabs_at_once_one_sets_the_password(
    app: Flask, alice: Visitor, cast: Cast, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have been found to have a link that works, and hash, before either uses it."""
    link, both = make(alice, cast.bob), threading.Barrier(2, timeout=PATIENCE)

    def hash_together(password: str) -> str:
        both.wait()
        return hash_password(password)

    tabs = [Visitor(app.test_client()) for _ in range(2)]
    tokens = [csrf_token(follow(tab, link)) for tab in tabs]
    monkeypatch.setattr(new_passwords, "hash_password", hash_together)
    answers: dict[int, TestResponse] = {}

    def send(number: int) -> None:
        form = {"csrf_token": tokens[number], "new": f"{NEW} {number}"}
        answers[number] = tabs[number].client.post(FORM, data=form)

    threads = [threading.Thread(target=send, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answer.status_code for answer in answers.values()) == [303, 410]
    winner = next(number for number, answer in answers.items() if answer.status_code == 303)
    assert "This link has been used already." in text_of(answers[1 - winner])
    assert check_password(password_of(session, cast.bob), f"{NEW} {winner}")
    assert [kind for kind, _ in kinds(session)] == ["reset_link_made", "reset_link_used"]


def test_links_that_do_not_work_are_limited_and_others_are_not_counted(
    alice: Visitor, stranger: Visitor, cast: Cast, session: Session
) -> None:
    link = make(alice, cast.bob)
    for _ in range(3):
        use(stranger, link, "short")
    token = csrf_token(follow(stranger, link))
    stranger.get(f"{FORM}?link=wrong")

    answers = [
        stranger.client.post(FORM, data={"csrf_token": token, "new": NEW}).status_code
        for _ in range(31)
    ]

    assert answers == [404] * 30 + [429]
    with session.begin():
        counted = session.scalar(
            select(Throttle.attempt_count).where(Throttle.key.like("new password/%"))
        )
        assert counted == 30


def test_a_browser_that_was_guessing_may_log_in_at_once(
    alice: Visitor, stranger: Visitor, cast: Cast
) -> None:
    for number in range(10):
        stranger.log_in("bob", f"wrong horse {number}")
    assert stranger.log_in("bob", PASSWORD).status_code == 429

    use(stranger, make(alice, cast.bob))

    assert stranger.log_in("bob", NEW).status_code == 303


def test_an_organiser_makes_no_link_for_an_organiser(
    alice: Visitor, cast: Cast, session: Session
) -> None:
    token = csrf_token(alice.get("/account"))
    for answer in (
        alice.get(path_of(cast.alice)),
        alice.client.post(path_of(cast.alice), data={"csrf_token": token}),
    ):
        assert answer.status_code == 403
        assert "You can only create links for participants." in text_of(answer)
    assert f'href="{path_of(cast.alice)}"' not in alice.get("/organiser/participants").text
    assert kinds(session) == []


def test_nor_for_a_participant_who_has_just_become_one(
    alice: Visitor, cast: Cast, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role is read again under the lock of the user's row."""
    token = csrf_token(alice.get(path_of(cast.bob)))
    with session.begin():
        session.get_one(User, cast.bob.id).is_organiser = True
    monkeypatch.setattr(
        "lottery_system.web.pages.reset_links._participant", lambda user_id: cast.bob
    )

    answer = alice.client.post(path_of(cast.bob), data={"csrf_token": token})

    assert answer.status_code == 422
    assert "You can only create links for participants." in text_of(answer)
    assert kinds(session) == []


def test_nobody_else_makes_links(log_in: LogIn, stranger: Visitor, cast: Cast) -> None:
    charlie = log_in("charlie")
    token = csrf_token(charlie.get("/account"))

    assert charlie.get(path_of(cast.bob)).status_code == 403
    assert charlie.client.post(
        path_of(cast.bob), data={"csrf_token": token}
    ).status_code == 403  # fmt: skip
    assert stranger.get(path_of(cast.bob)).status_code == 303


def test_there_is_no_link_for_accounts_that_are_closed_or_none(
    alice: Visitor, bob: Visitor, cast: Cast
) -> None:
    bob.post("/account/close", current=PASSWORD)

    assert alice.get(path_of(cast.bob)).status_code == 422
    assert f'href="{path_of(cast.bob)}"' not in alice.get("/organiser/participants").text
    missing = alice.get("/organiser/participants/999/reset-link")
    assert missing.status_code == 404
    assert "This account doesn’t exist." in text_of(missing)


def test_an_organiser_makes_few_links_in_an_hour(
    alice: Visitor, cast: Cast, session: Session
) -> None:
    for _ in range(20):
        make(alice, cast.bob)

    assert alice.post(path_of(cast.bob)).status_code == 429
    assert len(kinds(session)) == 20


def test_organisers_see_who_made_a_link_for_whom(alice: Visitor, cast: Cast, clock: Clock) -> None:
    assert "What was done to accounts" not in text_of(alice.get("/organiser/participants"))
    make(alice, cast.bob)

    page = text_of(alice.get("/organiser/participants"))

    assert "bob : A link to set a new password was created. By alice , an organiser." in page


def test_the_holder_is_told_at_the_next_log_in_until_it_was_seen(
    app: Flask, alice: Visitor, session: Session, cast: Cast, log_in: LogIn
) -> None:
    make(alice, cast.bob)
    note, told = "Something was done to your account", "What others did to your account"

    here, there, charlie = log_in("bob"), log_in("bob"), log_in("charlie")

    for path in ("/", "/winners", "/how-it-works"):
        assert note in text_of(here.get(path))
        assert note not in text_of(charlie.get(path))
    page = text_of(here.get("/account"))
    assert note not in page
    assert told in page
    assert "A link to set a new password was created. By alice , an organiser." in page
    here.post("/account/password", "/account", current=PASSWORD, new=NEW)
    assert note in text_of(here.get("/"))  # a new password is not an answer
    [until] = re.findall(r'name="until" value="(\d+)"', here.get("/account").text)

    assert here.post("/account/news", "/account", until=until).location == "/account"

    assert told not in text_of(here.get("/account"))
    assert note not in text_of(here.get("/"))
    there.log_in("bob", NEW)
    assert note not in text_of(there.get("/"))
    make(alice, cast.bob)
    with session.begin():
        assert session.scalar(select(User.told_event).where(User.id == cast.bob.id)) == int(until)


def test_the_page_that_says_that_the_database_is_gone_asks_for_no_news(
    app: Flask, alice: Visitor, log_in: LogIn, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(alice, cast.bob)
    bob = log_in("bob")

    def fail(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", None, Exception("server closed the connection"))

    with app.app_context():
        monkeypatch.setattr(db.engines[READING].dialect, "do_execute", fail)

    assert bob.get("/").status_code == 503


def test_what_happens_after_it_was_seen_is_told_again(
    alice: Visitor, clock: Clock, log_in: LogIn, cast: Cast
) -> None:
    make(alice, cast.bob)
    bob = log_in("bob")
    [until] = re.findall(r'name="until" value="(\d+)"', bob.get("/account").text)
    clock.turn(timedelta(minutes=1))
    make(alice, cast.bob)

    bob.post("/account/news", "/account", until=until)

    assert "What others did to your account" in text_of(bob.get("/account"))


@pytest.mark.parametrize("until", ["", "x", "999", "of charlie"])
def test_only_what_happened_to_oneself_is_seen(
    alice: Visitor, session: Session, cast: Cast, log_in: LogIn, until: str
) -> None:
    make(alice, cast.bob)
    bob = log_in("bob")
    if until == "of charlie":  # and later than what bob is to be told
        log_in("charlie")
        with session.begin():
            until = str(session.scalar(select(func.max(AccountEvent.id))))

    assert bob.post("/account/news", "/account", until=until).status_code == 303

    assert "What others did to your account" in text_of(bob.get("/account"))


def test_the_log_in_page_leads_to_what_to_do(
    stranger: Visitor, session: Session, cast: Cast
) -> None:
    assert 'href="/forgotten-password"' in stranger.get("/login").text
    page = text_of(stranger.get("/forgotten-password"))
    assert "Ask an organiser" in page
    assert "Contact" not in page

    with session.begin():
        texts = dict.fromkeys(TEXTS, "") | {"title": "", "contact": "The desk.\n\n<b>Room 7</b>"}
        SiteChange.add(session, texts, None, FIRST_NOON, cast.alice.id)

    assert "Contact The desk. <b>Room 7</b>" in text_of(stranger.get("/forgotten-password"))


def test_a_new_password_ends_links_for_whatever_else(
    alice: Visitor, stranger: Visitor, session: Session, cast: Cast
) -> None:
    with session.begin():
        session.add(
            AccountLink(
                token_hash=bytes(32), purpose="another", user_id=cast.bob.id, made_at=FIRST_NOON,
                expires_at=FIRST_NOON + timedelta(days=9),
            )
        )  # fmt: skip

    use(stranger, make(alice, cast.bob))

    with session.begin():
        other = session.get_one(AccountLink, bytes(32), populate_existing=True)
        assert other.ended_at == FIRST_NOON


def test_nothing_is_left_of_a_reset_that_fails(
    alice: Visitor, stranger: Visitor, session: Session, cast: Cast, app: Flask,
    monkeypatch: pytest.MonkeyPatch, log_in: LogIn,
) -> None:  # fmt: skip
    bob, link = log_in("bob"), make(alice, cast.bob)
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(LoginSession, "close_all", fail)
        assert use(stranger, link).status_code == 500

    assert bob.get("/").status_code == 200
    with session.begin():
        assert session.scalar(select(func.count(AccountLink.used_at))) == 0
    assert stranger.log_in("bob", PASSWORD).status_code == 303
    stranger.post("/logout", "/account")
    assert use(stranger, link).status_code == 303
