"""Demo: an organiser who tries the lottery sees a month of it in five minutes, in each engine."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.browser.engines.page import Engine, browsing
from tests.demo.conftest import play, serving
from tests.stand_ins.processes import Gunicorn

BANNER = ".demo"


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """Play and serve a demo."""
    with serving(play(tmp_path_factory.mktemp("demo"))) as server:
        yield server


def test_an_organiser_tries_a_month_from_all_sides(
    engine: Engine, demo: Gunicorn, tmp_path: Path
) -> None:
    yesterday = demo.clock.now().date() - timedelta(days=1)
    with browsing(engine, demo.url, tmp_path) as page:
        page.open("/")
        page.expect("Demo: nothing here counts.", part=BANNER)

        # what an organiser has to do
        page.press("an organiser")
        page.expect("Log out", part="header")
        page.press("Organise")
        page.expect("All draws are up to date", "Claimed")

        # what somebody finds who has just won
        page.press("a player who has just won")
        page.expect("You won:", f"on {yesterday:%A %-d %B %Y}")

        # what a player does in a minute a day
        page.press("a player who hasn’t")
        page.expect("No win on")  # which the page of before does not say
        page.expect("Closes in", part=".today")
        page.press("Add 1 ballot to Cinema Night")
        page.expect("Your ballot is in", "Cinema Night", part=".receipt")

        # what was drawn, and whether that is right
        page.press("Winners")
        page.open(f"/winners/{yesterday}")
        page.expect(f"Winner of {yesterday:%A %-d %B %Y}")
        page.press("Check this draw yourself")
        page.press("Check this draw")
        page.expect("This draw is correct", part="output[data-verdict]")
