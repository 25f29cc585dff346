"""The public page of a lottery, and what its card says of its terms."""

import io
import re
from datetime import timedelta

import pytest
from PIL import Image
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import Lottery
from lottery_system.models.lottery_edit import withdraw_lottery
from lottery_system.web.pages.lotteries import CHANGES, WINS
from tests.conftest import FIRST_DAY, FIRST_NOON, PASSWORD, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.stand_ins.prizes import edit, open_lottery
from tests.web.conftest import Visitor, csrf_token, submission_token, text_of

HOUR = timedelta(hours=1)


@pytest.fixture
def garden(session: Session, clock: Clock) -> Lottery:
    """Open a lottery with a prize."""
    return open_lottery(session, "Garden", "A pear tree.")


def page_of(lottery: Lottery) -> str:
    return f"/lotteries/{lottery.id}"


def test_everyone_sees_prize_days_and_todays_ballots(
    stranger: Visitor, cast: Cast, garden: Lottery, big_chance: Lottery, submit: Submit
) -> None:
    submit(cast.bob, garden, 3)
    submit(cast.charlie, garden, 2)
    submit(cast.charlie, big_chance, 90)

    answer = stranger.get(page_of(garden))

    page = text_of(answer)
    assert answer.status_code == 200
    assert "Garden A pear tree. First day Thursday 19 November 2026" in page
    assert "Last day Saturday 19 December 2026" in page
    assert "Open until 23:59:59 UTC on Saturday 19 December 2026" in page
    assert "Ballots in it today 5" in page
    assert "One ballot of all lotteries wins each day." in page
    assert "This prize can be won every day until the last day, or never." in page
    assert "Nobody has won its prize yet." in page
    assert "Your ballots" not in page


@pytest.mark.parametrize("path", ["/lotteries/99", "/lotteries/99/card.png"])
def test_a_lottery_that_does_not_exist_is_not_found(
    stranger: Visitor, clock: Clock, path: str
) -> None:
    answer = stranger.get(path)

    assert answer.status_code == 404
    assert "This lottery doesn’t exist." in text_of(answer)


def test_what_was_won_in_it_is_listed_with_the_prize_as_offered_then(
    session: Session, stranger: Visitor, cast: Cast, garden: Lottery, big_chance: Lottery,
    submit: Submit, clock: Clock,
) -> None:  # fmt: skip
    submit(cast.bob, garden)
    clock.turn(ONE_DAY)
    submit(cast.charlie, big_chance)
    run_due(session, FIRST_NOON + ONE_DAY, places=1)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + 2 * ONE_DAY, places=1)
    edit(session, garden, FIRST_NOON + 2 * ONE_DAY, prize="A plum tree.")

    won, changes = text_of(stranger.get(page_of(garden))).split("Changes of name and prize")

    assert "Thursday 19 November 2026 A pear tree. Ballot 1: bob Prize: not claimed yet" in won
    assert "charlie" not in won
    assert "Prize before A pear tree. Prize after A plum tree." in changes


def test_wins_of_a_lottery_are_paged(
    session: Session, stranger: Visitor, cast: Cast, garden: Lottery, submit: Submit, clock: Clock
) -> None:
    for _ in range(WINS + 1):
        submit(cast.bob, garden)
        clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + (WINS + 1) * ONE_DAY, places=1)

    first = stranger.get(page_of(garden)).text
    older = f"{page_of(garden)}?before={FIRST_DAY + ONE_DAY}"

    assert first.count('class="when"') == WINS
    assert f'href="{older}#won"' in first
    assert stranger.get(older).text.count('class="when"') == 1


def test_all_changes_of_name_and_prize_are_public_and_no_other(
    session: Session, stranger: Visitor, cast: Cast, garden: Lottery
) -> None:
    edit(session, garden, FIRST_NOON + HOUR, claim="At the secret desk.")
    edit(session, garden, FIRST_NOON + 2 * HOUR, name="Orchard", prize="")
    for number in range(CHANGES):
        edit(session, garden, FIRST_NOON + 3 * HOUR, prize=f"{number} trees & <b>more</b>")

    answer = stranger.get(page_of(garden))
    older = re.findall(r'href="([^"]+)#changes"', answer.text)

    assert "secret" not in answer.text
    assert "<b>more" not in answer.text
    assert answer.text.count("Prize after") == CHANGES
    assert "Prize before – Prize after 0 trees & <b>more</b>" in text_of(answer)
    before = text_of(stranger.get(older[0]))
    assert "Name before Garden Name after Orchard Prize before A pear tree. Prize after –" in before
    assert "2026, 14:00:00 UTC" in before


