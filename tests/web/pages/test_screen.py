"""The draw screen: what a projector shows to everybody, in each state of yesterday's draw."""

import re

import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import LOST, Draw, Lottery, Winner
from lottery_system.models.claim import lapse
from lottery_system.parts import parts_of
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.stand_ins.prizes import rename
from tests.web.conftest import LogIn, Visitor, text_of


def shows(visitor: Visitor) -> str:
    answer = visitor.get("/screen")
    assert answer.status_code == 200
    return text_of(answer)


@pytest.fixture
def played(cast: Cast, big_chance: Lottery, submit: Submit, session: Session) -> None:
    """Let bob play on the first day, for a prize."""
    rename(session, big_chance, "Big Chance", "A <b>weekend</b> by the sea")
    submit(cast.bob, big_chance, 3)


def test_before_the_first_draw_there_is_a_countdown_and_no_ballot(
    stranger: Visitor, clock: Clock
) -> None:
    page = stranger.get("/screen")

    assert 'data-until="2026-11-20T00:00:00+00:00"' in page.text
    assert 'data-now="2026-11-19T12:00:00+00:00"' in page.text
    assert "Ballots today 0" in text_of(page)
    assert "The first draw hasn’t taken place yet." in text_of(page)


@pytest.mark.usefixtures("played")
def test_the_ballots_of_today_are_counted(stranger: Visitor) -> None:
    assert "Ballots today 3" in shows(stranger)


@pytest.mark.usefixtures("played")
def test_the_winner_is_shown_with_number_lottery_and_prize_as_it_was_offered(
    stranger: Visitor, session: Session, clock: Clock, big_chance: Lottery
) -> None:
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)
    rename(session, big_chance, "Renamed", "Nothing", FIRST_NOON + ONE_DAY)

    number = session.get_one(Winner, (FIRST_DAY, 1)).number
    page = shows(stranger)
    assert "Winner of Thursday 19 November 2026" in page
    assert f"Ballot {number} bob Big Chance A <b>weekend</b> by the sea" in page
    assert "Renamed" not in page
    assert "Ballots today 0" in page


@pytest.mark.usefixtures("played")
def test_a_prize_that_was_passed_on_is_shown_with_the_reserve_who_has_it_now(
    stranger: Visitor, session: Session, clock: Clock
) -> None:
    now = FIRST_NOON + ONE_DAY
    clock.turn(ONE_DAY)
    run_due(session, now, places=2)
    with session.begin():
        first, second = (session.get_one(Winner, (FIRST_DAY, place)).number for place in (1, 2))
    before = shown_result(stranger)
    with session.begin():
        lapse(session, FIRST_DAY, 1, reason="Out of reach.", now=now)

    page = shows(stranger)

    assert f"Ballot {second} bob Big Chance" in page
    assert f"Passed on to reserve 1. Ballot {first} was drawn first" in page
    assert shown_result(stranger) != before, "the script of the screen would keep the old one"

    with session.begin():
        lapse(session, FIRST_DAY, 2, reason="Out of reach.", now=now)

    page = shows(stranger)
    assert f"Ballot {first} bob Big Chance" in page
    assert "This prize wasn’t handed over." in page


def shown_result(visitor: Visitor) -> str:
    found = re.search('data-shows="([^"]+)"', visitor.get("/screen").text)
    assert found
    return found[1]


def test_a_day_without_ballots_says_so(
    stranger: Visitor, session: Session, cast: Cast, clock: Clock
) -> None:
    run_due(session, FIRST_NOON)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)

    page = shows(stranger)
    assert "Thursday 19 November 2026 : no winner" in page
    assert "No ballots were added" in page


@pytest.mark.usefixtures("played")
def test_between_the_close_and_the_draw_it_is_being_made(stranger: Visitor, clock: Clock) -> None:
    clock.turn(ONE_DAY)

    page = shows(stranger)
    assert "The draw of Thursday 19 November 2026 It’s being made now." in page
    assert "within a minute" in page


@pytest.mark.usefixtures("played")
def test_a_lottery_that_is_paused_promises_no_draw_within_a_minute(
    app: Flask, stranger: Visitor, clock: Clock
) -> None:
    clock.turn(ONE_DAY)
    parts_of(app).pause.set("fire", "The disk is on fire.")

    page = shows(stranger)
    assert "The lottery is paused" in page
    assert "as soon as the lottery is no longer paused" in page
    assert "within a minute" not in page
    assert "on fire" not in page


@pytest.mark.usefixtures("played")
def test_a_day_whose_records_were_lost_shows_no_winner(
    stranger: Visitor, session: Session, clock: Clock
) -> None:
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON)
    with session.begin():
        session.execute(update(Draw).where(Draw.day == FIRST_DAY).values(status=LOST))

    page = shows(stranger)
    assert "Thursday 19 November 2026 : records lost" in page
    assert "bob" not in page


@pytest.mark.usefixtures("played")
def test_it_is_the_same_for_whoever_looks_and_has_no_controls(
    stranger: Visitor, log_in: LogIn, session: Session, clock: Clock
) -> None:
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)
    page = stranger.get("/screen").text

    assert log_in("bob").get("/screen").text == log_in("alice").get("/screen").text == page
    assert re.findall(r"<(?:a|button|form|input|details)\b", page) == []
    assert "csrf" not in page


def test_without_a_script_the_page_comes_again_each_minute(stranger: Visitor, clock: Clock) -> None:
    page = stranger.get("/screen").text

    assert page.count("refresh") == 1
    assert '<noscript><meta http-equiv="refresh" content="60"></noscript>' in page
    assert "Closes at 23:59:59 UTC" in text_of(stranger.get("/screen"))


def test_no_cache_keeps_it(stranger: Visitor, clock: Clock) -> None:
    assert stranger.get("/screen").headers["Cache-Control"] == "no-store"


def test_organisers_are_shown_the_way_to_it(alice: Visitor) -> None:
    assert 'href="/screen"' in alice.get("/organiser").text
