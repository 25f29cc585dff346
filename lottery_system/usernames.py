"""Which usernames there may be, and when two of them are too much alike. Pure.

Two keys make a username unique: one without regard to case, one without regard to letters that
look the same. The first alone would let "Ivan" pass beside "lvan".
"""

import unicodedata

from confusable_homoglyphs.confusables import confusables_data
from precis_i18n import get_profile

from lottery_system.errors import LotteryError

SHORTEST, LONGEST = 3, 32
PUNCTUATION = frozenset("._-")

_PROFILE = get_profile("UsernameCasePreserved")


class BadUsername(LotteryError):
    """The username cannot be had by anybody."""


def enforce_username(text: str) -> str:
    """Return a username in the one form in which it is stored.

    Letters, marks and digits of any script, and dot, hyphen and underscore between them; width and
    composition are normalised as RFC 8265 section 3.4 (UsernameCasePreserved) says, which also
    applies the bidi rule of RFC 5893.

    Raises:
        BadUsername: with a sentence for whoever chose it.
    """
    try:
        username = str(_PROFILE.enforce(text.strip()))
    except UnicodeEncodeError:
        raise BadUsername(
            "This username has characters that cannot be used. Use letters, digits, "
            "dots, hyphens and underscores."
        ) from None
    if any(not (_is_letter_or_digit(sign) or sign in PUNCTUATION) for sign in username):
        raise BadUsername("Use only letters, digits, dots, hyphens and underscores.")
    if not SHORTEST <= len(username) <= LONGEST:
        raise BadUsername(
            "A username has %(least)s to %(most)s characters.", least=SHORTEST, most=LONGEST
        )
    if username[0] in PUNCTUATION or username[-1] in PUNCTUATION:
        raise BadUsername("A username begins and ends with a letter or a digit.")
    return username


def username_key(username: str) -> str:
    """Fold a username so that its case does not matter."""
    return unicodedata.normalize("NFKC", username.strip().casefold())


def look_alike_key(username: str) -> str:
    """Fold a username so that letters that look the same are the same.

    The skeleton of Unicode Technical Standard 39 section 4, taken before and after folding the
    case: before it "I" is an "l", after it "0" and "O" are an "o".
    """
    return _skeleton(_skeleton(username).casefold()).casefold()


def _is_letter_or_digit(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LMN"


def _skeleton(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFD", "".join(_prototype(sign) for sign in decomposed))


def _prototype(sign: str) -> str:
    """Return what stands for all signs that look like this one.

    The table of the library holds each pair of TR39 both ways, so a prototype is the one among
    neighbours that has the most neighbours.
    """
    alike = [str(pair["c"]).strip("\u200e") for pair in confusables_data.get(sign, ())]
    return max([sign, *alike], key=lambda each: (len(confusables_data.get(each, ())), each))
