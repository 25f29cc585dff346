"""Result pages: the winning ballot of a date, in seven states."""

import re
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from lottery_system.models import Lottery, Winner
from lottery_system.models.claim import NOT_CLAIMED_IN_TIME, claim, hand_over, lapse
from lottery_system.queries.day import look_up
from lottery_system.web.pages import draws, winners
from lottery_system.web.pages.winners import PAGE
from lottery_system.web.texts import catalogue
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.stand_ins.prizes import in_transaction
from tests.web.conftest import LogIn, Visitor, text_of

ONE_DAY = timedelta(days=1)


@pytest.fixture
def three_days(
    session: Session, cast: Cast, big_chance: Lottery, clock: Clock, submit: Submit
) -> None:
    """Let bob play on the first day, nobody on the second, and charlie on the third, today."""
    submit(cast.bob, big_chance, 3)
    clock.turn(2 * ONE_DAY)
    submit(cast.charlie, big_chance)
    run_due(session, FIRST_NOON + 2 * ONE_DAY, places=1)


def winners_of(day: date | str) -> str:
    return f"/winners/{day}"


@pytest.mark.usefixtures("three_days")
def test_a_drawn_day_shows_ballot_username_and_lottery_to_everybody(
    stranger: Visitor, session: Session
) -> None:
    answer = stranger.get(winners_of(FIRST_DAY))

    number = session.get_one(Winner, (FIRST_DAY, 1)).number
    assert answer.status_code == 200
    assert f"Ballot {number} bob Big Chance" in text_of(answer)
    assert "Ballots in the draw 3" in text_of(answer)
    assert f'href="/draws/{FIRST_DAY}#check"' in answer.text


@pytest.mark.usefixtures("three_days")
def test_a_day_on_which_nobody_played_has_no_winner(stranger: Visitor) -> None:
    answer = stranger.get(winners_of(FIRST_DAY + ONE_DAY))

    assert answer.status_code == 200
    assert "nobody entered that day" in text_of(answer)


@pytest.mark.usefixtures("three_days")
def test_a_day_that_is_over_and_not_drawn_waits(stranger: Visitor, clock: Clock) -> None:
    clock.turn(ONE_DAY)

    answer = stranger.get(winners_of(FIRST_DAY + 2 * ONE_DAY))

    assert answer.status_code == 200
    assert "The winner will appear here" in text_of(answer)


@pytest.mark.usefixtures("three_days")
def test_today_is_open_until_its_midnight(stranger: Visitor) -> None:
    answer = stranger.get(winners_of(FIRST_DAY + 2 * ONE_DAY))

    assert answer.status_code == 200
    assert "You can still add ballots" in text_of(answer)
    assert '<time datetime="2026-11-21T23:59:59Z" data-own="closing">' in answer.text


