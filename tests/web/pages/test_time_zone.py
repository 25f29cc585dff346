"""Time zone of an account: all its pages and mails write the reader's own time first."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import Lottery, User
from tests.conftest import FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import LogIn, Visitor, text_of

BERLIN = "01:00 your time on Friday 20 November 2026 (23:59:59 UTC on Thursday 19 November 2026)"
UTC_ALONE = "23:59:59 UTC on Thursday 19 November 2026"
#: of the front page, where the day is today
TODAY = "23:59:59 UTC ."


def choose(visitor: Visitor, name: str) -> None:
    assert visitor.post("/account/time-zone", "/account", time_zone=name).status_code == 303


def test_without_a_time_zone_pages_write_utc_and_leave_the_rest_to_the_script(
    bob: Visitor, big_chance: Lottery
) -> None:
    page = bob.get("/")

    assert f"Closes at {TODAY}" in text_of(page)
    assert f"After {UTC_ALONE}" in text_of(bob.get("/welcome"))
    assert '<time datetime="2026-11-19T23:59:59Z" data-own="today">23:59:59 UTC</time>' in page.text


def test_every_page_of_the_account_writes_its_own_time_first(
    bob: Visitor, log_in: LogIn, big_chance: Lottery
) -> None:
    choose(bob, "Europe/Berlin")

    elsewhere = log_in("bob")
    assert "Your time zone has been saved." in text_of(bob.get("/account"))
    for visitor in (bob, elsewhere):
        assert "Closes at 01:00 your time (23:59:59 UTC)" in text_of(visitor.get("/"))
    assert f"After {BERLIN}" in text_of(bob.get("/welcome"))
    assert f"Closes at {BERLIN}" in text_of(bob.get("/screen"))
    assert "01:00 your time on Sunday 20 December 2026" in text_of(bob.get("/lotteries/1"))
    assert "just after 01:00 your time on Friday" in text_of(bob.get("/winners/2026-11-19"))
    assert f"until {BERLIN}" in text_of(bob.get("/draws/2026-11-19"))
    bob.submit(big_chance.id)
    receipt = text_of(bob.get("/"))
    assert "Added 19 November 2026, 12:00:00 UTC (Thursday 13:00 your time)" in receipt
    for path in ("/", "/welcome", "/lotteries/1", "/account", "/winners/2026-11-19"):
        assert "data-own=" not in bob.get(path).text.partition("<main")[2], path


def test_the_account_page_shows_the_choice_and_takes_it_back(bob: Visitor) -> None:
    choose(bob, "America/Argentina/Buenos_Aires")
    chosen = (
        '<option value="America/Argentina/Buenos_Aires" selected>America/Argentina/Buenos Aires<'
    )
    assert chosen in bob.get("/account").text
    assert json.loads(bob.get("/account/data.json").data)["time_zone"] == (
        "America/Argentina/Buenos_Aires"
    )

    choose(bob, "")

    assert "selected>America" not in bob.get("/account").text
    assert json.loads(bob.get("/account/data.json").data)["time_zone"] is None
    assert f"Closes at {TODAY}" in text_of(bob.get("/"))


@pytest.mark.parametrize("name", ["Europe/Atlantis", "Europe", "Etc/GMT+5", "x" * 70, "\0", "utc"])
def test_an_account_gets_no_time_zone_that_is_none(bob: Visitor, name: str) -> None:
    answer = bob.post("/account/time-zone", "/account", time_zone=name)

    assert answer.status_code == 422
    assert "Choose one of the time zones in the list." in text_of(answer)
    assert f"Closes at {TODAY}" in text_of(bob.get("/"))


@pytest.mark.parametrize(
    ("name", "day", "closing"),
    [
        ("UTC", "2026-11-19", UTC_ALONE),
        ("Europe/London", "2026-11-19", UTC_ALONE),
        ("Europe/London", "2026-07-01", "01:00 your time on Thursday 2 July 2026"),
        ("America/New_York", "2026-11-19", "19:00 your time on Thursday 19 November 2026"),
        ("Asia/Kathmandu", "2026-11-19", "05:45 your time on Friday 20 November 2026"),
        ("Pacific/Kiritimati", "2026-11-19", "14:00 your time on Friday 20 November 2026"),
        # clocks are changed at 01:00 UTC, an hour after one day closes and 23 before the next
        ("Europe/Berlin", "2026-10-24", "02:00 your time on Sunday 25 October 2026"),
        ("Europe/Berlin", "2026-10-25", "01:00 your time on Monday 26 October 2026"),
        ("Europe/Berlin", "2026-03-28", "01:00 your time on Sunday 29 March 2026"),
        ("Europe/Berlin", "2026-03-29", "02:00 your time on Monday 30 March 2026"),
        # where they are changed at midnight, an hour after the day closes
        ("Atlantic/Azores", "2026-03-28", "23:00 your time on Saturday 28 March 2026"),
    ],
)
def test_a_closing_is_written_by_the_rules_of_its_day(
    app: Flask, clock: Clock, log_in: LogIn, name: str, day: str, closing: str
) -> None:
    clock.set(datetime.fromisoformat(f"{day}T12:00:00+00:00"))
    bob = log_in("bob")
    choose(bob, name)

    page = text_of(bob.get("/welcome"))

    assert f"After {closing}" in page
    assert ("your time" in page) == ("your time" in closing)


def test_a_time_zone_that_is_no_more_is_as_none(
    bob: Visitor, big_chance: Lottery, session: Session
) -> None:
    with session.begin():
        session.execute(update(User).values(time_zone="Europe/Atlantis"))

    assert f"Closes at {TODAY}" in text_of(bob.get("/"))
    assert 'data-own="today"' in bob.get("/").text
    assert bob.get("/account").status_code == 200


def test_readers_in_other_time_zones_and_strangers_get_none_of_ones_times(
    bob: Visitor, log_in: LogIn, stranger: Visitor, big_chance: Lottery
) -> None:
    """Of whatever is cached, each gets what is made for their zone."""
    charlie = log_in("charlie")
    choose(bob, "Europe/Berlin")
    choose(charlie, "Asia/Kathmandu")
    for _ in range(2):
        bob.submit(big_chance.id)
        charlie.submit(big_chance.id)
        assert "01:00 your time" in text_of(bob.get("/"))
        assert "05:45" not in bob.get("/").text
        assert "05:45 your time" in text_of(charlie.get("/"))
        for path in ("/welcome", "/lotteries/1", "/winners/2026-11-19", "/screen"):
            assert "your time" not in text_of(stranger.get(path)), path


def test_the_page_of_a_drawn_day_is_cached_for_strangers_in_utc(
    bob: Visitor, stranger: Visitor, cast: Cast, big_chance: Lottery, submit: Submit,
    session: Session, clock: Clock,
) -> None:  # fmt: skip
    choose(bob, "Europe/Berlin")
    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)

    for _ in range(2):
        assert "your time)" in text_of(bob.get("/winners/2026-11-19"))
        assert "your time)" not in text_of(stranger.get("/winners/2026-11-19"))
    assert "your time" not in text_of(bob.get("/winners/2026-11-19/sheet"))  # hangs on a wall


def test_a_lottery_that_closes_on_the_last_day_there_is_has_a_page(
    bob: Visitor, session: Session
) -> None:
    choose(bob, "Pacific/Kiritimati")
    with session.begin():
        last = datetime(9999, 12, 31, tzinfo=UTC).date()
        session.add(Lottery.create("For ever", "", last, FIRST_NOON))

    assert "23:59:59 UTC on Friday 31 December 9999" in text_of(bob.get("/lotteries/1"))


@pytest.mark.parametrize("given_settings", [{"LOTTERY_BALLOTS_PER_HOUR": "1000"}])
def test_a_refusal_says_in_ones_own_time_from_when_on_it_is_possible(
    bob: Visitor, clock: Clock, big_chance: Lottery
) -> None:
    choose(bob, "Asia/Kathmandu")
    clock.turn(timedelta(hours=-11, minutes=-30))
    assert bob.submit(big_chance.id, count="1000").status_code == 303

    refused = bob.submit(big_chance.id, count="1000")

    assert "You can add them from 06:45 your time (01:00 UTC) on." in text_of(refused)


@pytest.mark.parametrize(
    ("code", "closing"),
    [
        ("de", "Schließt um 01:00 deiner Zeit am Freitag, 20. November 2026 (23:59:59 UTC am "),
        ("es", "Cierra a las 01:00 (hora local) del viernes, 20 de noviembre de 2026 (23:59:59 "),
        ("fr", "Clôture à 01:00 (heure locale) le vendredi 20 novembre 2026 (23:59:59 UTC le "),
    ],
)
def test_local_times_are_in_the_language_of_the_page(
    bob: Visitor, big_chance: Lottery, code: str, closing: str
) -> None:
    choose(bob, "Europe/Berlin")

    assert closing in text_of(bob.get(f"/screen?lang={code}"))
