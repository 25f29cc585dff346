"""People and dice of the demo."""

from collections import Counter

from lottery_system.demo.dice import choice, roll
from lottery_system.demo.lotteries import DAYS, LOTTERIES, SITE, open_on
from lottery_system.demo.people import NAMES, ORGANISERS, PLAYERS
from lottery_system.reserved_names import demand_unreserved
from lottery_system.usernames import enforce_username, look_alike_key


def test_each_has_a_name_that_they_could_have_chosen() -> None:
    names = (*ORGANISERS, *NAMES)

    for name in names:
        assert enforce_username(name) == name
        demand_unreserved(name, SITE["title"])
    assert len({look_alike_key(name) for name in names}) == len(names) == 40


def test_the_dice_fall_alike_each_time_and_not_always_on_the_same_side() -> None:
    falls = Counter(choice("abcdef", "fall", number) for number in range(6000))

    assert roll("one", 2) == roll("one", 2) != roll("one", 3)
    assert all(900 < count < 1100 for count in falls.values())


def test_there_is_a_choice_of_lotteries_on_every_day() -> None:
    assert all(len(open_on(number)) >= 3 for number in range(DAYS + 1))
    assert len(LOTTERIES) == 5


def test_some_sign_up_later_and_some_by_invitation() -> None:
    assert 10 < sum(player.joins == 0 for player in PLAYERS) < len(PLAYERS) - 5
    assert 3 < sum(player.is_invited for player in PLAYERS) < 20
