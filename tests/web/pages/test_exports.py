"""Exports as CSV."""

import csv
import io
import json
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from lottery_system import download_turns
from lottery_system.clock import ONE_DAY
from lottery_system.models import Lottery
from lottery_system.models.claim import claim, lapse
from lottery_system.queries import exports
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.stand_ins.prizes import end_days
from tests.web.conftest import LogIn, Visitor, text_of


def rows(answer: TestResponse) -> list[dict[str, str]]:
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))


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


def test_my_ballots_say_what_they_won_and_what_became_of_it(
    session: Session, cast: Cast, submit: Submit, clock: Clock, log_in: LogIn
) -> None:
    with session.begin():
        lottery = Lottery.create("Seaside", "=A weekend", FIRST_DAY + ONE_DAY, FIRST_NOON)
        session.add(lottery)
    submit(cast.bob, lottery, 3)
    clock.turn(ONE_DAY)
    submit(cast.bob, lottery)
    end_days(session, FIRST_NOON + ONE_DAY, places=3)
    bob = log_in("bob")

    def told() -> list[tuple[str, str, str]]:
        found = rows(bob.get("/ballots.csv"))
        return [(row["result"], row["prize"], row["states"]) for row in found]

    # a reserve whose turn never came has won nothing, and a day that is not drawn neither
    assert told() == [("won", "'=A weekend", "1:offered"), ("waiting", "", "")]

    with session.begin():
        lapse(session, FIRST_DAY, 1, reason="Never came", now=FIRST_NOON + ONE_DAY)
        claim(session, FIRST_DAY, 2, cast.bob.id, now=FIRST_NOON + ONE_DAY)

    assert told()[0] == ("won", "'=A weekend", "1:lapsed 2:claimed")
    mine = json.loads(bob.get("/account/data.json").text)["submissions"]
    assert [(each["prize"], each["states"]) for each in mine] == [
        ("=A weekend", "1:lapsed 2:claimed"), ("", ""),
    ]  # fmt: skip
    assert rows(log_in("charlie").get("/ballots.csv")) == []


def test_a_reserve_that_won_nothing_has_no_prize_in_the_table(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock, log_in: LogIn
) -> None:
    submit(cast.bob, big_chance)
    submit(cast.charlie, big_chance)
    with session.begin():
        session.get_one(Lottery, big_chance.id).change(
            big_chance.name, "A hamper", big_chance.closes_on, FIRST_NOON
        )
    clock.turn(ONE_DAY)
    end_days(session, FIRST_NOON + ONE_DAY, places=2)

    found = [rows(log_in(name).get("/ballots.csv"))[0] for name in ("bob", "charlie")]

    assert {(row["result"], row["prize"], row["states"]) for row in found} == {
        ("won", "A hamper", "1:offered"), ("reserve", "", ""),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["=1+1", "@sum", "+49 weeks", "-5 euros", "＝1+1", "＋1", "－1", "＠sum", "﹦1", "﹣1"]
)
def test_no_name_becomes_a_formula_in_a_spreadsheet(
    session: Session, cast: Cast, submit: Submit, log_in: LogIn, name: str
) -> None:
    with session.begin():
        lottery = Lottery.create(name, "", FIRST_DAY + timedelta(days=1), FIRST_NOON)
        session.add(lottery)
    submit(cast.bob, lottery)

    (row,) = rows(log_in("bob").get("/ballots.csv"))

    assert row["lottery"] == f"'{name}"


def test_a_cell_that_begins_behind_a_semicolon_runs_no_formula_either(
    session: Session, cast: Cast, submit: Submit, log_in: LogIn
) -> None:
    """By which spreadsheets separate cells where a comma stands in numbers."""
    with session.begin():
        lottery = Lottery.create("a; =1+1;b; c-d", "", FIRST_DAY + timedelta(days=1), FIRST_NOON)
        session.add(lottery)
    submit(cast.bob, lottery)

    (row,) = rows(log_in("bob").get("/ballots.csv"))

    assert row["lottery"] == "a; '=1+1;b; c-d"


@pytest.mark.parametrize("path", ["/winners.csv", "/ballots.csv", "/organiser/participants.csv"])
def test_a_table_begins_with_the_byte_order_mark_by_which_excel_knows_its_letters(
    alice: Visitor, path: str
) -> None:
    data = alice.get(path).data

    assert data.startswith(b"\xef\xbb\xbf" + (b"day" if "part" not in path else b"username"))
    assert data.count(b"\xef\xbb\xbf") == 1


def test_only_organisers_take_away_who_plays(bob: Visitor, stranger: Visitor) -> None:
    assert bob.get("/organiser/participants.csv").status_code == 403
    assert stranger.get("/organiser/participants.csv").status_code == 303
    assert stranger.get("/ballots.csv").location == "/login?next=/ballots.csv"


DOWNLOADS = ["/ballots.csv", "/account/data.json", "/winners.csv"]


@pytest.mark.parametrize("path", DOWNLOADS)
def test_an_account_has_one_download_at_a_time(
    cast: Cast, big_chance: Lottery, submit: Submit, log_in: LogIn, stranger: Visitor, path: str
) -> None:
    submit(cast.bob, big_chance, 2)
    bob, elsewhere, charlie = log_in("bob"), log_in("bob"), log_in("charlie")
    running = bob.get("/ballots.csv")

    refused = elsewhere.get(path)

    assert refused.status_code == 429
    assert refused.headers["Retry-After"].isdigit()
    assert "One download at a time: another one from your account" in text_of(refused)
    assert charlie.get(path).status_code == 200
    assert stranger.get("/winners.csv").status_code == 200
    assert len(rows(running)) == 1
    assert elsewhere.get(path).status_code == 200


def test_people_who_are_not_logged_in_have_one_a_network(app: Flask, stranger: Visitor) -> None:
    def get(address: str) -> TestResponse:
        return stranger.get("/winners.csv", environ_base={"REMOTE_ADDR": address})

    running = get("192.0.2.1")

    assert get("192.0.2.1").status_code == 429
    assert get("192.0.2.2").status_code == 200
    running.close()
    assert get("192.0.2.1").status_code == 200


@pytest.mark.parametrize("path", DOWNLOADS)
def test_who_hangs_up_can_download_again(
    cast: Cast, big_chance: Lottery, submit: Submit, log_in: LogIn, path: str
) -> None:
    submit(cast.bob, big_chance, 2)
    bob = log_in("bob")
    running = bob.get(path)
    assert next(running.iter_encoded())

    running.close()
    for ask in (bob.get, bob.client.head, bob.get):
        answer = ask(path)
        answer.close()
        assert answer.status_code == 200


def test_downloads_give_way_after_each_piece(
    cast: Cast, big_chance: Lottery, submit: Submit, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a worker's time is left to others, however many downloads there are."""
    for _ in range(5):
        submit(cast.bob, big_chance)
    monkeypatch.setattr(exports, "_SUBMISSIONS", exports._SUBMISSIONS.limit(2))
    instants = iter([0, 3, 10, 15, 20, 22, 30, 31, 40, 41])
    monkeypatch.setattr(download_turns, "perf_counter", lambda: next(instants))
    rests: list[float] = []
    monkeypatch.setattr(download_turns, "sleep", rests.append)

    assert len(rows(log_in("bob").get("/ballots.csv"))) == 5

    assert rests == [3, 5, 2, 1, 1]  # the head, three pieces, and to see that there is no more
