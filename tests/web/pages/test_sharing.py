"""Sharing a result: poster, link and preview image."""

import io
import re
from datetime import timedelta

import pytest
from PIL import Image
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import Lottery
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import Visitor, text_of


@pytest.fixture
def _drawn(session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock) -> None:
    """Let bob win the first day with one of three ballots, and nobody play on the second."""
    submit(cast.bob, big_chance, 3)
    clock.turn(2 * ONE_DAY)
    run_due(session, FIRST_NOON + 2 * ONE_DAY, places=2)


def meta(page: str, name: str) -> str:
    found = re.search(rf'<meta property="og:{name}" content="([^"]*)">', page)
    assert found, f"no og:{name}"
    return found[1]


@pytest.mark.usefixtures("_drawn")
def test_a_link_to_a_result_brings_its_words_and_its_picture(stranger: Visitor) -> None:
    page = stranger.get(f"/winners/{FIRST_DAY}").text

    assert meta(page, "title") == "Winner of Thursday 19 November 2026"
    assert re.fullmatch(
        r"bob won in Big Chance with ballot [123] of 3\.", meta(page, "description")
    )
    assert meta(page, "url") == f"http://localhost/winners/{FIRST_DAY}"
    image = meta(page, "image")
    assert image == f"http://localhost/winners/{FIRST_DAY}/card.png?lang=en"


@pytest.mark.usefixtures("_drawn")
@pytest.mark.parametrize(
    "path",
    ["/card.png", "/card.png?lang=de", f"/winners/{FIRST_DAY}/card.png",
     f"/winners/{FIRST_DAY}/card.png?lang=fr", f"/winners/{FIRST_DAY + ONE_DAY}/card.png"],
)  # fmt: skip
def test_a_card_is_a_picture_of_the_size_that_sites_show(stranger: Visitor, path: str) -> None:
    answer = stranger.get(path)

    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    assert Image.open(io.BytesIO(answer.data)).size == (1200, 630)
    assert len(answer.data) < 60_000
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.usefixtures("_drawn")
def test_each_language_and_each_day_has_a_card_of_its_own(stranger: Visitor) -> None:
    paths = [
        "/card.png",
        f"/winners/{FIRST_DAY}/card.png?lang=en",
        f"/winners/{FIRST_DAY}/card.png?lang=de",
        f"/winners/{FIRST_DAY + ONE_DAY}/card.png?lang=en",
    ]

    assert len({stranger.get(path).data for path in paths}) == len(paths)


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30"])
def test_what_is_no_day_has_no_card_and_no_sheet(clock: Clock, stranger: Visitor, day: str) -> None:
    assert stranger.get(f"/winners/{day}/card.png").status_code == 404
    assert stranger.get(f"/winners/{day}/sheet").status_code == 404


@pytest.mark.usefixtures("_drawn")
def test_the_sheet_names_winner_and_reserve_and_leads_to_the_certificate(
    stranger: Visitor,
) -> None:
    answer = stranger.get(f"/winners/{FIRST_DAY}/sheet")

    page = text_of(answer)
    assert "bob Big Chance" in page
    assert "Drawn from 3 ballots. Each had the same chance." in page
    assert "Reserves" in page
    assert f'href="http://localhost/draws/{FIRST_DAY}"' in answer.text
    assert 'class="code"' in answer.text


@pytest.mark.usefixtures("_drawn")
def test_a_day_that_is_not_drawn_has_no_sheet(stranger: Visitor) -> None:
    answer = stranger.get(f"/winners/{FIRST_DAY + timedelta(days=2)}/sheet")

    assert answer.status_code == 404
    assert "There’s no result for Saturday 21 November 2026, or not yet." in text_of(answer)


@pytest.mark.usefixtures("_drawn")
@pytest.mark.parametrize("day", [FIRST_DAY + 2 * ONE_DAY, FIRST_DAY + 99 * ONE_DAY])
def test_the_card_of_a_day_that_is_not_drawn_is_not_kept_beyond_its_draw(
    stranger: Visitor, day: object
) -> None:
    answer = stranger.get(f"/winners/{day}/card.png")

    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    assert answer.headers["Cache-Control"] == "public, max-age=2"


@pytest.mark.usefixtures("_drawn")
def test_what_all_may_keep_does_not_depend_on_who_asks(stranger: Visitor) -> None:
    path = f"/winners/{FIRST_DAY}/card.png"

    german = stranger.get(path, headers={"Accept-Language": "de"})

    assert german.data == stranger.get(path).data
