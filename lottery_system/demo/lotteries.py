"""Lotteries of the demo, and the site around them, as a sports club might write them."""

from typing import NamedTuple

from lottery_system.models import Limits
from lottery_system.models.lottery import NO_LIMITS

#: days that are over when the demo is opened
DAYS = 31


class MadeUp(NamedTuple):
    """A lottery to be created on the first day; its days count from there."""

    name: str
    prize: str
    claim: str
    opens: int
    closes: int
    limits: Limits = NO_LIMITS


WEEKEND = MadeUp(
    "Weekend by the Sea",
    "A weekend for two at the Harbour Inn, with breakfast and a boat trip.",
    "Send us two dates that suit you within a year. We book the room and send you the voucher.",
    opens=12,
    closes=DAYS + 20,
    limits=Limits(winnable=15),
)
BREAKFAST = MadeUp(
    "Breakfast Basket",
    "A breakfast for four from Miller’s Bakery: rolls, jam, cheese and a cake.",
    "Pick it up at the bakery, 12 Mill Lane, Tuesday to Saturday, 7:00 to 13:00.",
    opens=0,
    closes=DAYS + 9,
    limits=Limits(most_a_day=3),
)
JERSEY = MadeUp(
    "Signed Jersey",
    "A jersey of the first team, signed by all players.",
    "Tell us your size, and pick it up in the clubhouse on a Wednesday after 19:00.",
    opens=0,
    closes=16,
    limits=Limits(winnable=6),
)
BOOKS = MadeUp(
    "Box of Books",
    "Five books that the people of Turnpage Books choose for you.",
    "Tell us what you like to read. Turnpage Books, 3 Station Road, has your box a week later.",
    opens=3,
    closes=DAYS + 5,
)
CINEMA = MadeUp(
    "Cinema Night",
    "Two tickets for the Lantern Cinema, for any film.",
    "We leave the tickets at the box office in your name.",
    opens=0,
    closes=DAYS + 3,
)
LOTTERIES = (WEEKEND, BREAKFAST, JERSEY, BOOKS, CINEMA)

#: what organisers do: promise a better prize on one day, withdraw a lottery on another
BETTER, BETTER_ON = CINEMA, 15
WITHDRAWN, WITHDRAWN_ON = BOOKS, 21
BETTER_PRIZE = "Four tickets for the Lantern Cinema, for any film, with popcorn."


def open_on(number: int) -> list[MadeUp]:
    """List the lotteries that are open all day, unless all their prizes are won."""
    return [
        each for each in LOTTERIES
        if each.opens <= number <= each.closes
        and not (each is WITHDRAWN and number >= WITHDRAWN_ON)
    ]  # fmt: skip


INVITATION = "Notice board in the clubhouse"
SITE = {
    "title": "Riverside Club (demo)",
    "contact": "This is a demo. Riverside Club, its members and its prizes are made up.",
    "terms": "Everyone may play, as often as they like, for free.\n\nThis is a demo: nothing can "
    "be won.",
    "privacy": "We keep your username and your ballots until the demo is played anew.",
    "imprint": "This is a demo. Whoever started it on this computer is responsible for it.",
}
