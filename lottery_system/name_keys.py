"""Search keys: how a lottery is found by a part of its name, and when two names are one. Pure.

Keys are made here and stored beside the name. What a database itself makes of letters depends on
its locale: under "C", PostgreSQL knows none but those of English.
"""

import unicodedata

from lottery_system.text_input import is_invisible

#: letters that people leave out or type differently, and that Unicode does not take apart: a stroke
#: or no dot; Arabic yeh and kaf, which some keyboards have for those of Persian; apostrophes, which
#: phones set by themselves; and two letters in one
_LETTERS: dict[int, int | str] = {
    **str.maketrans("øłđħŧıيىك’‘ʼ", "oldhtiییک'''"),
    ord("æ"): "ae",
    ord("œ"): "oe",
}
#: combining classes of the vowel points of Hebrew, Arabic and Syriac, and of accents (UAX 44, table
#: 15). What is between makes another letter: a kana's voicing, a vowel of Thai.
_POINTS, _ACCENTS = range(10, 37), range(200, 241)


def name_key(name: str) -> str:
    """Return what two names share that differ only in how their letters are encoded (NFKC).

    Case and accents make different names: people tell those apart.
    """
    return unicodedata.normalize("NFKC", name)


def search_key(text: str) -> str:
    """Fold a name, or a part of one that is searched for, so that it is found however it is typed.

    Compatibility forms and case are folded and characters that show nothing left out, as in
    Unicode's NFKC_Casefold. So are accents: many keyboards lack them, and nobody should have to
    find out how to type "Ö" to find "Österreich". Now and then that finds too much, which whoever
    searches sees; what is not found, nobody sees.
    """
    folded = unicodedata.normalize("NFD", text)
    for _ in range(2):  # some letters can be folded again once they are taken apart
        folded = unicodedata.normalize("NFKD", folded.casefold())
    kept = "".join(sign for sign in folded if not (is_invisible(sign) or _is_accent(sign)))
    return " ".join(unicodedata.normalize("NFC", kept.translate(_LETTERS)).split())


def _is_accent(sign: str) -> bool:
    combining = unicodedata.combining(sign)
    return combining in _POINTS or combining in _ACCENTS
