"""Account page: log-ins with browser and last use, each of which can end, and what happened."""

import json
import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.models import AccountEvent, AccountEventKind, LoginSession
from lottery_system.parts import parts_of
from lottery_system.scheduler import tick
from lottery_system.web.account_events import SENTENCES
from tests.conftest import FIRST_NOON, PASSWORD, Cast, Clock
from tests.stand_ins.log_keys import begin
from tests.web.conftest import LogIn, Visitor, text_of

ACCOUNT = "/account"
PHONE = "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"
DESK = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEW = "seven lazy badgers"


def at(app: Flask, user_agent: str) -> Visitor:
    visitor = Visitor(app.test_client())
    visitor.client.environ_base["HTTP_USER_AGENT"] = user_agent
    return visitor


def events(session: Session) -> list[tuple[int, str, str | None]]:
    with session.begin():
        rows = session.scalars(select(AccountEvent).order_by(AccountEvent.id))
        return [(each.user_id, each.kind, each.browser) for each in rows]


def others(page: str) -> list[str]:
    return re.findall(r'name="log_in" value="([0-9a-f]+)"', page)


def test_what_happens_to_an_account_is_told_to_its_holder_with_the_browser(
    app: Flask, cast: Cast, session: Session
) -> None:
    phone, desk = at(app, PHONE), at(app, DESK)
    phone.log_in("bob")
    desk.log_in("bob")
    desk.post("/account/sessions", ACCOUNT)
    desk.post("/account/password", ACCOUNT, current=PASSWORD, new=NEW)
    desk.post("/logout", ACCOUNT)
    phone.log_in("bob", NEW)

    page = text_of(phone.get("/account/history"))

    bob, linux, android = cast.bob.id, "Firefox on Linux", "Firefox on Android"
    assert events(session) == [
        (bob, "logged_in", android), (bob, "logged_in", linux),
        (bob, "other_log_ins_ended", linux), (bob, "password_changed", linux),
        (bob, "logged_out", linux), (bob, "logged_in", android),
    ]  # fmt: skip
    assert "Firefox on Linux The password was changed." in page
    assert page.index("The password was changed.") < page.index("All other browsers were logged")
    assert PHONE not in page


def test_signing_up_and_closing_are_recorded(stranger: Visitor, session: Session) -> None:
    stranger.post("/signup", username="dana", password=NEW)
    stranger.post("/account/close", current=NEW)

    assert [kind for _, kind, _ in events(session)] == ["signed_up", "account_closed"]


def test_what_happens_to_others_is_not_shown(log_in: LogIn) -> None:
    bob = log_in("bob")
    log_in("charlie").post("/account/sessions", ACCOUNT)

    assert "All other browsers" not in text_of(bob.get("/account/history"))
    assert "All other browsers" not in bob.get("/account/data.json").text


def test_a_long_history_has_pages(bob: Visitor, session: Session, cast: Cast) -> None:
    with session.begin():
        for number in range(60):
            AccountEvent.record(
                session, cast.bob.id, AccountEventKind.MAIL_ADDRESS_VERIFIED, FIRST_NOON,
                detail=f"key {number}",
            )  # fmt: skip

    first = bob.get("/account/history")

    assert ("(key 59)" in first.text, "(key 0)" in first.text) == (False, False)
    assert "key 59" in text_of(first)
    older = re.search(r'href="(/account/history\?before=\d+)"', first.text)
    assert older
    second = text_of(bob.get(older[1]))
    assert "key 0 " in second
    assert "Earlier events" not in second
    assert bob.get("/account/history?before=x").status_code == 200


