"""Winners' pages of prizes: shown until claimed, claimed once, and only by the winner."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY, closes_at
from lottery_system.models import ClaimContact, Lottery, MailAddress
from lottery_system.models.claim import hand_over, lapse
from lottery_system.models.lottery_edit import edit_lottery
from lottery_system.parts import parts_of
from tests.conftest import FIRST_DAY, FIRST_NOON, PASSWORD, Cast, Clock, Submit
from tests.stand_ins.mail_server import settings_to_mail
from tests.stand_ins.prizes import CLAIM_DAYS, end_days, kinds
from tests.web.conftest import SESSION, TAG, LogIn, Visitor, csrf_token, text_of

PRIZE = f"/prizes/{FIRST_DAY}/1"
SECOND_NOON = FIRST_NOON + ONE_DAY
DEADLINE = FIRST_DAY + (1 + CLAIM_DAYS) * ONE_DAY
NOTE = "You won on Thursday 19 November 2026 . Claim your prize"


@pytest.fixture
def seaside(clock: Clock, session: Session) -> Lottery:
    with session.begin():
        lottery = Lottery.create(
            "Seaside",
            "A weekend for two by the sea",
            FIRST_DAY + 30 * ONE_DAY,
            FIRST_NOON,
            claim="Come to the desk, <b>on weekdays</b>.",
        )
        session.add(lottery)
    return lottery


@pytest.fixture
def won(session: Session, cast: Cast, seaside: Lottery, submit: Submit, clock: Clock) -> Lottery:
    """Let bob win the first day, with a reserve of his."""
    submit(cast.bob, seaside, 2)
    clock.set(SECOND_NOON)
    end_days(session, SECOND_NOON, places=2)
    return seaside


@pytest.mark.usefixtures("won")
def test_the_front_page_says_what_was_won_how_it_is_had_and_until_when(bob: Visitor) -> None:
    page = bob.get("/")

    assert "You won: A weekend for two by the sea" in text_of(page)
    assert "Come to the desk, <b>on weekdays</b>." in text_of(page)  # as it was typed
    assert "Claim it until 23:59:59 UTC on Friday 4 December 2026" in text_of(page)
    assert f'href="{PRIZE}"' in page.text
    assert 'data-announce="You won: A weekend for two by the sea"' in page.text
    assert NOTE not in text_of(page)  # once is enough


@pytest.mark.usefixtures("won")
@pytest.mark.parametrize(
    "path", ["/ballots", f"/winners/{FIRST_DAY}", "/how-it-works", "/account", "/nowhere"]
)
def test_every_other_page_says_it_in_a_line_to_its_winner_alone(log_in: LogIn, path: str) -> None:
    assert NOTE in text_of(log_in("bob").get(path))
    assert "Claim your prize" not in text_of(log_in("charlie").get(path))


@pytest.mark.usefixtures("won")
def test_it_stays_whatever_is_clicked_until_it_is_claimed(bob: Visitor, session: Session) -> None:
    bob.post("/ballots/seen", "/", until=str(FIRST_DAY))
    assert "You won: A weekend" in text_of(bob.get("/"))
    assert bob.get("/prizes/to-claim").location == PRIZE

    answer = bob.post(PRIZE, contact="bob@example.org", message="After six")

    assert (answer.status_code, answer.location) == (303, PRIZE)
    assert kinds(session) == {"offered", "claimed"}
    page = text_of(bob.get(PRIZE))
    assert "Your claim has reached the organisers. The prize is yours." in page
    assert "Claimed 20 November 2026, 12:00:00 UTC" in page
    assert "bob@example.org After six Only you and the organisers can see this." in page
    assert "Your claim has reached" not in text_of(bob.get(PRIZE))  # said once
    assert "You won: A weekend" not in text_of(bob.get("/"))
    assert NOTE not in text_of(bob.get("/ballots"))
    assert bob.get("/prizes/to-claim").location == "/prizes"


@pytest.mark.usefixtures("won")
@pytest.mark.parametrize("given_settings", [settings_to_mail(25)])
def test_the_form_suggests_the_email_address_and_organisers_see_it_only_if_it_is_sent(
    bob: Visitor, alice: Visitor, session: Session, cast: Cast
) -> None:
    address = "bob@mail.example"
    with session.begin():
        session.add(
            MailAddress(
                user_id=cast.bob.id, address=address, address_key=address,
                verified_at=FIRST_NOON, asked="not@mail.example", asked_at=FIRST_NOON,
                language="en",
            )
        )  # fmt: skip
    assert f'value="{address}"' in bob.get(PRIZE).text
    assert "not@mail.example" not in bob.get(PRIZE).text
    assert address not in alice.get(f"/organiser{PRIZE}").text

    assert bob.post(PRIZE, contact=address).status_code == 303

    assert address in alice.get(f"/organiser{PRIZE}").text


@pytest.mark.usefixtures("won")
def test_the_page_of_a_prize_promises_who_sees_what_is_typed(bob: Visitor) -> None:
    page = text_of(bob.get(PRIZE))

    assert "Only the organisers can see what you write here. It is deleted 30 days after" in page
    assert "Come to the desk, <b>on weekdays</b>." in page


@pytest.mark.usefixtures("won")
def test_a_prize_of_somebody_else_is_answered_as_none_is(
    log_in: LogIn, session: Session, stranger: Visitor
) -> None:
    charlie, alice = log_in("charlie"), log_in("alice")
    for visitor in (charlie, alice):
        token = csrf_token(visitor.get("/account"))
        answers = [
            answer
            for path in (PRIZE, f"/prizes/{FIRST_DAY}/2", f"/prizes/{FIRST_DAY}/9", "/prizes/x/1")
            for answer in (visitor.get(path), visitor.client.post(path, data={"csrf_token": token}))
        ]
        assert {each.status_code for each in answers} == {404}
        of_another, of_nobody = text_of(answers[0]), text_of(answers[4])
        assert "You have no prize to claim here." in of_another
        assert of_another == of_nobody
        assert "weekend" not in of_another
    assert stranger.get(PRIZE).status_code == 303
    assert kinds(session) == {"offered"}


@pytest.mark.usefixtures("won")
def test_a_reserve_whose_turn_it_is_not_has_nothing_to_claim(bob: Visitor) -> None:
    assert bob.get(f"/prizes/{FIRST_DAY}/2").status_code == 404
    assert bob.post(f"/prizes/{FIRST_DAY}/2", "/").status_code == 404


@pytest.mark.usefixtures("won")
def test_whoever_closes_the_account_is_told_of_the_prize_first_and_claims_nothing_after(
    log_in: LogIn, session: Session
) -> None:
    bob, charlie = log_in("bob"), log_in("charlie")
    told = "You won a prize that hasn’t been handed over."
    token = csrf_token(bob.get(PRIZE))
    assert told in text_of(bob.get("/account/close"))
    assert told in text_of(bob.post("/account/close", current="not this one"))
    assert told not in text_of(charlie.get("/account/close"))

    assert bob.post("/account/close", current=PASSWORD).status_code == 200
    answer = bob.client.post(PRIZE, data={"csrf_token": token, "message": "mine"})

    assert answer.status_code in (303, 400, 422)
    assert bob.get(PRIZE).location == f"/login?next={PRIZE}"
    assert kinds(session) == {"offered"}
    with session.begin():
        assert session.scalars(select(ClaimContact)).all() == []


@pytest.mark.usefixtures("won")
def test_two_tabs_claim_once_and_the_later_one_is_told(bob: Visitor, session: Session) -> None:
    token = csrf_token(bob.get(PRIZE))
    first, second = (
        bob.client.post(PRIZE, data={"csrf_token": token, "message": text})
        for text in ("mine", "again")
    )

    assert (first.status_code, second.status_code) == (303, 422)
    assert "This prize has been claimed already." in text_of(second)
    assert "mine" in text_of(second)  # what the organisers have
    with session.begin():
        assert session.scalars(select(ClaimContact.message)).all() == ["mine"]


@pytest.mark.usefixtures("won")
def test_the_last_day_counts_and_after_it_the_page_says_that_it_is_over(
    bob: Visitor, clock: Clock, session: Session
) -> None:
    clock.set(closes_at(DEADLINE) - timedelta(seconds=1))
    assert NOTE in text_of(bob.get("/account"))
    token = csrf_token(bob.get(PRIZE))

    clock.set(closes_at(DEADLINE))  # and no tick has come
    answer = bob.client.post(PRIZE, data={"csrf_token": token})

    assert answer.status_code == 422
    assert "This prize can’t be claimed any more." in text_of(answer)
    assert "It ended at 23:59:59 UTC on Friday 4 December 2026" in text_of(bob.get(PRIZE))
    assert kinds(session) == {"offered"}
    assert NOTE not in text_of(bob.get("/account"))
    assert "You won: A weekend" not in text_of(bob.get("/"))


@pytest.mark.usefixtures("won")
def test_while_the_lottery_is_paused_nothing_is_claimed_and_nothing_typed_is_lost(
    app: Flask, bob: Visitor, session: Session
) -> None:
    token = csrf_token(bob.get(PRIZE))
    parts_of(app).pause.set("test", "The database is behind.")

    answer = bob.client.post(PRIZE, data={"csrf_token": token, "message": "After six"})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "The lottery is paused, so your claim was not saved." in text_of(answer)
    assert re.search(r"<textarea[^>]*>\s*After six</textarea>", answer.text)
    assert kinds(session) == {"offered"}

    parts_of(app).pause.clear("test")
    assert bob.post(PRIZE).status_code == 303


@pytest.mark.usefixtures("won")
@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("message", "x" * 1001, "This can be at most 1,000 characters long."),
        ("contact", "x" * 201, "This can be at most 200 characters long."),
        ("message", "in\u202evisible", "Remove the invisible characters"),
    ],
)
def test_what_cannot_be_kept_is_said_beside_its_field(
    bob: Visitor, session: Session, field: str, text: str, sentence: str
) -> None:
    answer = bob.post(PRIZE, **{field: text})

    assert answer.status_code == 422
    assert f'href="#{field}">{sentence}' in answer.text
    assert text in answer.text
    assert kinds(session) == {"offered"}


def test_a_prize_says_when_it_was_handed_over_or_why_it_lapsed(
    won: Lottery, bob: Visitor, session: Session, cast: Cast
) -> None:
    with session.begin():
        lapse(session, FIRST_DAY, 1, cast.alice.id, reason="Never came", now=SECOND_NOON)
    page = text_of(bob.get(PRIZE))
    assert "Reason Never came" in page
    assert "This prize has lapsed, and can’t be claimed any more." in page
    assert bob.post(PRIZE, "/account").status_code == 422

    second = f"/prizes/{FIRST_DAY}/2"  # it is the reserve's turn: bob's, too
    assert "reserve 1" in text_of(bob.get(second))
    assert bob.post(second).status_code == 303
    with session.begin():
        hand_over(
            session, FIRST_DAY, 2, cast.alice.id, handed_on=FIRST_DAY + ONE_DAY, now=SECOND_NOON
        )
    assert "Handed over Friday 20 November 2026" in text_of(bob.get(second))
    listed = text_of(bob.get("/prizes"))
    assert "A weekend for two by the sea lapsed: Never came" in listed
    assert "A weekend for two by the sea handed over on Friday 20 November 2026" in listed
    assert "Won with ballot" in text_of(bob.get("/ballots"))
    assert "Your prize : handed over on Friday" in text_of(bob.get(f"/ballots/{FIRST_DAY}"))


def test_what_was_won_stays_as_it_was_offered_and_how_it_is_had_is_said_anew(
    won: Lottery, bob: Visitor, session: Session, cast: Cast
) -> None:
    with session.begin():
        edit_lottery(
            session,
            won.id,
            SECOND_NOON,
            cast.alice.id,
            name="Mountains",
            prize="A hut",
            closes_on=won.closes_on,
            claim="Call us.",
        )

    page = text_of(bob.get(PRIZE))

    assert "A weekend for two by the sea Lottery Seaside" in page
    assert "Call us." in page


@pytest.mark.usefixtures("won")
def test_what_was_typed_outlives_a_log_in_that_ends(bob: Visitor, session: Session) -> None:
    token = csrf_token(bob.get(PRIZE))
    bob.client.delete_cookie(SESSION)

    answer = bob.client.post(PRIZE, data={"csrf_token": token, "message": "After six"})

    assert answer.status_code in (400, 422)
    assert "After six" in answer.text
    assert kinds(session) == {"offered"}


@pytest.mark.usefixtures("won")
def test_a_made_up_confirmation_says_nothing(bob: Visitor) -> None:
    bob.client.set_cookie(f"done-{TAG}", "You owe us money")

    assert "You owe us money" not in bob.get("/account").text


def test_whoever_never_won_has_no_prizes(bob: Visitor) -> None:
    assert "You haven’t won a prize yet." in text_of(bob.get("/prizes"))
    assert "You have no older prizes." in text_of(bob.get("/prizes?before=2020-01-01"))
    assert bob.get("/prizes/to-claim").location == "/prizes"
