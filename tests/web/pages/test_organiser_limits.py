"""The organiser's form: first day, way to claim, limits; and who may not play."""

import json
import re
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import ClaimContact, ClaimEvent, Lottery, Submission
from lottery_system.models.claim import claim
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import LogIn, Visitor, csrf_token, text_of

LIST = "/organiser/lotteries"
NEW = f"{LIST}/new"
GOOD = {
    "name": "Rare", "prize": "A clock", "claim": "At the desk\r\nfrom nine",
    "opens_on": "2026-11-21", "closes_on": "2026-12-24", "most_a_day": "3", "winnable": "2",
}  # fmt: skip


def rare_of(session: Session) -> Lottery:
    with session.begin():
        rare = select(Lottery).where(Lottery.name == "Rare")
        return session.scalars(rare.execution_options(populate_existing=True)).one()


def test_an_organiser_says_all_of_it_and_the_form_shows_it_again(
    alice: Visitor, session: Session
) -> None:
    answer = alice.post(NEW, **GOOD)

    assert answer.status_code == 303
    rare = rare_of(session)
    assert (rare.claim, rare.opens_on) == ("At the desk\nfrom nine", FIRST_DAY + 2 * ONE_DAY)
    assert tuple(rare.limits) == (3, 2)
    page = alice.get(f"{LIST}/{rare.id}")
    for name in ("opens_on", "closes_on", "most_a_day", "winnable"):
        assert f'value="{GOOD[name]}"' in page.text
    assert "At the desk\nfrom nine" in page.text
    assert "opens on Saturday 21 November 2026" in text_of(alice.get(LIST))
    assert alice.post(f"{LIST}/{rare.id}", **GOOD).status_code == 303


def test_what_is_left_empty_is_today_and_no_limit(alice: Visitor, session: Session) -> None:
    alice.post(NEW, **{**GOOD, "opens_on": "", "claim": "", "most_a_day": " ", "winnable": ""})

    rare = rare_of(session)
    assert (rare.claim, rare.opens_on, tuple(rare.limits)) == ("", FIRST_DAY, (None, None))


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("claim", "x" * 2001, "at most 2,000 characters"),
        ("claim", "a\x00b", "invisible characters"),
        ("opens_on", "soon", "Not a valid date"),
        ("opens_on", "2026-11-18", "This day is over"),
        ("opens_on", "2026-12-25", "can’t be after the last day"),
        ("most_a_day", "0", "whole number from 1 on"),
        ("most_a_day", "three", "whole number from 1 on"),
        ("winnable", "-1", "whole number from 1 on"),
        ("winnable", "1" * 10, "whole number from 1 on"),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_nothing_typed_is_lost(
    alice: Visitor, session: Session, field: str, value: str, says: str
) -> None:
    answer = alice.post(NEW, **{**GOOD, field: value})

    assert answer.status_code == 422
    assert says in text_of(answer)
    assert f'id="{field}-error"' in answer.text
    if field in ("most_a_day", "winnable"):
        assert f'value="{value}"' in answer.text
    assert session.scalars(select(Lottery)).all() == []


def test_what_ballots_and_wins_do_not_allow_is_said_at_its_field(
    alice: Visitor, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    submit(cast.bob, big_chance, 5)
    page = f"{LIST}/{big_chance.id}"
    same = {"name": "Big Chance", "prize": "", "closes_on": str(big_chance.closes_on)}

    few = alice.post(page, **same, most_a_day="4")
    late = alice.post(page, **same, opens_on="2026-11-20")
    assert alice.post(page, **same, most_a_day="5", winnable="1").status_code == 303

    assert (few.status_code, late.status_code) == (422, 422)
    assert 'id="most_a_day-error"' in few.text
    assert "Somebody has 5 ballots in it today" in text_of(few)
    assert 'id="opens_on-error"' in late.text


def test_participants_are_not_offered_a_lottery_before_its_first_day(
    alice: Visitor, bob: Visitor, clock: Clock
) -> None:
    alice.post(NEW, **GOOD)
    page = bob.get("/")
    assert "Rare opens on Saturday 21 November 2026" in text_of(page)
    assert "Add 1 ballot to Rare" not in text_of(page)

    clock.turn(2 * ONE_DAY)

    assert "Add 1 ballot to Rare" in text_of(bob.get("/"))


def test_one_that_has_not_opened_can_be_withdrawn(alice: Visitor, session: Session) -> None:
    alice.post(NEW, **GOOD)
    rare = rare_of(session)

    alice.post(f"{LIST}/{rare.id}/withdraw")

    assert rare_of(session).has_finished(FIRST_DAY)
    assert "finished" in text_of(alice.get(LIST))


def test_the_list_of_changes_says_what_was_changed(alice: Visitor, session: Session) -> None:
    alice.post(NEW, **GOOD)
    page = f"{LIST}/{rare_of(session).id}"
    alice.post(page, **{**GOOD, "opens_on": "2026-11-22", "claim": "By post"})
    alice.post(page, **{**GOOD, "opens_on": "2026-11-22", "claim": "By post", "most_a_day": "",
                        "winnable": "7"})  # fmt: skip

    changes = text_of(alice.get("/organiser/changes"))

    for says in (
        "created, open from Saturday 21 November 2026 until Thursday 24 December 2026",
        "ballots per person a day: at most 3",
        "opens on Sunday 22 November 2026 instead of Saturday 21 November 2026",
        "how to claim changed from “At the desk from nine” to “By post”",
        "ballots per person a day: any number",
        "prizes: 7",
    ):
        assert says in changes


def test_a_lottery_that_finished_with_its_last_prize_says_so(
    alice: Visitor, cast: Cast, session: Session, submit: Submit, clock: Clock
) -> None:
    alice.post(NEW, **{**GOOD, "opens_on": "", "winnable": "1"})
    submit(cast.bob, rare_of(session))
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)

    assert "finished: its last prize was won" in text_of(alice.get("/organiser/changes"))


