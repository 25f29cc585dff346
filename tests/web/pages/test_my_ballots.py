"""My ballots, by day."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.models import Lottery, Winner
from lottery_system.web.pages import ballots
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import LogIn, Visitor, text_of

ONE_DAY = timedelta(days=1)


def test_my_days_are_listed_with_what_became_of_them(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock, log_in: LogIn
) -> None:
    submit(cast.bob, big_chance, 2)
    clock.turn(ONE_DAY)
    submit(cast.bob, big_chance, 1000)
    run_due(session, FIRST_NOON + ONE_DAY, places=1)
    with session.begin():
        number = session.scalars(select(Winner.number).where(Winner.day == FIRST_DAY)).one()

    page = text_of(log_in("bob").get("/ballots"))

    assert "Friday 20 November 2026 1,000 Still open" in page
    assert f"Thursday 19 November 2026 2 Won with ballot {number}" in page
    assert "You have no ballots yet." in text_of(log_in("charlie").get("/ballots"))


def test_a_day_shows_my_numbers_lotteries_and_times_the_newest_first(
    cast: Cast, big_chance: Lottery, extra_win: Lottery, submit: Submit, log_in: LogIn
) -> None:
    submit(cast.bob, big_chance, 2)
    submit(cast.charlie, big_chance, 5)
    submit(cast.bob, extra_win)

    page = text_of(log_in("bob").get(f"/ballots/{FIRST_DAY}"))

    assert (
        "8 Extra Win 19 November 2026, 12:00:00 UTC Download the receipt for ballot 8 1 to 2"
        in page
    )
    assert "3 to 7" not in page
    assert "Your 3 ballots are in this day’s draw. It hasn’t taken place yet." in page


def test_a_day_without_ballots_of_mine_says_so(bob: Visitor) -> None:
    assert "You had no ballots that day." in text_of(bob.get("/ballots/2020-01-01"))


@pytest.mark.parametrize("text", ["today", "2026-02-30", "20261119"])
def test_what_is_not_a_date_is_not_found(bob: Visitor, text: str) -> None:
    answer = bob.get(f"/ballots/{text}")

    assert answer.status_code == 404
    assert f"“{text}” isn’t a date" in text_of(answer)


def test_many_submissions_and_many_days_are_paged(
    cast: Cast, big_chance: Lottery, submit: Submit, log_in: LogIn, clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(ballots, "PAGE", 2)
    for _ in range(3):
        submit(cast.bob, big_chance, 3)
    for _ in range(2):
        clock.turn(ONE_DAY)
        submit(cast.bob, big_chance)
    bob = log_in("bob")

    day = bob.get(f"/ballots/{FIRST_DAY}")
    assert "7 to 9" in text_of(day)
    assert "1 to 3" not in text_of(day)
    assert f'href="/ballots/{FIRST_DAY}?before=4"' in day.text
    assert "1 to 3" in text_of(bob.get(f"/ballots/{FIRST_DAY}?before=4"))

    days = bob.get("/ballots")
    assert 'href="/ballots?before=2026-11-20"' in days.text
    assert "Thursday 19 November 2026 9" in text_of(bob.get("/ballots?before=2026-11-20"))


@pytest.mark.parametrize("before", ["x", "-1", "99999999999999999999", "１２", "2026-02-30"])
def test_a_page_that_is_none_is_the_first(
    cast: Cast, big_chance: Lottery, submit: Submit, log_in: LogIn, before: str
) -> None:
    submit(cast.bob, big_chance)
    bob = log_in("bob")

    assert "1 Big Chance" in text_of(bob.get(f"/ballots/{FIRST_DAY}?before={before}"))
    assert "Thursday 19 November 2026" in text_of(bob.get(f"/ballots?before={before}"))
