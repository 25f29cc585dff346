"""Usernames: which are allowed, and which look alike. Pure.

Two keys make a username unique: one ignores case, the other look-alike letters. The first alone
would allow "Ivan" beside "lvan".
"""

import unicodedata

from precis_i18n import get_profile

from lottery_system.confusables import skeleton
from lottery_system.errors import LotteryError
from lottery_system.text_input import (
    JOINERS,
    RAW_TIMES,
    BadText,
    demand_few_marks,
    demand_visible,
)

SHORTEST, LONGEST = 3, 32
#: characters that are looked at, before what is typed has its one form
RAW_LONGEST = RAW_TIMES * LONGEST
PUNCTUATION = frozenset("._-")

_PROFILE = get_profile("UsernameCasePreserved")


class BadUsername(LotteryError):
    """The username cannot be had by anybody."""


def normalise_username(text: str) -> str:
    """Return the one form of a username that may exist, perhaps from when the rules were others.

    Width and composition are normalised as RFC 8265 section 3.4 (UsernameCasePreserved) says,
    which also applies the bidi rule of RFC 5893 and lets joiners stand where RFC 5892 does.

    Raises:
        BadUsername: with a sentence for the person who typed it.
    """
    _demand_raw_length(text)
    try:
        return str(_PROFILE.enforce(text.strip()))
    except UnicodeEncodeError:
        raise BadUsername(
            "You can’t use some of the characters in this username. Use letters, numbers, dots, "
            "hyphens and underscores."
        ) from None


def enforce_username(text: str) -> str:
    """Return a new username in the one form in which it is stored.

    Letters, marks and digits of any script, and dot, hyphen and underscore between them.

    Raises:
        BadUsername: with a sentence for the person who chose it.
    """
    username = normalise_username(text)
    try:
        demand_visible(username)
        demand_few_marks(username)
    except BadText as error:
        raise BadUsername(error.sentence, **error.values) from None
    if any(not (_is_of_a_word(sign) or sign in PUNCTUATION) for sign in username):
        raise BadUsername("Use only letters, numbers, dots, hyphens and underscores.")
    if not SHORTEST <= len(username) <= LONGEST:
        raise _bad_length()
    if any(_is_mark_on_punctuation(username, at) for at in range(1, len(username))):
        raise BadUsername("Put accents and other marks on letters, not on dots or hyphens.")
    if username[0] in PUNCTUATION or username[-1] in PUNCTUATION | JOINERS:
        raise BadUsername("A username must start and end with a letter or a number.")
    return username


def username_key(username: str) -> str:
    """Fold a username so that its case does not matter.

    Raises:
        BadUsername: it is longer than any.
    """
    _demand_raw_length(username)
    return unicodedata.normalize("NFKC", username.strip().casefold())


def look_alike_key(username: str) -> str:
    """Fold a username so that letters that look the same are the same.

    The skeleton of UTS 39 section 4, taken before and after folding the case: before it "I" is an
    "l", after it "0" and "O" are an "o".
    """
    return skeleton(skeleton(username).casefold()).casefold()


def _demand_raw_length(text: str) -> None:
    if len(text) > RAW_LONGEST:
        raise _bad_length()


def _bad_length() -> BadUsername:
    return BadUsername(
        "A username must be %(least)s to %(most)s characters long.", least=SHORTEST, most=LONGEST
    )


def _is_mark_on_punctuation(text: str, at: int) -> bool:
    return text[at - 1] in PUNCTUATION and unicodedata.category(text[at])[0] == "M"


def _is_of_a_word(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LMN" or sign in JOINERS
