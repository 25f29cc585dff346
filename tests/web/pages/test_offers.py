"""Offers: results show a lottery's name and prize as they were when the day closed."""

import csv
import io
import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY, closes_at
from lottery_system.models import Draw, Lottery
from lottery_system.models.lottery_edit import withdraw_lottery
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import LOG_KEYS, begin, run_due
from tests.stand_ins.prizes import rename
from tests.web.conftest import LogIn, Visitor, text_of

SEA, CHEESE = "A weekend for two by the sea.", "=A basket of cheese & apples."
A_SECOND = timedelta(seconds=1)


@pytest.fixture
def seaside(big_chance: Lottery, session: Session) -> Lottery:
    """Give Big Chance a prize."""
    rename(session, big_chance, "Big Chance", SEA)
    return big_chance


@pytest.fixture
def _bob_won(seaside: Lottery, cast: Cast, submit: Submit, session: Session, clock: Clock) -> None:
    """Let bob win the first day, and take its only other place."""
    submit(cast.bob, seaside, 2)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=2)


def winner_shown(stranger: Visitor) -> str:
    """Return what the first day's result says behind the winner's username."""
    page = text_of(stranger.get(f"/winners/{FIRST_DAY}/sheet"))
    return page.partition(" bob ")[2].partition(" Drawn from ")[0]


def news(visitor: Visitor) -> str:
    """Return what the front page tells of prizes to claim, and of other results."""
    parts = r'<section class="(?:moment|news).*?</section>'
    found = re.findall(parts, visitor.get("/").text, re.DOTALL)
    assert found
    return "".join(found)


PAGES = (
    f"/winners/{FIRST_DAY}",
    f"/winners/{FIRST_DAY}/sheet",
    f"/winners/{FIRST_DAY}/card.png",
    "/winners.csv",
    f"/draws/{FIRST_DAY}",
    f"/draws/{FIRST_DAY}/certificate.json",
)
MY_PAGES = (f"/winners/{FIRST_DAY}", f"/ballots/{FIRST_DAY}", "/ballots.csv", "/account/data.json")


@pytest.mark.usefixtures("_bob_won")
def test_nothing_that_was_won_moves_when_a_lottery_is_called_otherwise(
    app: Flask, session: Session, seaside: Lottery, log_in: LogIn
) -> None:
    stranger, bob = Visitor(app.test_client()), log_in("bob")

    def shown() -> dict[str, object]:
        draw_show = app.test_cli_runner().invoke(args=["draw", "show", str(FIRST_DAY)])
        found: dict[str, object] = {path: stranger.get(path).data for path in PAGES}
        found |= {f"my {path}": re.sub("name=.csrf_token.*", "", bob.get(path).text)
                  for path in MY_PAGES}  # fmt: skip
        return found | {"draw show": draw_show.output, "news": text_of_part(news(bob))}

    before = shown()
    assert "Big Chance" in str(before["draw show"])
    assert f"You won: {SEA}" in str(before["news"])
    for path in (*PAGES[:2], PAGES[3]):
        assert SEA in before[path].decode()  # type: ignore[attr-defined]

    rename(session, seaside, "Small Chance", CHEESE, FIRST_NOON + ONE_DAY)

    after = shown()
    for name, content in before.items():
        assert after[name] == content, name


def text_of_part(html: str) -> str:
    return " ".join(re.sub(r"<bdi[^>]*>|</bdi>", "", re.sub(r"<input[^>]*>", "", html)).split())


def test_names_that_two_lotteries_swap_stay_with_what_was_won(
    session: Session, cast: Cast, seaside: Lottery, extra_win: Lottery, submit: Submit,
    clock: Clock, stranger: Visitor,
) -> None:  # fmt: skip
    submit(cast.bob, seaside)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)

    rename(session, seaside, "Old", CHEESE)
    rename(session, extra_win, "Big Chance", SEA)
    rename(session, seaside, "Extra Win", CHEESE)

    assert winner_shown(stranger) == f"Big Chance {SEA}"


def test_what_is_said_between_midnight_and_the_close_is_what_was_won(
    session: Session, cast: Cast, seaside: Lottery, submit: Submit, clock: Clock,
    stranger: Visitor,
) -> None:  # fmt: skip
    submit(cast.bob, seaside)
    after = closes_at(FIRST_DAY) + A_SECOND
    clock.set(after)
    rename(session, seaside, "Small Chance", CHEESE, after)

    run_due(session, after + A_SECOND)

    assert winner_shown(stranger) == f"Small Chance {CHEESE}"


def test_what_is_said_between_the_close_and_the_draw_is_not(
    session: Session, cast: Cast, seaside: Lottery, submit: Submit, clock: Clock,
    stranger: Visitor,
) -> None:  # fmt: skip
    submit(cast.bob, seaside)
    now = FIRST_NOON + ONE_DAY
    clock.set(now)
    begin(session, FIRST_NOON)
    with session.begin():
        assert Draw.close(session, FIRST_DAY, now, 1, LOG_KEYS)
    rename(session, seaside, "Small Chance", CHEESE, now)
    with session.begin():
        assert Draw.draw(session, FIRST_DAY, now, LOG_KEYS)

    assert winner_shown(stranger) == f"Big Chance {SEA}"


