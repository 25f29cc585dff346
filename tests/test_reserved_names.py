"""Reserved usernames: nobody passes for whoever runs the lottery."""

import pytest

from lottery_system.reserved_names import demand_unreserved
from lottery_system.usernames import BadUsername, enforce_username

SITE = ("extra.lottery.example", "Café & Bar 1900")


@pytest.mark.parametrize(
    "username",
    [
        "admin", "Admin", "ADMIN", "аdmin", "adm1n", "admln", "4dmin", "ádmin", "admin2", "42admin",
        "admin-", "the.admin", "Admin_Team", "ad-min", "organiser", "Organizers", "0rganiser",
        "0rgan1zer.bob", "moderator", "m0der4tor", "support", "Supp0rt", "operator", "root",
        "Administratorin", "Veranstalter", "veranstalter_max", "Kundendienst", "administrador",
        "organizadora", "soporte", "administrateur", "organisatrice", "modérateur", "moderateur",
        "extra.lottery.example", "Extra-Lottery-Example", "extralotteryexample7", "Cafe-Bar-1900",
        "café.bar.1900", "cafebar", "CafeBar19", "саfebar", "alice.admin",
    ],
)  # fmt: skip
def test_names_of_whoever_runs_the_lottery_cannot_be_had(username: str) -> None:
    with pytest.raises(BadUsername, match="kept for whoever runs"):
        demand_unreserved(username, *SITE)


@pytest.mark.parametrize(
    "username",
    ["bob", "Adminna", "badminton", "organ", "Organisation", "supporter", "Extra", "lottery.fan",
     "cafe", "bar-1900", "Rootes", "王小明", "مرحبا", "शुद्\u200cध", "1900", "moderna", "Cafebars"],
)  # fmt: skip
def test_other_names_can_be_had(username: str) -> None:
    demand_unreserved(enforce_username(username), *SITE)


def test_a_site_without_letters_reserves_nothing() -> None:
    demand_unreserved("bob", "...", "")
