"""Organisers' overview: status of the draws, participants, changes."""

from dataclasses import replace
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.clock_check import ClockCheck
from lottery_system.errors import Paused
from lottery_system.models import Lottery
from lottery_system.models.database_clock import Clocks
from lottery_system.parts import keep, parts_of
from lottery_system.pause import Pause
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import LogIn, Visitor, text_of

LIST = "/organiser/lotteries"


def test_the_overview_tells_last_and_next_draw_and_that_all_is_well(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock, log_in: LogIn
) -> None:
    submit(cast.bob, big_chance, 2)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)
    submit(cast.bob, big_chance, 5)

    page = text_of(log_in("alice").get("/organiser"))

    assert "All draws are up to date Last draw Thursday 19 November 2026" in page
    assert "Next draw just after 23:59:59 UTC on Friday 20 November 2026" in page
    assert "Ballots today 5 Participants 3 Open lotteries 1" in page


@pytest.mark.parametrize(
    ("path", "marked"),
    [
        ("/organiser", '<a href="/organiser" aria-current="page">Overview</a>'),
        (
            "/organiser/participants/2",
            '<a href="/organiser/participants" aria-current="true">Participants</a>',
        ),
        (
            "/organiser/invitations",
            '<a href="/organiser/participants" aria-current="true">Participants</a>',
        ),
    ],
)
def test_each_page_of_organisers_marks_the_way_that_it_is_on(
    cast: Cast, log_in: LogIn, path: str, marked: str
) -> None:
    page = log_in("alice").get(path)

    assert page.status_code == 200
    assert marked in page.text


def test_a_draw_that_is_late_is_told_before_all_else(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock, log_in: LogIn
) -> None:
    submit(cast.bob, big_chance, 2)
    run_due(session, FIRST_NOON)
    clock.turn(ONE_DAY)
    alice = log_in("alice")

    overview, draws = text_of(alice.get("/organiser")), text_of(alice.get("/organiser/draws"))

    assert "A draw is late" in overview
    assert "Tell whoever runs the server" in overview
    assert "Thursday 19 November 2026 2 – – – late" in draws


def test_the_draws_are_listed_month_by_month(session: Session, clock: Clock, log_in: LogIn) -> None:
    run_due(session, FIRST_NOON)
    clock.turn(70 * ONE_DAY)
    run_due(session, FIRST_NOON + 70 * ONE_DAY)
    alice = log_in("alice")
    days, path = 0, "/organiser/draws"

    while path:
        page = alice.get(path).text
        days += page.count('<td><a href="/draws/')
        _, _, rest = page.partition('href="/organiser/draws?until=')
        path = f"/organiser/draws?until={rest[:10]}" if rest else ""

    assert days == 71


@pytest.mark.parametrize("until", ["soon", "9999-12-31", "0001-01-01"])
def test_a_month_that_is_none_is_no_error(alice: Visitor, until: str) -> None:
    assert alice.get(f"/organiser/draws?until={until}").status_code == 200


def test_who_plays_is_listed_the_newest_first(
    cast: Cast, big_chance: Lottery, submit: Submit, log_in: LogIn
) -> None:
    submit(cast.charlie, big_chance, 7)
    alice = log_in("alice")

    page = text_of(alice.get("/organiser/participants"))

    assert page.index("charlie") < page.index("bob")
    assert "charlie 19 November 2026, 12:00:00 UTC 7 participant" in page
    assert "no more participants" in text_of(alice.get("/organiser/participants?before=1"))


def test_who_changed_what_is_written_down(
    alice: Visitor, session: Session, big_chance: Lottery, clock: Clock
) -> None:
    path = f"{LIST}/{big_chance.id}"
    alice.post(path, name="Bigger Chance", prize="Cheese", closes_on="2027-01-31")
    clock.turn(ONE_DAY)
    alice.post(path, name="Bigger Chance", prize="Cheese", closes_on="2026-12-01")
    alice.post(path, name="Bigger Chance", prize="Cheese", closes_on="2026-12-01")  # no change
    alice.post(f"{path}/withdraw")

    page = text_of(alice.get("/organiser/changes"))

    newest_first = [
        "20 November 2026, 12:00:00 UTC · alice Bigger Chance · withdrawn; would have closed on "
        "Tuesday 1 December 2026",
        "20 November 2026, 12:00:00 UTC · alice Bigger Chance · shortened from Sunday 31 January "
        "2027 to Tuesday 1 December 2026",
        "19 November 2026, 12:00:00 UTC · alice Bigger Chance · was called “Big Chance” · extended "
        "from Saturday 19 December 2026 to Sunday 31 January 2027 · prize changed from “” to “",
        "19 November 2026, 12:00:00 UTC · from the command line, or unknown Big Chance created, "
        "open until Saturday 19 December 2026",
    ]
    places = [page.index(each) for each in newest_first]
    assert places == sorted(places)
    with session.begin():
        assert session.scalar(text("SELECT count(*) FROM lottery_changes")) == 4


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM lottery_changes", "UPDATE lottery_changes SET changed_by = NULL, name = 'x'"],
)
def test_what_was_written_down_stays(session: Session, big_chance: Lottery, statement: str) -> None:
    with pytest.raises(DatabaseError, match="kept for ever"), session.begin():
        session.execute(text(statement))


