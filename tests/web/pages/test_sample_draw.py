"""Sample draw: until somebody has won, Winners shows what a result looks like, told apart."""

import json
import re
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.fairness.checks import holds
from lottery_system.fairness.note import parse_vkey
from lottery_system.fairness.verify import verify
from lottery_system.models import Lottery
from tests.conftest import FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins import sample_draw
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import Visitor, text_of


def test_winners_shows_a_sample_until_somebody_has_won(
    stranger: Visitor,
    session: Session,
    cast: Cast,
    big_chance: Lottery,
    submit: Submit,
    clock: Clock,
) -> None:
    page = stranger.get("/winners")
    assert "This is a sample, until the first draw has been made." in text_of(page)
    certificate = re.search(r'data-certificate="([^"]+)"', page.text)
    assert certificate
    with stranger.get(certificate[1]) as served:
        assert "daily-draw/v1 certificate" in served.get_data(as_text=True)
    assert "This is a sample" not in text_of(stranger.get("/winners?before=2026-11-19"))

    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)

    assert "This is a sample" not in text_of(stranger.get("/winners"))


@pytest.mark.parametrize("mode", ["operator", "beacon"])
def test_a_sample_passes_all_checks_by_a_key_that_is_no_lottery_of_ours(mode: str) -> None:
    text = (sample_draw.FOLDER / f"{mode}.json").read_bytes()
    key = parse_vkey(json.loads(text)["log_key"])

    checks = verify(text, key=key)

    assert holds(checks), checks
    assert key.name == "sample.lottery.local"
    assert f"mode {mode}" in json.loads(text)["genesis"]


def test_the_samples_are_what_the_lotterys_own_code_makes(tmp_path: Path) -> None:
    sample_draw.write(tmp_path)

    for file in sample_draw.FOLDER.iterdir():
        assert (tmp_path / file.name).read_text() == file.read_text()
