"""Organisers' pages of prizes: hand over, let lapse, and see if somebody else was faster."""

import re
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import Lottery, User
from lottery_system.models.claim import claim, hand_over, lapse
from lottery_system.parts import parts_of
from lottery_system.web.pages import handovers, organiser
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.stand_ins.prizes import kinds, open_lottery
from tests.web.conftest import Visitor, csrf_token, text_of

PRIZE = f"/organiser/prizes/{FIRST_DAY}/1"
SECOND_NOON = FIRST_NOON + ONE_DAY
SECOND_DAY = FIRST_DAY + ONE_DAY


@pytest.fixture
def won(session: Session, cast: Cast, submit: Submit, clock: Clock) -> int:
    """Let bob win the first day, with a reserve of his."""
    seaside = open_lottery(session, "Seaside", "A weekend by the sea")
    submit(cast.bob, seaside, 2)
    clock.set(SECOND_NOON)
    run_due(session, SECOND_NOON, places=2)
    return cast.bob.id


@pytest.fixture
def claimed(session: Session, won: int) -> None:
    with session.begin():
        claim(
            session, FIRST_DAY, 1, won,
            message="After <i>six</i>", contact="bob@example.org", now=SECOND_NOON,
        )  # fmt: skip


@pytest.mark.usefixtures("claimed")
def test_the_overview_says_first_what_to_hand_over_to_whom(alice: Visitor) -> None:
    page = alice.get("/organiser")

    text = text_of(page)
    assert "To hand over Claimed A weekend by the sea · Seaside bob · claimed 20 November" in text
    assert "bob@example.org After <i>six</i>" in text
    assert text.index("To hand over Claimed") < text.index("All draws are up to date")
    assert f'href="{PRIZE}"' in page.text


@pytest.mark.usefixtures("won")
def test_what_is_not_claimed_yet_stands_apart(alice: Visitor) -> None:
    text = text_of(alice.get("/organiser"))

    assert "Not claimed yet A weekend by the sea · Seaside bob · won on Thursday" in text
    assert "Not claimed yet A weekend" in text_of(alice.get("/organiser/prizes"))


def test_with_nothing_to_hand_over_the_overview_says_nothing_of_it(alice: Visitor) -> None:
    assert "Not claimed yet" not in text_of(alice.get("/organiser"))
    assert "No prizes to hand over." in text_of(alice.get("/organiser/prizes"))
    assert "Back to the first page" in text_of(alice.get("/organiser/prizes?page=2"))


@pytest.mark.usefixtures("claimed")
def test_a_prize_is_handed_over_and_everybody_can_read_the_note(
    alice: Visitor, session: Session
) -> None:
    assert "Contact bob@example.org" in text_of(alice.get(PRIZE))

    answer = alice.post(f"{PRIZE}/hand-over", PRIZE, handed_on=str(SECOND_DAY), note="At the desk")

    assert (answer.status_code, answer.location) == (303, "/organiser")
    assert "The prize is marked as handed over." in text_of(alice.get("/organiser"))
    assert "The prize is marked as handed over." not in text_of(alice.get("/organiser"))
    assert kinds(session) == {"offered", "claimed", "handed_over"}
    page = text_of(alice.get(PRIZE))
    assert "Handed over Friday 20 November 2026 Note At the desk" in page
    assert "Let the prize lapse" not in page


@pytest.mark.usefixtures("claimed")
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"handed_on": "", "note": ""}, "Enter the day, like 2026-12-31."),
        ({"handed_on": str(FIRST_DAY), "note": "kept"}, "Choose a day from the draw up to today."),
        ({"handed_on": "2026-12-24", "note": "kept"}, "Choose a day from the draw up to today."),
        ({"handed_on": str(SECOND_DAY), "note": "x" * 501}, "at most 500 characters"),
    ],
)
def test_a_hand_over_that_cannot_be_is_refused_beside_its_field(
    alice: Visitor, session: Session, fields: dict[str, str], sentence: str
) -> None:
    answer = alice.post(f"{PRIZE}/hand-over", PRIZE, **fields)

    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert fields["note"] in answer.text
    assert kinds(session) == {"offered", "claimed"}


@pytest.mark.usefixtures("won")
def test_what_is_not_claimed_is_not_handed_over(alice: Visitor, session: Session) -> None:
    assert "Mark as handed over" not in text_of(alice.get(PRIZE))

    answer = alice.post(f"{PRIZE}/hand-over", PRIZE, handed_on=str(SECOND_DAY))

    assert answer.status_code == 422
    assert "This prize hasn’t been claimed yet." in text_of(answer)
    assert kinds(session) == {"offered"}


