"""A paused lottery takes no ballots and makes no draws; everything else is readable."""

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lottery_system import scheduler
from lottery_system.clock import ONE_DAY
from lottery_system.models import DRAWN, OPEN, Ballot, Draw, Lottery
from lottery_system.parts import parts_of
from lottery_system.pause import Pause
from tests.conftest import FIRST_NOON, Cast, Clock
from tests.stand_ins.log_keys import begin
from tests.web.conftest import Visitor, submission_token, text_of

REASON = "The disk that keeps the keys is on fire. Put it out."
BANNER = "The lottery is paused. You can’t add ballots right now"


@pytest.fixture
def pause(app: Flask) -> Pause:
    return parts_of(app).pause


def test_a_ballot_is_refused_with_a_sentence_and_can_be_sent_again(
    bob: Visitor, big_chance: Lottery, pause: Pause, session: Session
) -> None:
    pause.set("fire", REASON)

    refused = bob.submit(big_chance.id)

    assert refused.status_code == 503
    assert BANNER in text_of(refused)
    assert REASON not in refused.text
    with session.begin():
        assert session.scalar(select(func.count()).select_from(Ballot)) == 0
    pause.clear("fire")
    again = bob.post(
        f"/lotteries/{big_chance.id}/ballots", page="/", submission=submission_token(refused)
    )
    assert again.status_code == 303
    with session.begin():
        assert session.scalar(select(func.count()).select_from(Ballot)) == 1


def test_pages_stay_readable_and_say_in_one_sentence_that_it_is_paused(
    bob: Visitor, stranger: Visitor, big_chance: Lottery, pause: Pause
) -> None:
    assert BANNER not in text_of(bob.get("/"))

    pause.set("fire", REASON)

    for page in (bob.get("/"), stranger.get("/how-it-works"), stranger.get("/login")):
        assert page.status_code == 200
        assert text_of(page).count(BANNER) == 1
        assert REASON not in page.text


def test_operator_and_organisers_are_told_why(
    alice: Visitor, stranger: Visitor, pause: Pause
) -> None:
    pause.set("fire", REASON)

    ready = stranger.get("/readyz")
    assert (ready.status_code, ready.text) == (503, f"paused: {REASON}\n")
    assert f"The lottery is paused {REASON}" in text_of(alice.get("/organiser"))


def test_a_reason_is_logged_once_and_so_is_its_end(
    pause: Pause, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for _ in range(3):
        pause.set("fire", REASON)
    for _ in range(3):
        pause.clear("fire")

    assert [record.getMessage() for record in caplog.records] == [
        f"paused: {REASON}",
        "no longer paused: fire",
    ]


def test_no_day_is_opened_closed_or_drawn(
    app: Flask, cast: Cast, pause: Pause, session: Session, clock: Clock
) -> None:
    begin(session, FIRST_NOON)
    clock.turn(ONE_DAY)
    pause.set("fire", REASON)

    def statuses() -> list[str]:
        with session.begin():
            return list(session.scalars(select(Draw.status).order_by(Draw.day)))

    scheduler.tick(app)

    assert statuses() == [OPEN]
    pause.clear("fire")
    scheduler.tick(app)
    assert statuses() == [DRAWN, OPEN]