def test_a_change_by_hand_is_written_down_as_well(session: Session, big_chance: Lottery) -> None:
    with session.begin():
        session.execute(text("UPDATE lotteries SET closes_on = '2027-05-05'"))

    with session.begin():
        rows = session.execute(text("SELECT closes_on FROM lottery_changes ORDER BY id")).all()
    assert [date.fromisoformat(str(row.closes_on)) for row in rows] == [
        FIRST_DAY + 30 * ONE_DAY, date(2027, 5, 5),
    ]  # fmt: skip


def test_a_withdrawn_lottery_takes_no_ballot_and_those_that_are_in_stay(
    alice: Visitor, bob: Visitor, session: Session, big_chance: Lottery, clock: Clock,
    stranger: Visitor,
) -> None:  # fmt: skip
    bob.submit(big_chance.id, count="2")
    open_page = bob.get("/")
    page = alice.get(f"{LIST}/{big_chance.id}/withdraw")
    assert "Ballots already added stay in their draws" in text_of(page)

    answer = alice.post(f"{LIST}/{big_chance.id}/withdraw")

    assert (answer.status_code, answer.location) == (303, LIST)
    assert "Big Chance Wednesday 18 November 2026 finished" in text_of(alice.get(LIST))
    late = bob.client.post(
        f"/lotteries/{big_chance.id}/ballots",
        data={
            name: open_page.text.split(f'name="{name}" value="')[1].split('"')[0]
            for name in ("csrf_token", "submission")
        },
    )
    assert late.status_code == 422
    assert "has finished. No ballot was added" in text_of(late)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)
    assert "bob Big Chance" in text_of(stranger.get(f"/winners/{FIRST_DAY}"))


def test_no_lottery_is_withdrawn_while_the_clocks_disagree(
    app: Flask, alice: Visitor, session: Session, big_chance: Lottery
) -> None:
    class InDoubt(ClockCheck):
        def check_turn(self, clocks: Clocks) -> None:
            raise Paused("This clock is wrong.")

    keep(app, replace(parts_of(app), clock_check=InDoubt(None, Pause())))

    answer = alice.post(f"{LIST}/{big_chance.id}/withdraw")

    assert answer.status_code == 503
    with session.begin():
        found = session.get_one(Lottery, big_chance.id, populate_existing=True)
        assert found.closes_on == FIRST_DAY + 30 * ONE_DAY


def test_a_withdrawn_lottery_can_be_opened_again(
    alice: Visitor, bob: Visitor, big_chance: Lottery
) -> None:
    alice.post(f"{LIST}/{big_chance.id}/withdraw")

    alice.post(f"{LIST}/{big_chance.id}", name="Big Chance", prize="", closes_on="2026-12-24")

    assert bob.submit(big_chance.id).status_code == 303


def test_withdrawing_one_that_has_finished_moves_nothing(
    alice: Visitor, session: Session, extra_win: Lottery, clock: Clock
) -> None:
    clock.turn(5 * ONE_DAY)

    alice.post(f"{LIST}/{extra_win.id}/withdraw", LIST)

    with session.begin():
        found = session.get_one(Lottery, extra_win.id, populate_existing=True)
        assert found.closes_on == FIRST_DAY


@pytest.mark.parametrize(
    "path",
    ["/organiser", "/organiser/draws", "/organiser/participants", "/organiser/changes",
     "/organiser/lotteries/1/withdraw"],
)  # fmt: skip
def test_these_pages_are_for_organisers(
    bob: Visitor, stranger: Visitor, big_chance: Lottery, path: str
) -> None:
    assert bob.get(path).status_code == 403
    assert stranger.get(path).location == f"/login?next={path}"