@pytest.mark.usefixtures("won")
def test_a_prize_lapses_with_a_reason_and_once_it_is_confirmed(
    alice: Visitor, session: Session
) -> None:
    for fields, sentence in (
        ({"reason": "Never came"}, "Tick the box to confirm"),
        ({"reason": "  ", "is_sure": "y"}, "Enter a reason."),
    ):
        answer = alice.post(f"{PRIZE}/lapse", PRIZE, **fields)
        assert answer.status_code == 422
        assert sentence in text_of(answer)
        assert fields["reason"] in answer.text
    assert kinds(session) == {"offered"}

    answer = alice.post(f"{PRIZE}/lapse", PRIZE, reason="Never came", is_sure="y")

    assert (answer.status_code, answer.location) == (303, "/organiser")
    text = text_of(alice.get("/organiser"))
    assert "The prize has lapsed. Everyone can read the reason." in text
    assert "Not claimed yet A weekend by the sea" in text  # it is the reserve's turn
    assert kinds(session) == {"offered", "lapsed"}
    assert kinds(session, 2) == {"offered"}
    assert "Reason Never came" in text_of(alice.get(PRIZE))


@pytest.mark.parametrize("reason", ["\u3164", "\u2800 \u2800", "\u200d\n\u00ad", " \u3000 "])
def test_a_reason_that_nobody_sees_is_none(
    won: int, alice: Visitor, session: Session, reason: str
) -> None:
    answer = alice.post(f"{PRIZE}/lapse", PRIZE, reason=reason, is_sure="y")

    assert answer.status_code == 422
    assert re.search(r'id="reason-error">(Enter a reason|Remove the invisible)', answer.text)
    assert kinds(session) == {"offered"}


@pytest.mark.usefixtures("claimed")
def test_where_another_tab_was_faster_it_says_what_happened(
    alice: Visitor, session: Session, cast: Cast
) -> None:
    token = csrf_token(alice.get(PRIZE))
    with session.begin():
        lapse(session, FIRST_DAY, 1, cast.alice.id, reason="Moved away", now=SECOND_NOON)

    for path, fields in (
        ("hand-over", {"handed_on": str(SECOND_DAY)}),
        ("lapse", {"reason": "Never came", "is_sure": "y"}),
    ):
        form = {"csrf_token": token, **fields}
        answer = alice.client.post(f"{PRIZE}/{path}", data=form)
        assert answer.status_code == 422
        assert "This prize has lapsed in the meantime: “Moved away”" in text_of(answer)
    assert kinds(session) == {"offered", "claimed", "lapsed"}


@pytest.mark.usefixtures("claimed")
def test_what_was_handed_over_cannot_lapse_any_more(
    alice: Visitor, session: Session, cast: Cast
) -> None:
    token = csrf_token(alice.get(PRIZE))
    with session.begin():
        hand_over(session, FIRST_DAY, 1, cast.alice.id, handed_on=SECOND_DAY, now=SECOND_NOON)

    form = {"csrf_token": token, "reason": "Never came", "is_sure": "y"}
    answer = alice.client.post(f"{PRIZE}/lapse", data=form)

    assert answer.status_code == 422
    assert "handed over in the meantime, on Friday 20 November 2026." in text_of(answer)


@pytest.mark.usefixtures("claimed")
def test_while_the_lottery_is_paused_nothing_is_written_down(
    app: Flask, alice: Visitor, session: Session
) -> None:
    token = csrf_token(alice.get(PRIZE))
    parts_of(app).pause.set("test", "The database is behind.")

    for path, fields in (
        ("hand-over", {"handed_on": str(SECOND_DAY), "note": "At the desk"}),
        ("lapse", {"reason": "Never came", "is_sure": "y"}),
    ):
        answer = alice.client.post(f"{PRIZE}/{path}", data={"csrf_token": token, **fields})
        assert answer.status_code == 503
        assert "nothing was saved" in text_of(answer)
        assert ("At the desk" in answer.text) == (path == "hand-over")
    assert kinds(session) == {"offered", "claimed"}


@pytest.mark.usefixtures("claimed")
def test_only_organisers_see_and_do_any_of_it(bob: Visitor, session: Session) -> None:
    token = csrf_token(bob.get("/account"))
    for path in ("/organiser/prizes", PRIZE):
        assert bob.get(path).status_code == 403
    for path in (f"{PRIZE}/hand-over", f"{PRIZE}/lapse"):
        form = {"csrf_token": token, "reason": "x", "is_sure": "y", "handed_on": str(SECOND_DAY)}
        assert bob.client.post(path, data=form).status_code == 403
    assert kinds(session) == {"offered", "claimed"}


def test_a_prize_that_nobody_was_offered_is_not_found(won: int, alice: Visitor) -> None:
    for path in (f"/organiser/prizes/{FIRST_DAY}/2", "/organiser/prizes/x/1"):
        assert alice.get(path).status_code == 404
        form = {"csrf_token": csrf_token(alice.get("/account")), "handed_on": str(SECOND_DAY)}
        assert alice.client.post(f"{path}/hand-over", data=form).status_code == 404


