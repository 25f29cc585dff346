""" "Did I win?": the next visit shows it, on any device."""

import csv
import io

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import Lottery, User
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import LogIn, Visitor, text_of


@pytest.fixture
def _bob_wins(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock
) -> None:
    """Let bob alone play on the first day; charlie and bob play on the second, for all to win."""
    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=1)


def see(visitor: Visitor) -> int:
    news = visitor.get("/")
    until = news.text.split('name="until" value="')[1].split('"')[0]
    return visitor.post("/ballots/seen", "/", until=until).status_code


@pytest.mark.usefixtures("_bob_wins")
def test_who_won_is_told_at_the_next_visit_until_it_was_seen(log_in: LogIn) -> None:
    bob = log_in("bob")
    told = text_of(bob.get("/"))
    assert "You won: Big Chance Ballot 1 won in Big Chance on Thursday 19 November 2026 ." in told
    assert "You won!" not in told  # which would say it twice
    assert bob.post(f"/prizes/{FIRST_DAY}/1").status_code == 303

    told = text_of(bob.get("/"))
    assert "You won! Ballot 1 won in Big Chance on Thursday 19 November 2026 ." in told
    assert "You’ve claimed it. Your prize" in told
    assert "You won!" in text_of(bob.get("/"))  # looking alone is not having seen

    assert see(bob) == 303

    assert "You won!" not in text_of(bob.get("/"))
    assert "You won!" not in text_of(log_in("bob").get("/"))  # nor on another device


@pytest.mark.usefixtures("_bob_wins")
def test_who_did_not_play_is_told_nothing(log_in: LogIn) -> None:
    page = text_of(log_in("charlie").get("/"))

    assert "You won" not in page
    assert "No win" not in page


def test_who_lost_is_told_in_one_sentence_however_many_draws(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock, log_in: LogIn
) -> None:
    submit(cast.bob, big_chance, 100)
    submit(cast.charlie, big_chance)
    lost = cast.charlie
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=1)
    page = text_of(log_in("charlie").get("/"))
    if "You won:" in page:  # one time in a hundred
        lost = cast.bob
        page = text_of(log_in("bob").get("/"))
    assert "No win on 19 Nov. See who won" in page

    submit(cast.bob, big_chance, 100)
    submit(cast.charlie, big_chance, 100)
    submit(cast.alice, big_chance, 10)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + 2 * ONE_DAY, places=1)

    page = text_of(log_in(lost.username).get("/"))
    assert "No win this time: you were in 2 draws." in page or "You won:" in page


@pytest.mark.usefixtures("_bob_wins")
def test_what_was_seen_never_moves_back_nor_beyond_today(
    session: Session, cast: Cast, log_in: LogIn
) -> None:
    bob = log_in("bob")

    for until, seen in [
        ("2026-11-19", "2026-11-19"),
        ("2026-11-01", "2026-11-19"),
        ("2999-01-01", "2026-11-20"),
    ]:
        assert bob.post("/ballots/seen", "/", until=until).status_code == 303
        with session.begin():
            user = session.get_one(User, cast.bob.id, populate_existing=True)
            assert str(user.seen_until) == seen
    assert bob.post("/ballots/seen", "/", until="yesterday").status_code == 404


def test_a_reserve_is_told_too(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock, log_in: LogIn
) -> None:
    submit(cast.bob, big_chance, 3)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=3)

    page = text_of(log_in("bob").get("/"))

    assert "You won: Big Chance" in page
    assert "is reserve 1 in the draw of" in page
    assert "is reserve 2 in the draw of" in page
    assert FIRST_DAY.isoformat() in log_in("bob").get("/").text


def test_a_reserve_has_not_won(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock, log_in: LogIn
) -> None:
    submit(cast.bob, big_chance)
    submit(cast.charlie, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=2)
    with session.begin():
        winner = session.scalar(text("SELECT number FROM winners WHERE place = 1"))
    reserve, number = ("charlie", 2) if winner == 1 else ("bob", 1)
    visitor = log_in(reserve)

    front, day = text_of(visitor.get("/")), text_of(visitor.get(f"/winners/{FIRST_DAY}"))
    mine = text_of(visitor.get("/ballots")), text_of(visitor.get(f"/ballots/{FIRST_DAY}"))

    assert "You won" not in " ".join([front, day, *mine])
    assert f"Ballot {number} is reserve 1 in the draw of" in front
    assert f"Your ballot {number} is reserve 1." in day
    assert f"Reserve with ballot {number}" in mine[0]
    assert f"Your ballot {number} is reserve 1." in mine[1]
    assert ", you entered" in visitor.get(f"/winners/{FIRST_DAY}").text  # in the calendar
    assert rows_of(visitor)[0]["result"] == "reserve"


def test_a_win_is_told_before_any_number_of_reserves(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock, log_in: LogIn
) -> None:
    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=1)
    submit(cast.bob, big_chance, 9)
    submit(cast.charlie, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + 2 * ONE_DAY, places=10)

    page = text_of(log_in("bob").get("/"))

    assert "You won: Big Chance" in page
    assert "Ballot 1 won in Big Chance on Thursday 19 November 2026" in page


def rows_of(visitor: Visitor) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(visitor.get("/ballots.csv").text)))


def test_between_midnight_and_its_draw_a_day_is_said_to_be_drawn_now(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock, log_in: LogIn
) -> None:
    submit(cast.bob, big_chance, 2)
    bob, charlie = log_in("bob"), log_in("charlie")
    assert "is being made" not in text_of(bob.get("/"))
    clock.turn(ONE_DAY)

    said = "The draw of 19 Nov is being made."
    for path in ("/", "/winners"):
        assert f"{said} You have 2 ballots in it. Wait for the winner" in text_of(bob.get(path))
        assert f"{said} Wait for the winner" in text_of(charlie.get(path))
    assert said not in text_of(bob.get("/winners?before=2026-11-19"))

    run_due(session, FIRST_NOON + ONE_DAY)

    for path in ("/", "/winners"):
        assert said not in text_of(bob.get(path))