@pytest.mark.parametrize("shortly_before", [timedelta(), timedelta(hours=13)])
def test_a_lottery_that_was_withdrawn_gives_what_it_gave(
    session: Session, cast: Cast, seaside: Lottery, submit: Submit, clock: Clock,
    stranger: Visitor, log_in: LogIn, shortly_before: timedelta,
) -> None:  # fmt: skip
    """Also where whoever withdrew it had a clock that was behind."""
    clock.turn(5 * ONE_DAY)
    submit(cast.bob, seaside)
    with session.begin():
        withdraw_lottery(session, seaside.id, lambda: FIRST_NOON + 5 * ONE_DAY - shortly_before)
    clock.turn(ONE_DAY)
    now, day = FIRST_NOON + 6 * ONE_DAY, FIRST_DAY + 5 * ONE_DAY
    begin(session, now)
    with session.begin():
        assert Draw.close(session, day, now, 1, LOG_KEYS)

    rename(session, seaside, "Small Chance", CHEESE, now)

    # before the draw, too, which would find it itself
    assert "Big Chance" in text_of(log_in("bob").get(f"/ballots/{day}"))
    run_due(session, now)
    assert f"bob Big Chance {SEA}" in text_of(stranger.get(f"/winners/{day}"))


def test_a_lottery_withdrawn_by_hand_gives_what_it_gave(
    session: Session, cast: Cast, seaside: Lottery, submit: Submit, clock: Clock,
    stranger: Visitor,
) -> None:  # fmt: skip
    clock.turn(5 * ONE_DAY)
    submit(cast.bob, seaside)
    with session.begin():
        session.execute(text("UPDATE lotteries SET closes_on = '2026-11-19'"))
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + 6 * ONE_DAY)

    rename(session, seaside, "Small Chance", CHEESE, FIRST_NOON + 6 * ONE_DAY)

    page = text_of(stranger.get(f"/winners/{FIRST_DAY + 5 * ONE_DAY}"))
    assert f"bob Big Chance {SEA}" in page


def test_a_day_that_is_open_shows_what_is_said_now_and_so_will_its_result(
    session: Session, cast: Cast, seaside: Lottery, submit: Submit, clock: Clock, bob: Visitor,
    stranger: Visitor,
) -> None:  # fmt: skip
    submit(cast.bob, seaside)
    assert "Big Chance" in text_of(bob.get(f"/ballots/{FIRST_DAY}"))

    rename(session, seaside, "Small Chance", CHEESE)

    assert "Small Chance" in text_of(bob.get(f"/ballots/{FIRST_DAY}"))
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)
    assert winner_shown(stranger) == f"Small Chance {CHEESE}"


def test_each_day_keeps_its_own(
    session: Session, cast: Cast, seaside: Lottery, submit: Submit, clock: Clock, log_in: LogIn
) -> None:
    for day, name in enumerate(("Big Chance", "Small Chance", "No Chance"), start=1):
        rename(session, seaside, name, f"The prize of {name}.")
        submit(cast.bob, seaside)
        clock.turn(ONE_DAY)
        run_due(session, FIRST_NOON + day * ONE_DAY)
    rename(session, seaside, "Other Chance", "")

    tickets = re.findall(
        r">You won: ([^<]*)</h2>.*? won in (.*?) on ", text_of_part(news(log_in("bob")))
    )
    assert sorted(tickets) == sorted(
        (f"The prize of {name}.", name) for name in ("Big Chance", "Small Chance", "No Chance")
    )


def test_a_prize_is_no_formula_in_a_spreadsheet_and_stands_in_its_column(
    session: Session, cast: Cast, seaside: Lottery, submit: Submit, clock: Clock,
    stranger: Visitor,
) -> None:  # fmt: skip
    rename(session, seaside, "Big Chance", CHEESE)
    submit(cast.bob, seaside)
    clock.turn(2 * ONE_DAY)
    run_due(session, FIRST_NOON + 2 * ONE_DAY)

    head, won, nobody = csv.reader(io.StringIO(stranger.get("/winners.csv").text))

    at = head.index("prize")
    assert (won[at], nobody[at]) == (f"'{CHEESE}", "")


def test_a_long_prize_is_short_on_the_ticket_and_whole_below(
    session: Session, cast: Cast, seaside: Lottery, submit: Submit, clock: Clock,
    stranger: Visitor,
) -> None:  # fmt: skip
    long = "Many words. " * 100
    rename(session, seaside, "Big Chance", long.strip())
    submit(cast.bob, seaside)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)

    page, sheet = (text_of(stranger.get(f"/winners/{FIRST_DAY}{part}")) for part in ("", "/sheet"))

    assert "words. Many…" in page
    assert f"Prize {long}" in page
    assert len(sheet) < 1500