@pytest.mark.parametrize("is_of_several", [False, True])
def test_organisers_do_not_play(
    alice: Visitor, big_chance: Lottery, session: Session, is_of_several: bool
) -> None:
    form = {"csrf_token": csrf_token(alice.get("/account")), "submission": str(uuid4())}
    count = {"count": "3"} if is_of_several else {}

    answer = alice.client.post(f"/lotteries/{big_chance.id}/ballots", data={**form, **count})

    assert answer.status_code == 422
    refusals = re.findall(r'<p class="error" role="alert">([^<]+)', answer.text)
    assert [each[:29] for each in refusals] == ["Organisers can’t take part in"]
    assert "submission" not in answer.text  # no form that would be refused again
    with session.begin():
        assert session.scalars(select(Submission)).all() == []


def test_pages_tell_organisers_before_they_try(
    alice: Visitor, bob: Visitor, big_chance: Lottery
) -> None:
    told, page = "Organisers can’t take part.", f"/lotteries/{big_chance.id}"

    for path in ("/", page):
        assert told in text_of(alice.get(path))
        assert told not in text_of(bob.get(path))
        assert f"{page}/ballots" not in alice.get(path).text  # no form
        assert f"{page}/ballots" in bob.get(path).text
    assert f'href="/organiser{page}"' in alice.get(page).text


class TestWhereOrganisersPlay:
    """With the setting."""

    @pytest.fixture
    def given_settings(self) -> dict[str, str]:
        """Let them."""
        return {"LOTTERY_ORGANISERS_PLAY": "on"}

    def test_they_do(self, alice: Visitor, big_chance: Lottery) -> None:
        assert "Organisers can’t take part." not in text_of(alice.get("/"))
        assert "Add 1 ballot" in text_of(alice.get(f"/lotteries/{big_chance.id}"))
        assert alice.submit(big_chance.id).status_code == 303


def test_what_a_limit_refuses_is_said_beside_the_form(
    alice: Visitor, bob: Visitor, session: Session
) -> None:
    alice.post(NEW, **{**GOOD, "opens_on": ""})

    refused = bob.submit(rare_of(session).id, count="4")

    assert refused.status_code == 422
    assert "takes at most 3 a day" in text_of(refused)


def test_a_claim_is_in_ones_own_data_and_its_contact_goes_with_the_account(
    cast: Cast, big_chance: Lottery, session: Session, submit: Submit, clock: Clock, log_in: LogIn,
    stranger: Visitor,
) -> None:  # fmt: skip
    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)
    with session.begin():
        claim(session, FIRST_DAY, 1, cast.bob.id, contact="bob@example", now=FIRST_NOON + ONE_DAY)
    bob, charlie = log_in("bob"), log_in("charlie")

    (mine,) = json.loads(bob.get("/account/data.json").text)["claims"]
    assert (mine["day"], mine["state"], mine["contact"]) == (
        str(FIRST_DAY), "claimed", "bob@example",
    )  # fmt: skip
    assert mine["claimed_at"] == "2026-11-20T12:00:00+00:00"
    assert json.loads(charlie.get("/account/data.json").text)["claims"] == []
    table = stranger.get("/winners.csv").text
    assert ",claimed,,," in table
    assert "bob@example" not in table

    bob.post("/account/close", current="correct horse battery")

    with session.begin():
        assert session.scalars(select(ClaimContact)).all() == []
        assert len(session.scalars(select(ClaimEvent)).all()) == 2
