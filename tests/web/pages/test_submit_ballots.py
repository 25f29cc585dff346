"""Submitting ballots from the front page."""

import logging
from datetime import timedelta
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from lottery_system.admission import admit
from lottery_system.ballot_box import BallotBox
from lottery_system.clock import utcnow
from lottery_system.errors import NotAdmitted, TooManyBallots
from lottery_system.extensions import db
from lottery_system.models import AskedBallots, Ballot, GrantedBallots, Lottery
from lottery_system.web import front_page
from tests.conftest import FIRST_NOON, Cast, Clock, Submit
from tests.web.conftest import LogIn, Visitor, csrf_token, submission_token, text_of


def count_ballots(session: Session) -> int | None:
    with session.begin():
        return session.scalar(select(func.count()).select_from(Ballot))


def test_a_click_submits_one_ballot_and_shows_its_receipt_once(
    bob: Visitor, big_chance: Lottery, session: Session
) -> None:
    answer = bob.submit(big_chance.id)

    assert (answer.status_code, answer.location) == (303, "/")
    front_page = text_of(bob.get("/"))
    assert "Your ballot is in Ballot 1 Lottery Big Chance" in front_page
    assert "Draw Thursday 19 November 2026" in front_page
    assert count_ballots(session) == 1
    assert "Your ballot is in" not in text_of(bob.get("/"))


def test_a_number_field_submits_many(bob: Visitor, big_chance: Lottery, session: Session) -> None:
    bob.submit(big_chance.id, count="1000")

    front_page = text_of(bob.get("/"))
    assert "Your 1,000 ballots are in Ballots 1 to 1,000" in front_page
    assert "you have 1,000 ballots in today’s draw" in front_page
    assert count_ballots(session) == 1000


def test_the_front_page_tells_my_chance(
    log_in: LogIn, big_chance: Lottery, extra_win: Lottery
) -> None:
    bob, charlie = log_in("bob"), log_in("charlie")
    bob.submit(big_chance.id, count="3")
    charlie.submit(extra_win.id, count="117")
    bob.get("/")  # the receipt

    assert "Ballots 120 Yours 3 Chance 2.5 %" in text_of(bob.get("/"))


@pytest.mark.parametrize(
    "count",
    ["0", "-1", "1.5", "1000000000", "10000000000000000000", "1001", "ten", "１２", "1e3", "0x1",
     "1 2", "\x00", "½"],
)  # fmt: skip
def test_a_count_that_is_none_is_refused_and_stays_in_its_field(
    bob: Visitor, big_chance: Lottery, session: Session, count: str
) -> None:
    answer = bob.submit(big_chance.id, count=count)

    assert answer.status_code == 422
    assert "1 to 1,000" in text_of(answer)
    assert count_ballots(session) == 0
    if count.isprintable():
        assert f'value="{count}" aria-invalid="true"' in answer.text


@pytest.mark.parametrize("count", ["007", " 7 "])
def test_white_space_and_zeros_do_not_matter(
    bob: Visitor, big_chance: Lottery, session: Session, count: str
) -> None:
    assert bob.submit(big_chance.id, count=count).status_code == 303
    assert count_ballots(session) == 7


def test_a_missing_count_is_one_and_a_cleared_one_is_refused(
    bob: Visitor, big_chance: Lottery, session: Session
) -> None:
    for cleared in ("", " "):
        answer = bob.submit(big_chance.id, count=cleared)
        assert answer.status_code == 422
        assert "Enter a whole number of ballots, from 1 to 1,000." in text_of(answer)
    assert count_ballots(session) == 0

    assert bob.submit(big_chance.id).status_code == 303
    assert count_ballots(session) == 1


def test_a_reload_or_a_retry_never_enters_twice(
    bob: Visitor, big_chance: Lottery, session: Session
) -> None:
    page = bob.get("/")
    form = {"csrf_token": csrf_token(page), "submission": str(submission_token(page))}
    address = f"/lotteries/{big_chance.id}/ballots"

    answers = [bob.client.post(address, data=form).status_code for _ in range(3)]

    assert answers == [303, 303, 303]
    assert "Your ballot is in Ballot 1 " in text_of(bob.get("/"))
    assert count_ballots(session) == 1


def test_a_fresh_click_always_enters(bob: Visitor, big_chance: Lottery, session: Session) -> None:
    for _ in range(3):
        bob.submit(big_chance.id)

    assert count_ballots(session) == 3


def test_every_form_of_the_page_brings_a_token_of_its_own(
    bob: Visitor, big_chance: Lottery, extra_win: Lottery
) -> None:
    page = bob.get("/").text

    tokens = [part.split('"')[0] for part in page.split('name="submission" value="')[1:]]
    assert len(tokens) == 4
    assert len(set(tokens)) == 4


@pytest.mark.parametrize(
    "token", ["", "1", "not-a-token", "{00000000-0000-4000-8000-000000000000}"]
)
def test_a_form_without_its_token_is_refused(
    bob: Visitor, big_chance: Lottery, session: Session, token: str
) -> None:
    answer = bob.submit(big_chance.id, submission=token)

    assert answer.status_code == 422
    assert "Part of this form is missing" in text_of(answer)
    assert count_ballots(session) == 0


