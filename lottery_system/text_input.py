"""Text input: invisible characters and combining marks in names. Pure.

Code that normalises text (NFC, NFKC, PRECIS) must check its length first: the work grows faster
than the text, and a name of at most 32 characters may arrive as a megabyte.
"""

import re
import unicodedata

from precis_i18n.context import context_rule_error
from precis_i18n.unicode import UnicodeData

from lottery_system.errors import LotteryError

#: how many times as long as the longest name its raw text may be: a Hangul syllable or a letter of
#: Vietnamese is three characters where it is decomposed, and there may be spaces around
RAW_TIMES = 4
#: combining marks in a row (UTS 39 section 5.4), and with those that take room of their own, of
#: which a syllable of Burmese has up to six
MOST_MARKS, MOST_OF_ALL_MARKS = 4, 8
#: the class of the marks that join consonants of India and its neighbours (UAX 44, table 15)
VIRAMA = 9

#: U+200C and U+200D, which some words of Persian or Hindi are not spelt right without
JOINERS = frozenset("\u200c\u200d")

#: Default_Ignorable_Code_Point (DerivedCoreProperties.txt, Unicode 17.0.0)
_IGNORABLE = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
#: what shows nothing, or nothing but room, though it has not that property: the blank of Braille,
#: Brahmi's number joiner, the blanks of hieroglyphs, the filler of Khitan, a null notehead
_BLANK = frozenset("\u2800\U0001107f\U00013441\U00013442\U00016fe4\U0001d159")

#: how a picture is told from a plain sign, and pictures are put together (UTS 51, 1.4.9)
EMOJI_JOINTS = frozenset("\ufe0e\ufe0f\u200d")
KEYCAPS = frozenset("#*0123456789")

#: what makes a black flag that of England, Scotland or Wales: letters that show nothing, of which
#: phones write these alone (UTS 51, RGI_Emoji_Tag_Sequence)
_FLAG_TAGS = re.compile(
    "(?<=\U0001f3f4)\U000e0067\U000e0062(\U000e0065\U000e006e\U000e0067|"
    "\U000e0073\U000e0063\U000e0074|\U000e0077\U000e006c\U000e0073)\U000e007f"
)

_UNICODE = UnicodeData()


class BadText(LotteryError):
    """A name or another text cannot be taken as it is."""


def is_invisible(sign: str) -> bool:
    """Return whether a character shows nothing by itself."""
    point = ord(sign)
    return sign in _BLANK or any(first <= point <= last for first, last in _IGNORABLE)


def is_printable(text: str) -> bool:
    """Return whether all characters are for people to read; joiners are, where they belong.

    That is where RFC 5892 appendix A.1 and A.2 allow them, and between pictures.
    """
    if text.isprintable():
        return True
    text = _FLAG_TAGS.sub("", text)
    return all(
        sign.isprintable()
        or (sign in JOINERS and not context_rule_error(text, at, _UNICODE))
        or is_emoji_joint(text, at)
        for at, sign in enumerate(text)
    )


def is_emoji_joint(text: str, at: int) -> bool:
    """Return whether a character belongs to the picture before it, as phones write them."""
    before = text[at - 1 : at].replace("\ufe0f", text[at - 2 : at - 1])
    is_picture = before and (unicodedata.category(before) in ("So", "Sk") or before in KEYCAPS)
    return text[at] in EMOJI_JOINTS and bool(is_picture)


def demand_visible(text: str, *, with_emoji: bool = False) -> None:
    """Refuse a name with characters that nobody sees.

    Args:
        text: the name.
        with_emoji: whether it may have those by which phones write pictures.

    Raises:
        BadText: with a sentence for the person who typed it.
    """
    if with_emoji:
        text = _FLAG_TAGS.sub("", text)
    hidden = any(
        is_invisible(sign) and sign not in JOINERS and not (with_emoji and is_emoji_joint(text, at))
        for at, sign in enumerate(text)
    )
    if hidden or not is_printable(text):
        raise BadText("Remove the invisible characters and use plain text.")


def demand_few_marks(text: str) -> None:
    """Refuse a name whose combining marks pile up, or have nothing to stand on.

    Raises:
        BadText: with a sentence for the person who typed it.
    """
    row, all_marks, before = 0, 0, " "
    for sign in unicodedata.normalize("NFD", text):
        category = unicodedata.category(sign)
        row = row + 1 if category in ("Mn", "Me") else 0
        all_marks = all_marks + 1 if category[0] == "M" else 0
        stands_alone = category[0] == "M" and before == " "
        if unicodedata.combining(sign) == VIRAMA:  # between letters of its script, or unseen
            stands_alone = (
                _script(before) != _script(sign) or unicodedata.combining(before) == VIRAMA
            )
        if row > MOST_MARKS or all_marks > MOST_OF_ALL_MARKS or stands_alone:
            raise BadText(
                "Use at most %(most)s accents or other marks on a letter, and none on their own.",
                most=MOST_MARKS,
            )
        before = sign


def enforce_line(text: str, most: int, too_long: BadText) -> str:
    """Validate a text of one line and return it normalised: NFC, single spaces.

    Args:
        text: what was typed.
        most: characters.
        too_long: raised if the text is longer.

    Raises:
        BadText: with a sentence for the person who typed it.
    """
    is_short = len(text) <= RAW_TIMES * most
    line = unicodedata.normalize("NFC", " ".join(text.split())) if is_short else text
    if len(line) > most:
        raise too_long
    demand_visible(line, with_emoji=True)
    demand_few_marks(line)
    return line


def enforce_paragraphs(text: str, most: int, too_long: BadText) -> str:
    """Validate a text of several lines and return it normalised: LF, no blanks at the ends.

    Args:
        text: what was typed.
        most: characters.
        too_long: raised if the text is longer.

    Raises:
        BadText: with a sentence for the person who typed it.
    """
    normalised = text.strip().replace("\r\n", "\n")
    if len(normalised) > most:
        raise too_long
    shows_nothing = all(is_invisible(sign) or sign.isspace() for sign in normalised)
    if (normalised and shows_nothing) or not is_printable(
        normalised.replace("\n", " ").replace("\t", " ")
    ):
        raise BadText("Remove the invisible characters and use plain text.")
    return normalised


def _script(sign: str) -> str:
    """Return what a character's name begins with, which for letters and marks is their script."""
    return unicodedata.name(sign, "").partition(" ")[0]