@pytest.mark.usefixtures("three_days")
@pytest.mark.parametrize("path", ["/winners", "/draws"])
def test_a_page_asked_for_at_midnight_is_of_one_instant(
    bob: Visitor, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it might be of one day at its top, and of the next one further down."""
    for module in (winners, draws):
        instants = iter([FIRST_NOON + 2 * ONE_DAY])
        monkeypatch.setattr(module, "utcnow", instants.__next__)

    assert bob.get(f"{path}/{FIRST_DAY + 2 * ONE_DAY}").status_code == 200


@pytest.mark.usefixtures("three_days")
def test_a_day_to_come_and_a_day_before_the_first_are_not_found(stranger: Visitor) -> None:
    future = stranger.get(winners_of(FIRST_DAY + 3 * ONE_DAY))
    past = stranger.get(winners_of(FIRST_DAY - ONE_DAY))

    assert (future.status_code, past.status_code) == (404, 404)
    assert "This day hasn’t happened yet" in text_of(future)
    assert "The first was on Thursday 19 November 2026" in text_of(past)


@pytest.mark.usefixtures("three_days")
@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-13-01", "20261119", "2026-W47-4", "yesterday", "0000-00-00",
             "2026-11-19x", "１９99-01-01", "<b>", "-1", "99999-01-01"],
)  # fmt: skip
def test_what_is_not_a_date_is_said_not_to_be(stranger: Visitor, text: str) -> None:
    address = stranger.get(winners_of(text))
    form = stranger.get("/winners", query_string={"date": text})

    assert (address.status_code, form.status_code) == (404, 422)
    for answer in (address, form):
        assert f"“{text}” isn’t a date" in text_of(answer)
        assert "<b>" not in answer.text


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_days_like_any_other(
    clock: Clock, stranger: Visitor, day: str
) -> None:
    assert stranger.get(winners_of(day)).status_code == 404


@pytest.mark.usefixtures("three_days")
def test_the_date_form_sends_on_to_the_lasting_address(stranger: Visitor) -> None:
    answer = stranger.get("/winners?date=2026-11-19")

    assert (answer.status_code, answer.location) == (302, "/winners/2026-11-19")


@pytest.mark.usefixtures("three_days")
def test_without_a_date_who_won_is_listed_and_days_without_a_ballot_are_skipped(
    stranger: Visitor, session: Session
) -> None:
    answer = stranger.get("/winners")

    number = session.get_one(Winner, (FIRST_DAY, 1)).number
    listed = f"Thursday 19 November 2026 Big Chance Ballot {number}: bob"
    assert listed in text_of(answer)
    assert "Prize: not claimed yet" in text_of(answer)
    assert "Friday 20 November 2026" not in text_of(answer).split("Ballots per day")[0]
    assert f'<a href="{winners_of(FIRST_DAY + ONE_DAY)}" class="none">' in answer.text


def test_before_the_first_draw_there_is_a_page_too(clock: Clock, stranger: Visitor) -> None:
    answer = stranger.get("/winners")

    assert answer.status_code == 200
    assert "Nobody has won yet." in text_of(answer)


def test_the_list_of_winners_is_paged_by_days(
    session: Session, cast: Cast, big_chance: Lottery, clock: Clock, submit: Submit,
    stranger: Visitor,
) -> None:  # fmt: skip
    for _ in range(PAGE + 1):
        submit(cast.bob, big_chance)
        clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + (PAGE + 1) * ONE_DAY, places=1)

    first = stranger.get("/winners").text
    (older,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = stranger.get(older).text

    days = [
        re.findall(r'class="when"><a href="/winners/([^"]+)"', page) for page in (first, second)
    ]
    assert [len(each) for each in days] == [PAGE, 1]
    assert days[0] == sorted(days[0], reverse=True)
    assert days[1] == [FIRST_DAY.isoformat()]
    assert 'rel="next"' not in second
    assert "There are no older winners." in text_of(stranger.get("/winners?before=2020-01-01"))


@pytest.fixture
def passed_on(session: Session, cast: Cast, clock: Clock, submit: Submit, engine: Engine) -> None:
    """Let bob win a pear tree with reserves, let the prize lapse, and hand it over to the next."""
    with session.begin():
        garden = Lottery.create("Garden", "A pear tree.", FIRST_DAY + 9 * ONE_DAY, FIRST_NOON)
        session.add(garden)
    submit(cast.bob, garden, 5)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=3)
    now = FIRST_NOON + ONE_DAY
    by = cast.alice.id
    in_transaction(engine, lapse, FIRST_DAY, 1, by, reason="100% out of reach", now=now)
    in_transaction(
        engine, claim, FIRST_DAY, 2, cast.bob.id, message="secret", contact="secret too", now=now
    )
    note = "In the <b>shop</b>"
    in_transaction(
        engine, hand_over, FIRST_DAY, 2, by, handed_on=FIRST_DAY + ONE_DAY, note=note, now=now
    )


@pytest.mark.usefixtures("passed_on")
@pytest.mark.parametrize("path", ["/winners", winners_of(FIRST_DAY), "/lotteries/1"])
def test_everyone_sees_what_became_of_a_prize_and_whose_turn_it_was_then(
    stranger: Visitor, path: str
) -> None:
    answer = stranger.get(path)

    page = text_of(answer)
    assert "passed on to the next reserve. Reason: 100% out of reach" in page
    assert "handed over on Friday 20 November 2026 : In the <b>shop</b>" in page
    assert "A pear tree." in page
    assert "<b>shop" not in answer.text
    assert "secret" not in answer.text


@pytest.mark.usefixtures("passed_on")
@pytest.mark.parametrize("path", [winners_of(FIRST_DAY), winners_of(FIRST_DAY) + "/sheet"])
def test_the_page_and_the_poster_of_a_day_name_the_reserve_who_has_the_prize(
    stranger: Visitor, session: Session, path: str
) -> None:
    number = look_up(session.connection(), FIRST_DAY, None).winners[1].number

    page = text_of(stranger.get(path))

    assert (
        f"The prize was passed on to reserve 1, ballot {number}: bob A pear tree. · Garden" in page
    )


@pytest.mark.usefixtures("three_days")
def test_a_prize_that_was_not_passed_on_is_not_said_to_be(stranger: Visitor) -> None:
    assert "passed on" not in text_of(stranger.get(winners_of(FIRST_DAY)))


@pytest.mark.usefixtures("passed_on")
def test_whoever_won_a_prize_is_led_to_it_from_the_result(log_in: LogIn) -> None:
    answer = log_in("bob").get(winners_of(FIRST_DAY))

    page = text_of(answer)
    assert "Your prize : lapsed: 100% out of reach" in page
    assert "Your prize : handed over on Friday 20 November 2026" in page
    assert f'href="/prizes/{FIRST_DAY}/1"' in answer.text
    assert f'href="/prizes/{FIRST_DAY}/2"' in answer.text


def test_whoever_let_a_prize_lapse_is_not_told_to_have_won(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, log_in: LogIn, clock: Clock,
    engine: Engine,
) -> None:  # fmt: skip
    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=1)
    bob = log_in("bob")
    assert "You won." in text_of(bob.get(winners_of(FIRST_DAY)))

    in_transaction(engine, lapse, FIRST_DAY, 1, reason="Out of reach", now=FIRST_NOON + ONE_DAY)

    page = text_of(bob.get(winners_of(FIRST_DAY)))
    assert "You won." not in page
    assert "Your prize : lapsed: Out of reach" in page


@pytest.mark.usefixtures("passed_on")
def test_what_lapsed_by_itself_is_told_in_the_language_of_the_page(
    stranger: Visitor, session: Session, engine: Engine, cast: Cast, big_chance: Lottery,
    submit: Submit, clock: Clock,
) -> None:  # fmt: skip
    submit(cast.charlie, big_chance)
    clock.turn(ONE_DAY)
    now = FIRST_NOON + 2 * ONE_DAY
    run_due(session, now, places=1)
    in_transaction(engine, lapse, FIRST_DAY + ONE_DAY, 1, reason=NOT_CLAIMED_IN_TIME, now=now)

    page = text_of(stranger.get("/winners?lang=de"))

    assert NOT_CLAIMED_IN_TIME not in page
    assert catalogue("de").gettext(NOT_CLAIMED_IN_TIME) in page


@pytest.mark.usefixtures("three_days")
def test_previous_and_next_draw_are_a_click_away(stranger: Visitor) -> None:
    first = stranger.get(winners_of(FIRST_DAY)).text
    second = stranger.get(winners_of(FIRST_DAY + ONE_DAY)).text
    today = stranger.get(winners_of(FIRST_DAY + 2 * ONE_DAY)).text

    assert 'rel="prev"' not in first
    assert 'rel="next" href="/winners/2026-11-20"' in first
    assert 'rel="prev" href="/winners/2026-11-19"' in second
    assert 'rel="next" href="/winners/2026-11-21"' in second
    assert 'rel="prev" href="/winners/2026-11-20"' in today
    assert 'rel="next"' not in today


@pytest.mark.usefixtures("three_days")
def test_whoever_is_logged_in_sees_how_it_went_for_them(log_in: LogIn) -> None:
    assert "You won." in text_of(log_in("bob").get(winners_of(FIRST_DAY)))
    assert "You had no ballots in this draw." in text_of(
        log_in("charlie").get(winners_of(FIRST_DAY))
    )


def test_whoever_did_not_win_sees_their_ballots_of_the_day(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, log_in: LogIn, clock: Clock
) -> None:
    submit(cast.bob, big_chance, 2)
    submit(cast.charlie, big_chance, 2)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)
    with session.begin():
        (winner,) = look_up(session.connection(), FIRST_DAY, None).winners
    lucky = winner.username
    unlucky = "charlie" if lucky == "bob" else "bob"

    assert "You won." in text_of(log_in(lucky).get(winners_of(FIRST_DAY)))
    assert "Your 2 ballots didn’t win." in text_of(log_in(unlucky).get(winners_of(FIRST_DAY)))


def test_reserves_are_listed_in_their_order(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, stranger: Visitor,
    clock: Clock,
) -> None:  # fmt: skip
    submit(cast.bob, big_chance, 9)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=3)
    numbers = [winner.number for winner in look_up(session.connection(), FIRST_DAY, None).winners]

    page = text_of(stranger.get(winners_of(FIRST_DAY)))

    assert f"1 {numbers[1]} bob Big Chance 2 {numbers[2]} bob Big Chance" in page


def test_a_clock_that_was_set_back_does_not_open_a_drawn_day_again(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, stranger: Visitor,
    clock: Clock,
) -> None:  # fmt: skip
    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=1)
    clock.turn(-ONE_DAY)

    page = text_of(stranger.get(winners_of(FIRST_DAY)))

    assert "Ballot 1 bob Big Chance" in page
    assert "Not drawn yet" not in page