def test_a_token_of_somebody_else_is_refused(
    log_in: LogIn, big_chance: Lottery, session: Session
) -> None:
    token = str(uuid4())
    log_in("bob").submit(big_chance.id, submission=token)

    answer = log_in("charlie").submit(big_chance.id, submission=token)

    assert answer.status_code == 422
    assert "No ballot was added" in text_of(answer)
    assert count_ballots(session) == 1


def test_a_foreign_form_is_refused(bob: Visitor, big_chance: Lottery, session: Session) -> None:
    answer = bob.submit(big_chance.id, csrf_token="foreign")

    assert answer.status_code == 400
    assert "Nothing was saved" in text_of(answer)
    assert count_ballots(session) == 0


@pytest.mark.parametrize("lottery_id", ["999", "99999999999999999999", "x", "-1"])
def test_a_lottery_that_does_not_exist_is_not_found(
    bob: Visitor, big_chance: Lottery, session: Session, lottery_id: str
) -> None:
    page = bob.get("/")
    form = {"csrf_token": csrf_token(page), "submission": str(uuid4())}

    answer = bob.client.post(f"/lotteries/{lottery_id}/ballots", data=form)

    assert answer.status_code == 404
    assert count_ballots(session) == 0


def test_a_lottery_that_finished_between_page_and_click_is_refused(
    bob: Visitor, extra_win: Lottery, big_chance: Lottery, session: Session, clock: Clock
) -> None:
    page = bob.get("/")
    form = {"csrf_token": csrf_token(page), "submission": str(submission_token(page))}
    clock.set(FIRST_NOON.replace(hour=0) + timedelta(days=1))

    answer = bob.client.post(f"/lotteries/{extra_win.id}/ballots", data=form)

    assert answer.status_code == 422
    assert "“Extra Win” has finished. No ballot was added." in text_of(answer)
    assert count_ballots(session) == 0


def test_a_page_left_open_over_midnight_submits_to_the_new_day(
    bob: Visitor, big_chance: Lottery, clock: Clock
) -> None:
    page = bob.get("/")
    form = {"csrf_token": csrf_token(page), "submission": str(submission_token(page))}
    clock.turn(timedelta(days=1))

    bob.client.post(f"/lotteries/{big_chance.id}/ballots", data=form)

    assert "Draw Friday 20 November 2026" in text_of(bob.get("/"))


def test_whoever_is_not_logged_in_submits_nothing(
    stranger: Visitor, big_chance: Lottery, session: Session
) -> None:
    token = csrf_token(stranger.get("/login"))

    answer = stranger.client.post(
        f"/lotteries/{big_chance.id}/ballots",
        data={"csrf_token": token, "submission": str(uuid4())},
    )

    assert (answer.status_code, answer.location) == (303, "/login")
    assert count_ballots(session) == 0


