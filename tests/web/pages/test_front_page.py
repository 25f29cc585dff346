"""Front page with many lotteries: search, paging, and constant size."""

import gzip
import re

import pytest
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import Lottery
from lottery_system.queries.front_page import PAGE
from tests.conftest import FIRST_DAY, FIRST_NOON
from tests.web.conftest import Visitor, text_of

MANY = 500
MOST_BYTES = 50_000


@pytest.fixture
def _many(session: Session) -> None:
    """Open five hundred lotteries, the first of which close first."""
    with session.begin():
        session.add_all(
            Lottery.create(
                f"Raffle {number:03}", "A prize. " * 20, FIRST_DAY + number * ONE_DAY, FIRST_NOON
            )
            for number in range(MANY)
        )


def names(page: str) -> list[str]:
    return re.findall(r'<h3 dir="auto"><a href="/lotteries/\d+">(.*?)</a></h3>', page)


@pytest.mark.usefixtures("_many")
def test_five_hundred_lotteries_come_a_page_at_a_time_and_none_is_left_out(bob: Visitor) -> None:
    found: list[str] = []
    path = "/"
    while path:
        page = bob.get(path).text
        assert len(gzip.compress(page.encode())) < MOST_BYTES
        assert len(names(page)) <= PAGE
        found += names(page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1].replace("&amp;", "&") if following else ""

    assert found == [f"Raffle {number:03}" for number in range(MANY)]


@pytest.mark.usefixtures("_many")
def test_a_lottery_is_found_by_a_part_of_its_name_in_any_case(bob: Visitor) -> None:
    assert names(bob.get("/?q=FLE+49").text) == [f"Raffle 49{number}" for number in range(10)]
    assert 'value="FLE 49"' in bob.get("/?q=FLE+49").text


@pytest.mark.usefixtures("_many")
def test_what_is_searched_for_stands_for_itself(bob: Visitor) -> None:
    for text in ("%", "_", "\\", "Raffle 0_1", "' OR 1=1 --", "<b>"):
        page = bob.get("/", query_string={"q": text})

        assert names(page.text) == []
        assert f"No open lottery has “{text}” in its name." in text_of(page)


def test_letters_of_all_languages_are_found_in_any_case(bob: Visitor, session: Session) -> None:
    with session.begin():
        session.add(Lottery.create("Ökostrom-ÉTÉ", "", FIRST_DAY, FIRST_NOON))

    assert names(bob.get("/?q=ökostrom-été").text) == ["Ökostrom-ÉTÉ"]


def test_what_nobody_can_type_is_not_searched_for(bob: Visitor, big_chance: Lottery) -> None:
    for text in ("\0", "Big\0", "\ud800"):
        assert (
            bob.get("/", query_string={"q": text.encode(errors="surrogatepass")}).status_code == 200
        )


@pytest.mark.usefixtures("_many")
def test_a_page_that_is_none_is_the_first(bob: Visitor) -> None:
    for page in ("0", "-1", "x", "99999999999999999999", "２", ""):
        assert names(bob.get(f"/?page={page}").text)[:1] == ["Raffle 000"], page


@pytest.mark.usefixtures("_many")
def test_ballots_of_a_lottery_on_a_later_page_count_and_have_their_receipt(bob: Visitor) -> None:
    bob.submit(MANY, count="3")

    page = text_of(bob.get("/"))

    assert "Your 3 ballots are in Ballots 1 to 3 Lottery Raffle 499" in page
    assert "Ballots 3 Yours 3 Chance 100 %" in page


def test_a_name_from_right_to_left_and_a_prize_of_5000_characters_have_their_place(
    alice: Visitor, bob: Visitor
) -> None:
    name, prize = "הגרלה גדולה", "פרס " * 1250
    answer = alice.post("/organiser/lotteries/new", name=name, prize=prize, closes_on="2026-12-24")
    assert answer.status_code == 303

    page = bob.get("/").text

    assert f">{name}</a></h3>" in page
    assert f"{prize.strip()}</details>" in page