def test_whoever_is_logged_in_plays_on_the_page(bob: Visitor, garden: Lottery) -> None:
    page = bob.get(page_of(garden))
    form = {"csrf_token": csrf_token(page), "submission": str(submission_token(page))}

    answer = bob.client.post(f"{page_of(garden)}/ballots", data={**form, "count": "3"})

    assert (answer.status_code, answer.location) == (303, "/")
    receipt = bob.get("/")
    assert "Your 3 ballots are in" in text_of(receipt)
    assert f'<dd><a href="{page_of(garden)}"><bdi>Garden' in receipt.text
    assert "Your ballots 3" in text_of(bob.get(page_of(garden)))


@pytest.mark.parametrize("way", ["/signup", "/login"])
def test_a_stranger_comes_back_from_signing_up_or_logging_in(
    stranger: Visitor, cast: Cast, garden: Lottery, way: str
) -> None:
    page = stranger.get(page_of(garden)).text
    here = f"{way}?next=%2Flotteries%2F{garden.id}"
    assert f'href="{here}"' in page or f'href="{way}?next={page_of(garden)}"' in page
    name = "bob" if way == "/login" else "dana"

    answer = stranger.post(here, username=name, password=PASSWORD)

    assert (answer.status_code, answer.location) == (303, page_of(garden))


@pytest.mark.parametrize("way", ["/signup", "/login"])
def test_each_of_signing_up_and_logging_in_leads_to_the_other_with_the_way_back(
    stranger: Visitor, clock: Clock, way: str
) -> None:
    other = {"/signup": "/login", "/login": "/signup"}[way]

    page = stranger.get(f"{way}?next=/lotteries/7").text

    assert re.search(rf'href="{other}\?next=(/|%2F)lotteries(/|%2F)7"', page)


@pytest.mark.parametrize("target", ["https://evil.test/", "//evil.test", "/\\evil.test"])
def test_signing_up_leads_to_no_other_site(stranger: Visitor, clock: Clock, target: str) -> None:
    answer = stranger.post("/signup", username="dana", password=PASSWORD)
    assert answer.location == "/"

    form = stranger.client.get("/signup", query_string={"next": target})

    assert "evil" not in form.text


def test_signing_up_with_the_address_of_another_site_goes_to_the_front_page(
    stranger: Visitor, clock: Clock
) -> None:
    answer = stranger.post("/signup?next=//evil.test", username="dana", password=PASSWORD)

    assert (answer.status_code, answer.location) == (303, "/")


def test_a_link_to_a_lottery_brings_its_prize_and_a_picture_with_it(
    session: Session, stranger: Visitor, garden: Lottery
) -> None:
    page = stranger.get(page_of(garden)).text
    assert '<meta property="og:title" content="Garden">' in page
    assert re.search(r'property="og:description" content="Prize: A pear tree\. ', page)
    assert f'content="http://localhost{page_of(garden)}/card.png?lang=en"' in page

    answer = stranger.get(f"{page_of(garden)}/card.png")
    edit(session, garden, FIRST_NOON, prize="A plum tree.")
    other = stranger.get(f"{page_of(garden)}/card.png")

    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    assert Image.open(io.BytesIO(answer.data)).size == (1200, 630)
    assert answer.headers["Cache-Control"] == "public, max-age=2"
    assert other.data != answer.data


@pytest.mark.parametrize(
    ("name", "prize"), [("庭園", "梨の木"), ("W" * 80, "W" * 5000), ("a" * 80, "a b " * 900)]
)
def test_a_card_is_made_of_any_script_and_length(
    session: Session, stranger: Visitor, clock: Clock, name: str, prize: str
) -> None:
    lottery = open_lottery(session, name, prize)

    assert stranger.get(f"{page_of(lottery)}/card.png").status_code == 200


# What a lottery is, on its card and on its page


@pytest.mark.parametrize("is_front", [True, False])
def test_the_terms_of_a_lottery_are_a_line_each(
    session: Session, bob: Visitor, clock: Clock, is_front: bool
) -> None:
    lottery = open_lottery(session, "Rare", "A ring.", winnable=2, most_a_day=3)
    plain = open_lottery(session, "Plain")

    page = text_of(bob.get("/" if is_front else page_of(lottery)))
    other = text_of(bob.get("/" if is_front else page_of(plain)))

    assert "This prize can be won 2 more times." in page
    assert "At most 3 ballots a day." in page
    assert "This prize can be won every day until the last day, or never." in other


