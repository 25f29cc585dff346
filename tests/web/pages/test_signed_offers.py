"""Signed offers: served from the close on, and unchanged for ever."""

import json

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.fairness.checks import CHECKS, Verdict, holds
from lottery_system.fairness.verify import verify
from lottery_system.models import Draw, Lottery, LotteryChange
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import LOG_KEYS, begin, run_due
from tests.stand_ins.prizes import rename
from tests.web.conftest import LogIn, Visitor, text_of

KEY = LOG_KEYS.key.verifier
SEA, CHEESE = "A weekend for two by the sea.", '“Käse” & "apples"\n\tand \\ more 🧀'
NEXT_NOON = FIRST_NOON + ONE_DAY
OFFERS = f"/draws/{FIRST_DAY}/offers.json"


def close(session: Session) -> None:
    with session.begin():
        assert Draw.close(session, FIRST_DAY, NEXT_NOON, 3, LOG_KEYS)


def draw(session: Session) -> None:
    with session.begin():
        assert Draw.draw(session, FIRST_DAY, NEXT_NOON, LOG_KEYS)


def offered(answer: object) -> list[tuple[int, str, str]]:
    """Return what a served list says."""
    served = json.loads(answer.data)  # type: ignore[attr-defined]
    lotteries = json.loads(served["text"])["lotteries"]
    return [(each["id"], each["name"], each["prize"]) for each in lotteries]


@pytest.fixture
def _played(
    session: Session, cast: Cast, big_chance: Lottery, extra_win: Lottery, submit: Submit,
    clock: Clock,
) -> None:  # fmt: skip
    """Let the first day be over, and not closed."""
    begin(session, FIRST_NOON)
    rename(session, big_chance, "Big Chance", SEA, FIRST_NOON)
    rename(session, extra_win, "Extra Win", CHEESE, FIRST_NOON)
    submit(cast.bob, big_chance, 3)
    submit(cast.charlie, extra_win, 4)
    clock.turn(ONE_DAY)


@pytest.mark.usefixtures("_played")
def test_the_list_is_there_from_the_close_on_and_stays_as_it_stood_then(
    session: Session, stranger: Visitor, big_chance: Lottery, extra_win: Lottery
) -> None:
    before = stranger.get(OFFERS)
    assert before.status_code == 404
    assert "is signed when the day closes. Come back then." in text_of(before)

    close(session)

    first = stranger.get(OFFERS)
    assert (first.status_code, first.mimetype) == (200, "application/json")
    assert first.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert first.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Set-Cookie" not in first.headers
    assert offered(first) == [
        (big_chance.id, "Big Chance", SEA), (extra_win.id, "Extra Win", CHEESE),
    ]  # fmt: skip
    rename(session, big_chance, "Small Chance", "", NEXT_NOON)
    assert stranger.get(OFFERS).data == first.data
    draw(session)
    assert stranger.get(OFFERS).data == first.data
    certificate = stranger.get(f"/draws/{FIRST_DAY}/certificate.json").data
    checks = verify(certificate, key=KEY, offers=first.data)
    assert holds(checks)
    assert next(each for each in checks if each.name == "offers").verdict is Verdict.OK


@pytest.mark.usefixtures("_played")
def test_a_lottery_withdrawn_by_hand_stands_in_the_list_and_the_whole_holds(
    session: Session, stranger: Visitor
) -> None:
    """Whoever withdraws one so may say that it was a year ago, or nothing of when."""
    with session.begin():
        session.execute(text("UPDATE lotteries SET closes_on = '2026-11-01' WHERE id = 1"))
        session.execute(
            text(
                "UPDATE lotteries SET closes_on = '2025-01-01',"
                " changed_at = '2025-01-01 00:00:00.000000' WHERE id = 2"
            )
        )

    run_due(session, NEXT_NOON, places=7)

    served = stranger.get(OFFERS)
    assert [each[0] for each in offered(served)] == [1, 2]
    certificate = stranger.get(f"/draws/{FIRST_DAY}/certificate.json").data
    assert holds(verify(certificate, key=KEY, offers=served.data))


def test_lotteries_that_never_took_ballots_on_a_day_are_not_in_its_list(
    session: Session, cast: Cast, big_chance: Lottery, clock: Clock, stranger: Visitor
) -> None:
    begin(session, FIRST_NOON)
    with session.begin():
        short = Lottery.create("Short", "", FIRST_DAY, FIRST_NOON)
        session.add(short)
    clock.turn(2 * ONE_DAY)
    run_due(session, FIRST_NOON + 2 * ONE_DAY)

    first, second = (
        [name for _, name, _ in offered(stranger.get(f"/draws/{day}/offers.json"))]
        for day in (FIRST_DAY, FIRST_DAY + ONE_DAY)
    )
    assert (first, second) == (["Big Chance", "Short"], ["Big Chance"])


