"""The welcome page for visitors without an account, and its short form on the log-in page."""

import pytest
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import Lottery
from lottery_system.models.claim import lapse
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import Visitor, text_of


@pytest.fixture
def _won(session: Session, cast: Cast, submit: Submit, clock: Clock) -> None:
    """Let bob win a pear tree on the first day, with a reserve of his."""
    with session.begin():
        garden = Lottery.create("Garden", "A pear tree.", FIRST_DAY + 9 * ONE_DAY, FIRST_NOON)
        session.add_all([garden, Lottery.create("Over", "A late tree.", FIRST_DAY, FIRST_NOON)])
    submit(cast.bob, garden, 2)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=2)


@pytest.mark.usefixtures("_won")
def test_a_stranger_sees_prizes_latest_winner_and_next_draw(stranger: Visitor) -> None:
    answer = stranger.get("/welcome")

    page = text_of(answer)
    assert answer.status_code == 200
    assert "Each day one ballot of all lotteries wins" in page
    assert "Latest winner bob : A pear tree." in page
    assert "23:59:59 UTC on Friday 20 November 2026" in page
    assert "Prizes to be won now Garden A pear tree." in page
    assert "A late tree." not in page
    assert "anyone can check each draw" in page
    for way in ("/signup", "/login", "/how-it-works", "/winners", "/lotteries/1"):
        assert f'href="{way}"' in answer.text


@pytest.mark.usefixtures("_won")
def test_the_log_in_page_tells_the_same_in_short(stranger: Visitor) -> None:
    answer = stranger.get("/login?next=/")

    page = text_of(answer)
    assert "To be won now: A pear tree." in page
    assert "Latest winner: bob , A pear tree." in page
    assert 'href="/welcome"' in answer.text


@pytest.mark.usefixtures("_won")
def test_whose_prize_lapsed_is_no_latest_winner(stranger: Visitor, session: Session) -> None:
    for place in (1, 2):
        with session.begin():
            lapse(session, FIRST_DAY, place, reason="Cheated.", now=FIRST_NOON + ONE_DAY)

    assert "Latest winner" not in text_of(stranger.get("/welcome"))


def test_before_anything_there_is_a_page_too(stranger: Visitor, clock: Clock) -> None:
    assert "No lotteries are open right now." in text_of(stranger.get("/welcome"))
    assert "To be won now" not in text_of(stranger.get("/login"))


@pytest.mark.usefixtures("_won")
def test_who_is_logged_in_is_led_to_the_lotteries(bob: Visitor) -> None:
    answer = bob.get("/welcome")

    assert "Open lotteries" in text_of(answer)
    assert "/signup" not in answer.text