def test_that_one_ballot_of_all_lotteries_wins_is_said_once_a_page(
    session: Session, bob: Visitor, submit: Submit, cast: Cast
) -> None:
    first, _ = open_lottery(session, "Rare"), open_lottery(session, "Plain")

    assert text_of(bob.get("/")).count("One ballot wins each day") == 1
    submit(cast.bob, first)
    for path in ("/", page_of(first)):
        assert text_of(bob.get(path)).count("One ballot of all lotteries wins each day.") == 1


def test_a_lottery_that_opens_later_is_announced_without_a_form(
    session: Session, bob: Visitor, clock: Clock
) -> None:
    later = open_lottery(session, "Later", opens_on=FIRST_DAY + 2 * ONE_DAY)

    front, page = bob.get("/"), bob.get(page_of(later))

    assert "Coming up Later opens on Saturday 21 November 2026" in text_of(front)
    assert "This lottery opens on Saturday 21 November 2026" in text_of(page)
    assert "Opens on Saturday 21 November 2026" in text_of(page)
    assert f"{page_of(later)}/ballots" not in front.text + page.text
    clock.turn(2 * ONE_DAY)
    assert f"{page_of(later)}/ballots" in bob.get("/").text
    assert "Coming up" not in text_of(bob.get("/"))


def test_a_lottery_that_waits_for_the_draw_of_its_last_prize_says_when_it_goes_on(
    session: Session, cast: Cast, bob: Visitor, submit: Submit, clock: Clock
) -> None:
    lottery = open_lottery(session, "Rare", "A ring.", winnable=1)
    submit(cast.bob, lottery)
    clock.turn(ONE_DAY)

    for path in ("/", page_of(lottery)):
        answer = bob.get(path)
        assert "Takes ballots again at about 12:01 UTC , if a prize is left." in text_of(answer)
        assert f'action="{page_of(lottery)}/ballots"' not in answer.text
    run_due(session, FIRST_NOON + ONE_DAY, places=1)

    page = text_of(bob.get(page_of(lottery)))
    assert "This lottery has finished." in page
    assert "Prizes left 0 of 1" in page


def test_a_finished_lottery_takes_no_ballots_and_stays_public(
    session: Session, bob: Visitor, stranger: Visitor, garden: Lottery
) -> None:
    with session.begin():
        withdraw_lottery(session, garden.id, lambda: FIRST_NOON)

    page, front = stranger.get(page_of(garden)), bob.get("/")

    assert "This lottery has finished. It takes no more ballots." in text_of(page)
    assert "/ballots" not in page.text
    assert f'<a href="{page_of(garden)}"><bdi lang="">Garden</bdi></a>' in front.text


# Changed under somebody's ballots


def test_who_holds_ballots_of_today_is_told_that_name_or_prize_were_changed_since(
    session: Session, cast: Cast, bob: Visitor, garden: Lottery, submit: Submit, clock: Clock
) -> None:
    submit(cast.bob, garden)
    clock.turn(HOUR)
    edit(session, garden, FIRST_NOON + HOUR, prize="A plum tree.")
    clock.turn(HOUR)
    submit(cast.bob, garden)
    edit(session, garden, FIRST_NOON + 2 * HOUR, prize="A cherry tree.", name="Orchard")

    for path in ("/", page_of(garden)):
        page = text_of(bob.get(path))
        assert "The prize was changed today at 14:00 UTC. Before: A pear tree." in page
        assert "The name was changed today at 14:00 UTC. Before: Garden" in page
    clock.turn(ONE_DAY)
    assert "was changed today" not in text_of(bob.get("/"))


def test_nobody_else_is_told(
    session: Session, cast: Cast, bob: Visitor, stranger: Visitor, garden: Lottery,
    submit: Submit, clock: Clock,
) -> None:  # fmt: skip
    submit(cast.charlie, garden)
    edit(session, garden, FIRST_NOON + HOUR, prize="A plum tree.")
    clock.turn(2 * HOUR)
    submit(cast.bob, garden)  # who has seen the new one

    for visitor, path in ((bob, "/"), (bob, page_of(garden)), (stranger, page_of(garden))):
        assert "was changed today" not in text_of(visitor.get(path))


def test_what_was_changed_back_or_is_no_prize_is_not_told(
    session: Session, cast: Cast, bob: Visitor, garden: Lottery, submit: Submit, clock: Clock
) -> None:
    submit(cast.bob, garden)
    clock.turn(HOUR)
    edit(session, garden, FIRST_NOON + HOUR, prize="A plum tree.")
    edit(session, garden, FIRST_NOON + HOUR, prize="A pear tree.", claim="At the desk.")

    assert "was changed today" not in text_of(bob.get(page_of(garden)))