@pytest.mark.parametrize("day", ["2026-11-30", "2000-01-01", "tomorrow"])
def test_a_day_without_a_draw_has_no_list(
    session: Session, cast: Cast, stranger: Visitor, day: str
) -> None:
    begin(session, FIRST_NOON)

    answer = stranger.get(f"/draws/{day}/offers.json")

    assert answer.status_code == 404
    assert "Traceback" not in answer.text


def unguard(session: Session, statement: str) -> None:
    """Change what is kept for ever, as no version of this code would."""
    with session.begin():
        if session.get_bind().dialect.name == "sqlite":
            names = session.scalars(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name <> ''")
            ).all()
            for name in names:
                session.execute(text(f"DROP TRIGGER {name}"))
        else:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(statement))


@pytest.mark.usefixtures("_played")
def test_a_day_that_was_closed_before_there_were_such_lists_has_none_and_is_shown_without(
    session: Session, stranger: Visitor
) -> None:
    close(session)
    draw(session)
    unguard(session, "DELETE FROM offer_notes")

    answer = stranger.get(OFFERS)

    assert answer.status_code == 404
    assert "Only days that closed after we began to sign these lists have one." in text_of(answer)
    page = stranger.get(f"/draws/{FIRST_DAY}").text
    assert "offers" not in page
    assert "certificate.json" in page


@pytest.mark.usefixtures("_played")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lottery_changes SET prize = 'A car' WHERE prize <> ''",
        "DELETE FROM offers WHERE lottery_id = 2",
        "UPDATE offers SET change_id = (SELECT min(id) FROM lottery_changes) WHERE lottery_id = 1",
        "UPDATE offer_notes SET note = (SELECT checkpoint FROM journal WHERE number = 1)",
    ],
)
def test_a_list_that_is_not_the_one_that_was_signed_is_not_published(
    session: Session, stranger: Visitor, caplog: pytest.LogCaptureFixture, statement: str
) -> None:
    close(session)
    unguard(session, statement)

    answer = stranger.get(OFFERS)

    assert answer.status_code == 500
    assert "isn’t the one that was signed, so we don’t publish it" in text_of(answer)
    assert "A car" not in answer.text
    assert f"offers of {FIRST_DAY}: " in caplog.text


@pytest.mark.usefixtures("_played")
def test_the_page_of_a_draw_says_what_was_won_by_the_signed_list(
    app: Flask, session: Session, stranger: Visitor, log_in: LogIn, big_chance: Lottery,
    extra_win: Lottery,
) -> None:  # fmt: skip
    close(session)
    closed = text_of(stranger.get(f"/draws/{FIRST_DAY}"))
    assert "The list of prizes , signed when the day closed, lets anyone prove it" in closed

    draw(session)
    rename(session, big_chance, "Other", "Nothing", NEXT_NOON)
    rename(session, extra_win, "Another", "Nothing", NEXT_NOON)

    page = stranger.get(f"/draws/{FIRST_DAY}")
    certificate = json.loads(stranger.get(f"/draws/{FIRST_DAY}/certificate.json").data)
    number, ballot = (certificate["winners"][0][key] for key in ("number", "ballot"))
    name, prize = {
        big_chance.id: ("Big Chance", SEA), extra_win.id: ("Extra Win", " ".join(CHEESE.split())),
    }[int(ballot.split("lottery ")[1].split()[0])]  # fmt: skip
    assert (
        f"By the list of prizes that we signed when the day closed, ballot {number} won in "
        f"{name} : {prize}"
    ) in text_of(page).replace(f"{name}: ", f"{name} : ")
    for part in (
        f'data-offers="{OFFERS}"', f'download="offers-{FIRST_DAY}.json"',
        f"--offers offers-{FIRST_DAY}.json", 'data-name="offers"',
    ):  # fmt: skip
        assert part in page.text
    assert page.text.count("<li data-name=") == len(CHECKS)


@pytest.mark.usefixtures("_played")
def test_closing_a_day_keeps_the_newest_that_was_said(
    session: Session, stranger: Visitor, big_chance: Lottery
) -> None:
    rename(session, big_chance, "Between", "Midnight and the close", NEXT_NOON)

    close(session)

    with session.begin():
        newest = session.scalars(
            select(LotteryChange.name).order_by(LotteryChange.id.desc()).limit(1)
        ).one()
    assert newest == "Between"
    assert offered(stranger.get(OFFERS))[0] == (big_chance.id, "Between", "Midnight and the close")
