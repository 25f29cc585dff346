"""Search keys: what finds what, and which names are one."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery_system.name_keys import name_key, search_key

FOUND = [
    ("österreich", "Die Österreich-Lotterie"), ("osterreich", "ÖSTERREICH"),
    ("Österreich", "osterreich"), ("O\u0308STERREICH", "Österreich"),
    ("strasse", "Hauptstraße 1"), ("STRASSE", "Straße"), ("straße", "STRASSE"),
    ("STRAẞE", "strasse"),
    ("istanbul", "İSTANBUL"), ("İstanbul", "istanbul"), ("ısparta", "ISPARTA"),
    ("ΟΔΟΣ", "ὁδός"), ("οδος", "ΟΔΌΣ"), ("ὈΔΥΣΣΕΎΣ", "οδυσσευσ"),
    ("finale", "Grosses ﬁnale"), ("ﬂohmarkt", "FLOHMARKT"), ("lotto 7", "Ｌｏｔｔｏ　７"),
    ("łódź", "LODZ"), ("tron", "Trøndelag"), ("да ёлка", "ДА ЕЛКА"), ("nguyen", "NGUYỄN"),
    ("میخواهم", "می\u200cخواهم"), ("كتابي", "کتابی"), ("محمد", "مُحَمَّد"), ("שלום", "שָׁלוֹם"),
    ("❤", "Ein ❤\ufe0f"), ("👩", "👨\u200d👩\u200d👧"),
    ("한국", unicodedata.normalize("NFD", "한국")),
    ("l'ete", "L’Été"), ("miller’s", "Miller's"), ("aero", "Ærø"), ("oeuvre", "Œuvres"),
    ("kg", "Käse, 1 ㎏"), ("a  b", "A\u00a0B"),
]  # fmt: skip
#: letters with a mark that makes another letter of them
NOT_FOUND = [
    ("か", "がっこう"),
    ("ไท", "ไก่"),
    ("कल", "किला"),
    ("oe", "ö"),
    ("%", "100"),
    ("_", "a b"),
]


@pytest.mark.parametrize(("part", "name"), FOUND)
def test_a_name_is_found_however_its_letters_are_typed(part: str, name: str) -> None:
    assert search_key(part) in search_key(name)


@pytest.mark.parametrize(("part", "name"), NOT_FOUND)
def test_other_letters_are_others(part: str, name: str) -> None:
    assert search_key(part) not in search_key(name)


@given(st.text(max_size=20))
def test_a_name_is_found_by_itself_in_every_form(name: str) -> None:
    key = search_key(name)
    assert search_key(key) == key
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert search_key(unicodedata.normalize(form, name)) == key


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ö", "O\u0308"), ("ﬁ", "fi"), ("Ｌｏｔｔｏ", "Lotto"), ("가", "\u1100\u1161")],
)
def test_names_that_differ_in_their_encoding_are_one(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(("one", "other"), [("Ö", "O"), ("Lotto", "LOTTO"), ("ß", "ss")])
def test_names_that_people_tell_apart_are_two(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)
