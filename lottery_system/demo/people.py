"""People of the demo: who organises, who plays, and what winners write."""

from typing import NamedTuple

from lottery_system.demo.dice import choice, roll

ORGANISERS = ("martina", "tomasz")
NAMES = (
    "amira", "anna-lena", "ben.hughes", "carla", "coach_mike", "dario", "elif", "finn", "frieda",
    "greta42", "hugo", "ines", "jonas", "kaja", "lars", "mehmet", "mila", "nora", "oskar", "paula",
    "pierre", "quentin", "rosa", "samir", "sunita", "tilda", "ugo", "vera", "wanda", "ximena",
    "yusuf", "zoé", "josé", "łukasz", "søren", "иван", "李小龙", "sunday_player",
)  # fmt: skip
#: the last day of the month on which somebody signs up
LAST_SIGN_UP = 20


class Player(NamedTuple):
    """Somebody who plays."""

    name: str
    #: day of the month on which they sign up
    joins: int
    #: whether they came by the invitation on the notice board
    is_invited: bool
    #: how often they play, of all days
    loyalty: float


def _player(name: str) -> Player:
    is_founder = roll("founder", name) < 0.6
    return Player(
        name,
        joins=0 if is_founder else 1 + int(roll("joins", name) * LAST_SIGN_UP),
        is_invited=roll("invited", name) < 0.3,
        loyalty=choice((0.25, 0.5, 0.7, 0.9), "loyalty", name),
    )


PLAYERS = tuple(_player(name) for name in NAMES)

#: message and contact that come with a claim
CLAIMS = (
    ("Thank you! I can come by on Saturday.", "mobile 555 0142"),
    ("What a surprise. Could you send it? My address is in the list of members.", ""),
    ("", "winner@example.org"),
    ("Great! See you at training.", ""),
    ("", ""),
)
#: how prizes were handed over
NOTES = ("At the clubhouse.", "Sent by post.", "In person.", "")