def test_each_log_in_says_browser_and_day_and_can_be_ended_by_itself(
    app: Flask, cast: Cast, session: Session
) -> None:
    phone, desk, third = at(app, PHONE), at(app, DESK), at(app, "curl/8")
    for visitor in (phone, desk, third):
        visitor.log_in("bob")

    page = desk.get(ACCOUNT)

    assert "Firefox on Linux · this browser" in text_of(page)
    assert "Unknown browser since" in text_of(page)
    assert len(others(page.text)) == 2
    [of_phone] = set(others(page.text)) - set(others(phone.get(ACCOUNT).text))
    answer = desk.post("/account/sessions/end", ACCOUNT, log_in=of_phone)

    assert answer.location == "/account?done=session"
    assert "The other browser has been logged out." in text_of(desk.get(answer.location))
    assert [each.get("/").status_code for each in (phone, desk, third)] == [303, 200, 200]
    with session.begin():
        newest = session.scalars(select(AccountEvent).order_by(AccountEvent.id.desc())).first()
        assert newest is not None
        assert (newest.kind, newest.detail) == ("log_in_ended", "Firefox on Android")


@pytest.mark.parametrize("name", ["", "0" * 16, "x", "\x00"])
def test_ending_a_log_in_that_is_none_changes_nothing(
    log_in: LogIn, session: Session, name: str
) -> None:
    bob = log_in("bob")
    before = events(session)

    assert bob.post("/account/sessions/end", ACCOUNT, log_in=name).status_code == 303

    assert bob.get("/").status_code == 200
    assert events(session) == before


def test_nobody_ends_the_log_in_of_somebody_else(log_in: LogIn) -> None:
    bob, other, charlie = log_in("bob"), log_in("bob"), log_in("charlie")
    [name] = others(bob.get(ACCOUNT).text)

    charlie.post("/account/sessions/end", ACCOUNT, log_in=name)

    assert other.get("/").status_code == 200


def test_the_last_use_of_a_log_in_is_stored_by_the_tick_to_the_hour(
    app: Flask, bob: Visitor, session: Session, clock: Clock
) -> None:
    def seen_after(wait: timedelta) -> timedelta:
        clock.turn(wait)
        bob.get("/winners")
        with app.app_context(), session.begin():
            parts_of(app).seen_log_ins.store(session, FIRST_NOON + elapsed)
        with session.begin():
            seen_at = session.scalars(select(LoginSession.seen_at)).one()
        assert seen_at is not None
        return seen_at - FIRST_NOON

    elapsed = timedelta(minutes=59)
    assert seen_after(timedelta(minutes=59)) == timedelta()
    elapsed = timedelta(minutes=60)
    assert seen_after(timedelta(minutes=1)) == elapsed
    log = json.loads(bob.get("/account/data.json").text)["log_ins"]
    assert [each["seen_at"] for each in log] == ["2026-11-19T13:00:00+00:00"]


def test_a_tick_stores_the_last_use_and_deletes_events_of_long_ago(
    app: Flask, bob: Visitor, session: Session, cast: Cast, clock: Clock
) -> None:
    begin(session, FIRST_NOON)
    with session.begin():
        long_ago = FIRST_NOON - timedelta(days=90)
        AccountEvent.record(session, cast.bob.id, AccountEventKind.LOGGED_OUT, long_ago)
    clock.turn(timedelta(hours=1))
    bob.get("/winners")

    tick(app)

    with session.begin():
        assert session.scalars(select(LoginSession.seen_at)).one() == FIRST_NOON + timedelta(
            hours=1
        )
        assert session.scalars(select(AccountEvent.kind)).all() == ["logged_in"]


def test_my_data_has_my_log_ins_and_my_history(bob: Visitor) -> None:
    bob.post("/account/sessions", ACCOUNT)

    data = json.loads(bob.get("/account/data.json").text)

    assert [each["kind"] for each in data["account_events"]] == [
        "other_log_ins_ended", "logged_in",
    ]  # fmt: skip
    assert data["account_events"][0]["happened_at"] == "2026-11-19T12:00:00+00:00"
    assert set(data["log_ins"][0]) == {"browser", "begun_at", "seen_at"}


def test_all_kinds_of_events_have_a_sentence() -> None:
    assert set(SENTENCES) == set(AccountEventKind)
