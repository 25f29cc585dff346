"""Organisers create and edit lotteries; nobody else can."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.models import Lottery
from lottery_system.web.pages import organiser
from tests.conftest import FIRST_DAY, FIRST_NOON, Clock
from tests.web.conftest import Visitor, text_of

NEW = "/organiser/lotteries/new"
LIST = "/organiser/lotteries"
#: the flag, as phones write it
ENGLAND = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
GOOD = {"name": "Spring Raffle", "prize": "A bicycle\r\nand a bell", "closes_on": "2026-12-24"}


def lotteries(session: Session) -> list[tuple[str, str, date]]:
    with session.begin():
        rows = session.execute(select(Lottery.name, Lottery.prize, Lottery.closes_on))
        return [(row.name, row.prize, row.closes_on) for row in rows]


def test_an_organiser_creates_a_lottery_that_is_open(
    alice: Visitor, bob: Visitor, session: Session
) -> None:
    answer = alice.post(NEW, **GOOD)

    assert (answer.status_code, answer.location) == (303, LIST)
    assert lotteries(session) == [("Spring Raffle", "A bicycle\nand a bell", date(2026, 12, 24))]
    assert "Spring Raffle Thursday 24 December 2026 open" in text_of(alice.get(LIST))
    assert "Spring Raffle A bicycle and a bell" in text_of(bob.get("/"))


@pytest.mark.parametrize(
    ("name", "prize"),
    [
        ("Sun ☀\ufe0f Raffle", "Cheese\tand ❤\ufe0f\u200d🔥"),
        ("👩\u200d👩\u200d👧 club", "1\ufe0f\u20e3 a bell"),
        (f"{ENGLAND} Cup", f"Two days in {ENGLAND}"),
        ("قرعه\u200cکشی", "नमस्\u200dते"),
    ],
)
def test_a_lottery_is_named_as_phones_write(
    alice: Visitor, session: Session, name: str, prize: str
) -> None:
    answer = alice.post(NEW, name=name, prize=prize, closes_on="2026-12-24")

    assert answer.status_code == 303
    assert lotteries(session) == [(name, prize, date(2026, 12, 24))]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "", "Enter a name."),
        ("name", "   ", "Enter a name."),
        ("name", "x" * 81, "at most 80 characters"),
        ("name", "Rafﬂe\u202e", "invisible characters"),
        ("name", "Rafﬂe\u200b", "invisible characters"),
        ("name", "Rafﬂe\u3164", "invisible characters"),
        ("name", "Rafﬂe\ufe0f", "invisible characters"),
        ("name", "\u200dRafﬂe", "invisible characters"),
        ("name", f"Raffle {ENGLAND[1:]}", "invisible characters"),
        ("name", f"Raffle {ENGLAND[:3]}", "invisible characters"),
        ("name", "\u0301", "none on their own"),
        ("name", "Z" + "\u0301\u0327\u0323\u0308\u0330", "at most 4 accents"),
        ("prize", "x" * 5001, "at most 5,000 characters"),
        ("prize", "a\x00b", "invisible characters"),
        ("prize", "\u2800\n\u3164", "invisible characters"),
        ("closes_on", "", "Enter the last day"),
        ("closes_on", "2026-02-30", "Not a valid date"),
        ("closes_on", "soon", "Not a valid date"),
        ("closes_on", "2026-11-18", "This day is over"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_typed_is_lost(
    alice: Visitor, session: Session, field: str, value: str, says: str
) -> None:
    answer = alice.post(NEW, **{**GOOD, field: value})

    assert answer.status_code == 422
    assert says in text_of(answer)
    assert lotteries(session) == []
    for other in {"name", "closes_on"} - {field}:
        assert f'value="{GOOD[other]}"' in answer.text


def test_a_name_is_one_however_it_is_composed(alice: Visitor, session: Session) -> None:
    alice.post(NEW, **{**GOOD, "name": "  Glu\u0308ck \u2003 heute"})

    again = alice.post(NEW, **{**GOOD, "name": "Glück heute"})

    assert "There’s already a lottery with this name" in text_of(again)
    assert [name for name, _, _ in lotteries(session)] == ["Glück heute"]
    assert "Glück heute" in text_of(alice.client.get("/", query_string={"q": "Glu\u0308"}))


def test_a_name_in_persian_may_have_the_joiners_that_it_needs(
    alice: Visitor, session: Session
) -> None:
    alice.post(NEW, **{**GOOD, "name": "می\u200cخواهم", "prize": "می\u200cخواهم"})

    assert [row[:2] for row in lotteries(session)] == [("می\u200cخواهم", "می\u200cخواهم")]


def test_a_lottery_may_close_today(alice: Visitor, session: Session) -> None:
    alice.post(NEW, **{**GOOD, "closes_on": "2026-11-19"})

    assert [closes_on for _, _, closes_on in lotteries(session)] == [FIRST_DAY]


def test_a_later_date_opens_a_finished_lottery_again(
    alice: Visitor, bob: Visitor, extra_win: Lottery, clock: Clock, session: Session
) -> None:
    clock.turn(timedelta(days=3))
    page = f"{LIST}/{extra_win.id}"
    assert "This lottery has finished." in text_of(alice.get(page))
    assert bob.get("/").text.count('name="submission"') == 0

    answer = alice.post(page, name="Extra Win", prize="", closes_on="2026-11-22")

    assert answer.status_code == 303
    assert bob.submit(extra_win.id).status_code == 303
    assert lotteries(session) == [("Extra Win", "", date(2026, 11, 22))]


def test_a_finished_lottery_can_be_corrected_without_opening_it(
    alice: Visitor, extra_win: Lottery, clock: Clock, session: Session
) -> None:
    clock.turn(timedelta(days=3))

    alice.post(f"{LIST}/{extra_win.id}", name="Extra", prize="Cheese", closes_on="2026-11-19")

    assert lotteries(session) == [("Extra", "Cheese", FIRST_DAY)]


def test_a_lottery_cannot_be_closed_in_the_past(
    alice: Visitor, big_chance: Lottery, clock: Clock, session: Session
) -> None:
    clock.turn(timedelta(days=3))

    answer = alice.post(f"{LIST}/{big_chance.id}", name="Changed", prize="", closes_on="2026-11-21")

    assert answer.status_code == 422
    assert 'value="Changed"' in answer.text
    assert lotteries(session) == [("Big Chance", "", FIRST_DAY + timedelta(days=30))]


def test_two_lotteries_cannot_have_one_name(
    alice: Visitor, big_chance: Lottery, extra_win: Lottery, session: Session
) -> None:
    created = alice.post(NEW, **{**GOOD, "name": "Big Chance"})
    renamed = alice.post(
        f"{LIST}/{extra_win.id}", name="Big Chance", prize="", closes_on="2026-12-24"
    )

    assert (created.status_code, renamed.status_code) == (422, 422)
    assert "There’s already a lottery with this name" in text_of(created)
    assert {name for name, _, _ in lotteries(session)} == {"Big Chance", "Extra Win"}


def test_markup_in_a_lottery_is_shown_as_text(alice: Visitor, bob: Visitor) -> None:
    alice.post(NEW, **{**GOOD, "name": "<b>Big</b>", "prize": "<script>alert(1)</script>"})

    for page in (bob.get("/"), alice.get(LIST)):
        assert "<b>" not in page.text
        assert "<script>alert" not in page.text
        assert "&lt;b&gt;Big&lt;/b&gt;" in page.text


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("path", [NEW, f"{LIST}/1"])
def test_a_participant_has_no_business_here(
    bob: Visitor, big_chance: Lottery, session: Session, method: str, path: str
) -> None:
    answer = bob.get(path) if method == "get" else bob.post(path, page="/", **GOOD)

    assert answer.status_code == 403
    assert "This page is for organisers." in text_of(answer)
    assert [name for name, _, _ in lotteries(session)] == ["Big Chance"]


def test_a_lottery_that_does_not_exist_is_not_found(alice: Visitor) -> None:
    assert alice.get(f"{LIST}/99").status_code == 404
    assert alice.get(f"{LIST}/99999999999999999999").status_code == 404
    assert alice.post(f"{LIST}/99", page=NEW, **GOOD).status_code == 404


def test_a_long_list_of_lotteries_comes_in_pages(
    alice: Visitor, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(organiser, "PAGE", 2)
    with session.begin():
        session.add_all(
            Lottery.create(f"Closes {n}", "", FIRST_DAY + timedelta(days=n), FIRST_NOON)
            for n in (1, 2, 3)
        )

    first, second, third = (text_of(alice.get(f"{LIST}?page={n}")) for n in (1, 2, 3))

    assert "Closes 3" in first
    assert "Closes 2" in first
    assert "Closes 1" not in first
    assert "Next page" in first
    assert "Closes 1" in second
    assert "Next page" not in second
    assert "Back to the first page" in third
