"""The rules page: what it says of prizes follows the settings."""

import pytest

from tests.web.conftest import Visitor, text_of

PAGE = "/how-it-works"


def test_where_prizes_have_no_deadline_and_no_reserves_the_page_says_so(stranger: Visitor) -> None:
    page = text_of(stranger.get(PAGE))

    assert "every page says so until you claim the prize. Then an organiser hands it over." in page
    assert "There is no deadline to claim it. Organisers can also let a prize lapse." in page
    assert "There are no reserves, so a prize that lapses isn’t passed on. Nothing is drawn" in page
    assert "It finishes when the last one is won." in page


class TestWithReserves:
    """With reserves, and a deadline of some days, or of one."""

    @pytest.fixture(params=["14", "1"])
    def given_settings(self, request: pytest.FixtureRequest) -> dict[str, str]:
        """Let there be two reserves."""
        return {"LOTTERY_PLACES": "3", "LOTTERY_CLAIM_DAYS": request.param}

    def test_the_page_says_how_long_it_can_be_claimed_and_whose_turn_is_next(
        self, stranger: Visitor, given_settings: dict[str, str]
    ) -> None:
        page = text_of(stranger.get(PAGE))

        until = {
            "14": "You can claim it for 14 days after the draw. Then it lapses.",
            "1": "You can claim it until the end of the day after the draw. Then it lapses.",
        }
        assert until[given_settings["LOTTERY_CLAIM_DAYS"]] in page
        assert "it’s the turn of the next reserve of that draw." in page
        assert "They have just as long to claim it. Nothing is drawn again." in page
        assert "There is no deadline" not in page
        assert "There are no reserves" not in page