def test_a_winner_whose_account_is_closed_is_shown_so(
    won: int, alice: Visitor, session: Session
) -> None:
    with session.begin():
        session.get_one(User, won).close(SECOND_NOON)

    assert "account closed" in text_of(alice.get("/organiser"))
    assert "account closed" in text_of(alice.get(PRIZE))
    assert alice.post(f"{PRIZE}/lapse", PRIZE, reason="Gone", is_sure="y").status_code == 303


@pytest.mark.usefixtures("claimed")
def test_many_prizes_are_shown_a_page_at_a_time_those_that_are_claimed_first(
    alice: Visitor, monkeypatch: pytest.MonkeyPatch, session: Session, cast: Cast, clock: Clock,
    submit: Submit,
) -> None:  # fmt: skip
    with session.begin():
        seaside = session.scalars(select(Lottery)).one()
    submit(cast.charlie, seaside)
    clock.turn(ONE_DAY)
    run_due(session, SECOND_NOON + ONE_DAY)
    monkeypatch.setattr(handovers, "PAGE", 1)
    monkeypatch.setattr(organiser, "TO_HAND_OVER", 1)

    first, second = (text_of(alice.get(f"/organiser/prizes?page={at}")) for at in (1, 2))
    overview = text_of(alice.get("/organiser"))

    assert "bob · claimed" in first
    assert "Next page" in first
    assert "charlie · won on Friday" in second
    assert "Next page" not in second
    assert "bob · claimed" in overview
    assert "charlie" not in overview
    assert "All prizes to hand over" in overview


@pytest.mark.usefixtures("claimed")
def test_the_draws_show_who_won_what_and_what_became_of_it(
    alice: Visitor, session: Session
) -> None:
    assert "bob A weekend by the sea · claimed, not handed over yet" in text_of(
        alice.get("/organiser/draws")
    )
    with session.begin():
        lapse(session, FIRST_DAY, 1, None, reason="Gone", now=SECOND_NOON)
    page = alice.get("/organiser/draws")
    assert "bob (reserve 1) A weekend by the sea · not claimed yet" in text_of(page)
    assert f"/organiser/prizes/{FIRST_DAY}/2" in page.text


def test_a_winner_who_organises_is_marked(
    won: int, session: Session, stranger: Visitor, alice: Visitor
) -> None:
    assert "bob organiser" not in text_of(stranger.get(f"/winners/{FIRST_DAY}?lang=en"))
    with session.begin():
        session.get_one(User, won).is_organiser = True

    assert "bob Veranstalter" in text_of(stranger.get(f"/winners/{FIRST_DAY}?lang=de"))
    assert "bob organiser A weekend" in text_of(alice.get("/organiser/draws"))
    marked = ("/winners", f"/winners/{FIRST_DAY}/sheet", "/welcome", "/lotteries/1")
    for page in marked:
        assert "bob organiser" in text_of(stranger.get(f"{page}?lang=en")), page


def test_what_was_done_to_a_lottery_is_confirmed_once_on_the_next_page(
    alice: Visitor, big_chance: Lottery
) -> None:
    fields = {"name": "Spring", "prize": "", "closes_on": "2026-12-24"}
    for path, sent, sentence in (
        ("/organiser/lotteries/new", fields, "The lottery has been created."),
        (f"/organiser/lotteries/{big_chance.id}", {**fields, "name": "Big"}, "have been saved."),
        (f"/organiser/lotteries/{big_chance.id}/withdraw", {}, "The lottery has been withdrawn."),
    ):
        answer = alice.post(path, **sent)
        assert (answer.status_code, answer.location) == (303, "/organiser/lotteries")
        assert sentence in text_of(alice.get("/organiser/lotteries"))
        assert sentence not in text_of(alice.get("/organiser/lotteries"))


def test_a_lottery_is_copied_but_for_its_days(alice: Visitor, session: Session) -> None:
    with session.begin():
        lottery = Lottery.create(
            "Spring", "A <bicycle>", date(2026, 12, 24), FIRST_NOON, claim="At the desk"
        )
        lottery.most_a_day, lottery.winnable = 3, 2
        session.add(lottery)
    page = alice.get("/organiser/lotteries")
    assert f'href="/organiser/lotteries/new?copy={lottery.id}"' in page.text

    form = alice.get(f"/organiser/lotteries/new?copy={lottery.id}").text

    assert f'action="/organiser/lotteries/new?copy={lottery.id}"' in form
    for said in ("Spring (copy)", "A &lt;bicycle&gt;", "At the desk", 'value="3"', 'value="2"'):
        assert said in form
    assert "2026-12-24" not in form
    for odd in ("x", "-1", "0", "99999999999"):
        assert 'value=""' in alice.get(f"/organiser/lotteries/new?copy={odd}").text
    assert alice.get("/organiser/lotteries/new?copy=999").status_code == 404
