"""What can be taken away as a table."""

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from lottery_system.clock import ONE_DAY
from lottery_system.models import Lottery
from lottery_system.queries import exports
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.operators import run_due
from tests.web.conftest import LogIn, Visitor


def rows(answer: TestResponse) -> list[dict[str, str]]:
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_all_winners_can_be_taken_away_days_without_ballots_included(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock,
    stranger: Visitor,
) -> None:  # fmt: skip
    submit(cast.bob, big_chance, 1)
    clock.turn(2 * ONE_DAY)
    submit(cast.charlie, big_chance, 2)
    clock.turn(ONE_DAY)
    submit(cast.charlie, big_chance, 2)  # of a day that is not drawn
    run_due(session, FIRST_NOON + 3 * ONE_DAY, places=2)

    found = rows(stranger.get("/winners.csv"))

    days = [str(FIRST_DAY + day * ONE_DAY) for day in (0, 1, 2, 2)]
    assert [row["day"] for row in found] == days
    assert [row["place"] for row in found] == ["1", "", "1", "2"]
    assert [row["username"] for row in found] == ["bob", "", "charlie", "charlie"]
    assert {found[2]["number"], found[3]["number"]} == {"1", "2"}
    assert found[0]["closed_at"] == "2026-11-22T12:00:00+00:00"


def test_long_tables_are_whole_though_they_come_in_pieces(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock,
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for _ in range(7):
        submit(cast.bob, big_chance, 3)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=21)
    monkeypatch.setattr(exports, "_WINNERS", exports._WINNERS.limit(4))
    monkeypatch.setattr(exports, "_SUBMISSIONS", exports._SUBMISSIONS.limit(2))
    monkeypatch.setattr(exports, "_USERS", exports._USERS.limit(1))
    bob, alice = log_in("bob"), log_in("alice")

    winners = rows(bob.get("/winners.csv"))
    mine = rows(bob.get("/ballots.csv"))
    people = rows(alice.get("/organiser/participants.csv"))

    assert sorted(int(row["number"]) for row in winners) == list(range(1, 22))
    assert [int(row["first_number"]) for row in mine] == [1, 4, 7, 10, 13, 16, 19]
    assert sorted(row["result"] for row in mine) == ["reserve"] * 6 + ["won"]
    assert [row["username"] for row in people] == ["alice", "bob", "charlie"]


def test_my_ballots_are_mine_alone(
    cast: Cast, big_chance: Lottery, submit: Submit, log_in: LogIn
) -> None:
    submit(cast.bob, big_chance, 2)
    submit(cast.charlie, big_chance, 3)

    (row,) = rows(log_in("charlie").get("/ballots.csv"))

    assert (row["first_number"], row["last_number"], row["result"]) == ("3", "5", "waiting")


@pytest.mark.parametrize("name", ["=1+1", "@sum", "+49 weeks", "-5 euros"])
def test_no_name_becomes_a_formula_in_a_spreadsheet(
    session: Session, cast: Cast, submit: Submit, log_in: LogIn, name: str
) -> None:
    with session.begin():
        lottery = Lottery.create(name, "", FIRST_DAY + timedelta(days=1), FIRST_NOON)
        session.add(lottery)
    submit(cast.bob, lottery)

    (row,) = rows(log_in("bob").get("/ballots.csv"))

    assert row["lottery"] == f"'{name}"


def test_only_organisers_take_away_who_plays(bob: Visitor, stranger: Visitor) -> None:
    assert bob.get("/organiser/participants.csv").status_code == 403
    assert stranger.get("/organiser/participants.csv").status_code == 303
    assert stranger.get("/ballots.csv").location == "/login?next=/ballots.csv"