def test_when_the_box_cannot_take_it_the_page_says_so_and_offers_the_same_form_again(
    bob: Visitor, big_chance: Lottery, session: Session, box: BallotBox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def turn_away(submission: AskedBallots) -> GrantedBallots:
        raise NotAdmitted

    token = str(uuid4())
    with monkeypatch.context() as patch:
        patch.setattr(box, "submit", turn_away)
        answer = bob.submit(big_chance.id, count="7", submission=token)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "They only count if you see a receipt. It’s safe to try again" in text_of(answer)
    assert f'name="submission" value="{token}"' in answer.text
    assert 'name="count" value="7"' in answer.text
    assert submission_token(answer) is not None
    assert bob.submit(big_chance.id, count="7", submission=token).status_code == 303
    assert count_ballots(session) == 7


def test_when_the_database_does_not_tell_who_asks_the_page_offers_the_same_form_again(
    app: Flask, bob: Visitor, big_chance: Lottery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OperationalError("SELECT", None, Exception("server closed the connection"))

    page = bob.get("/")
    token = str(uuid4())
    form = {"csrf_token": csrf_token(page), "submission": token, "count": "7"}
    with monkeypatch.context() as patch, app.app_context():
        patch.setattr(db.engine.dialect, "do_execute", fail)
        answer = bob.client.post(f"/lotteries/{big_chance.id}/ballots", data=form)

    assert answer.status_code == 503
    assert "only count if you see a receipt. It’s safe to try again" in text_of(answer)
    assert "Nothing was saved" not in text_of(answer)  # an earlier try may be
    assert f'name="submission" value="{token}"' in answer.text
    assert 'name="count" value="7"' in answer.text
    assert f'action="/lotteries/{big_chance.id}/ballots"' in answer.text


def test_a_receipt_waits_for_a_page_that_shows_it(
    bob: Visitor, big_chance: Lottery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OperationalError("SELECT", None, Exception("server closed the connection"))

    bob.submit(big_chance.id)
    with monkeypatch.context() as patch:
        patch.setattr(front_page, "load_front_page", fail)
        assert bob.get("/").status_code == 503

    assert "Your ballot is in" in text_of(bob.get("/"))
    assert "Your ballot is in" not in text_of(bob.get("/"))


def test_a_refusal_leaves_one_line_in_the_log(
    bob: Visitor, big_chance: Lottery, caplog: pytest.LogCaptureFixture
) -> None:
    page = bob.get("/")
    form = {"csrf_token": csrf_token(page), "submission": str(uuid4()), "count": "-1"}

    with caplog.at_level(logging.INFO):
        bob.client.post(f"/lotteries/{big_chance.id}/ballots", data=form)

    assert [record.getMessage() for record in caplog.records] == [
        f"POST /lotteries/{big_chance.id}/ballots: 422"
    ]


def test_without_a_lottery_the_page_says_what_to_do(bob: Visitor, alice: Visitor) -> None:
    assert "No lotteries are open right now. Check again tomorrow." in text_of(bob.get("/"))
    assert "No lotteries are open right now. Create one" in text_of(alice.get("/"))


def test_finished_lotteries_are_shown_below_without_a_form(
    cast: Cast, bob: Visitor, extra_win: Lottery, clock: Clock
) -> None:
    clock.turn(timedelta(days=1))

    page = bob.get("/")

    assert "Finished Extra Win until Thursday 19 November 2026" in text_of(page)
    assert 'name="submission"' not in page.text


def test_nobody_sees_the_receipt_of_somebody_else(
    bob: Visitor, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    for made_up in (str(submit(cast.charlie, big_chance).token), str(uuid4()), "no token"):
        bob.client.set_cookie("receipt", made_up)

        page = bob.get("/")

        assert page.status_code == 200
        assert "Your ballot is in" not in page.text


class TestRate:
    """A participant adds at most this many ballots for each hour of the day that has begun."""

    @pytest.fixture
    def given_settings(self) -> dict[str, str]:
        return {"LOTTERY_MAX_COUNT": "100", "LOTTERY_BALLOTS_PER_HOUR": "100"}

    @pytest.fixture(autouse=True)
    def _after_midnight(self, cast: Cast, clock: Clock) -> None:
        clock.set(FIRST_NOON.replace(day=20, hour=0, minute=10))

    def test_whoever_adds_too_many_is_told_when_to_go_on_and_loses_nothing(
        self, log_in: LogIn, big_chance: Lottery, session: Session, clock: Clock
    ) -> None:
        bob, charlie = log_in("bob"), log_in("charlie")
        first, second = str(uuid4()), str(uuid4())
        assert bob.submit(big_chance.id, count="90", submission=first).status_code == 303

        refused = bob.submit(big_chance.id, count="20", submission=second)

        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3000")
        assert "100 ballots for each hour of the day, and you’ve added 90 today" in text_of(refused)
        assert "None of these ballots was added" in text_of(refused)
        assert "You can add them from 01:00 UTC on" in text_of(refused)
        assert f'name="submission" value="{second}"' in refused.text
        assert 'name="count" value="20"' in refused.text
        assert count_ballots(session) == 90
        # what was answered before is answered again, fewer ballots fit, others have their own
        assert bob.submit(big_chance.id, count="90", submission=first).status_code == 303
        assert bob.submit(big_chance.id, count="10").status_code == 303
        assert charlie.submit(big_chance.id, count="100").status_code == 303
        assert bob.submit(big_chance.id, count="20", submission=second).status_code == 429
        clock.turn(timedelta(minutes=50))
        assert bob.submit(big_chance.id, count="20", submission=second).status_code == 303
        assert count_ballots(session) == 220

    def test_what_an_hour_leaves_can_be_used_until_midnight_and_no_longer(
        self, bob: Visitor, big_chance: Lottery, clock: Clock
    ) -> None:
        clock.turn(timedelta(hours=23))
        assert [bob.submit(big_chance.id, count="100").status_code for _ in range(24)] == [303] * 24

        refused = bob.submit(big_chance.id)

        assert refused.status_code == 429
        assert "You can add them from 00:00 UTC on" in text_of(refused)
        clock.turn(timedelta(minutes=50))
        assert bob.submit(big_chance.id, count="100").status_code == 303
        assert bob.submit(big_chance.id).status_code == 429

    def test_it_holds_for_all_lotteries_workers_and_clicks_of_a_batch(
        self, session: Session, cast: Cast, big_chance: Lottery, submit: Submit
    ) -> None:
        with session.begin():
            other = Lottery.create("Other", "", FIRST_NOON.date() + timedelta(days=9), FIRST_NOON)
            session.add(other)
        submit(cast.bob, big_chance, 30)
        submit(cast.bob, other, 30)
        clicks = [
            AskedBallots.of(
                token=uuid4(), user_id=user.id, username="x", lottery_id=other.id, ballot_count=30
            )
            for user in (cast.bob, cast.bob, cast.charlie)
        ]

        with session.begin():  # as another worker does
            answers = admit(session.connection(), clicks, utcnow, ballots_per_hour=100).answers

        assert isinstance(answers[0], GrantedBallots)
        assert isinstance(answers[1], TooManyBallots)
        assert isinstance(answers[2], GrantedBallots)
