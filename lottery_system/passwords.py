"""Passwords: which are allowed, and argon2id off the event loop."""

import gzip
import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from precis_i18n import get_profile

from lottery_system.errors import LotteryError
from lottery_system.runtime.offload import Offload
from lottery_system.text_input import RAW_TIMES
from lottery_system.usernames import SHORTEST as SHORTEST_USERNAME
from lottery_system.usernames import username_key

SHORTEST, LONGEST = 8, 128
#: characters that are looked at, before what is typed has its one form
RAW_LONGEST = RAW_TIMES * LONGEST
#: characters that a password must have besides the words that anybody would guess here
OF_ONES_OWN = 5

#: guessed here first, in the languages of the pages
LOTTERY = ("lottery", "lotterie", "lotería", "loteria", "loterie", "lotto")
#: how words are commonly disguised, a sign for a letter
DISGUISES = str.maketrans("01345789@$!|+", "oleastbgasilt")

#: see its README; one a line, sorted
COMMON = Path(__file__).parent / "common_passwords" / "passwords.txt.gz"

#: argon2id, 19 MiB, two passes: the OWASP Password Storage Cheat Sheet's first choice
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
#: in the form of any other and as long to verify; its digest is all zeros, which no password gives
NOBODYS_HASH = f"$argon2id$v=19$m={19 * 1024},t=2,p=1${'A' * 22}${'A' * 43}"

_PROFILE = get_profile("OpaqueString")

# One thread fewer than cores, at low priority, so that many log-ins do not slow down pages.
_offload = Offload(threads=max(1, (os.cpu_count() or 1) - 1), niceness=10)


class BadPassword(LotteryError):
    """The password may not be chosen."""


def enforce_password(text: str, username: str, *site_names: str) -> str:
    """Return a new password in the one form in which it is hashed (RFC 8265 section 4.2).

    It must be long enough, not common, and not made of obvious words; there are no other rules,
    following NIST SP 800-63B-4 section 3.1.1.2.

    Args:
        text: what was typed.
        username: of the user.
        site_names: names of the lottery: technical name and title.

    Raises:
        BadPassword: with a sentence for the person who chose it.
    """
    password = _normalised(text) if text else ""
    if len(password) < SHORTEST:
        raise _bad_length()
    if f"\n{password.casefold()}\n".encode() in _common():
        raise BadPassword("This password is too common. Choose another one.")
    words = (word for name in site_names for word in re.split(r"\W+", name))
    names = (username, *site_names, *words, *LOTTERY)
    if len(_without(names, password)) < OF_ONES_OWN:
        raise BadPassword(
            "This password is too similar to your username or the lottery’s name. Choose another "
            "one."
        )
    return password


def hash_password(password: str) -> str:
    """Hash an enforced password, in a thread, with argon2id and a salt of its own."""
    return _offload(_hasher.hash, password)


def check_password(password_hash: str | None, text: str) -> bool:
    """Return whether a password is the one that was hashed, in the same time for an unknown user.

    Args:
        password_hash: None if there is no such user; the work is then done all the same.
    """
    try:
        password = _normalised(text)
    except BadPassword:  # nobody's
        password = ""
    return _offload(_verify, password_hash or NOBODYS_HASH, password) and bool(password_hash)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _normalised(text: str) -> str:
    if len(text) > RAW_LONGEST:
        raise _bad_length()
    try:
        password = str(_PROFILE.enforce(text))
    except UnicodeEncodeError:
        raise BadPassword(
            "You can’t use some of the characters in this password, such as tabs."
        ) from None
    if len(password) > LONGEST:
        raise _bad_length()
    return password


def _bad_length() -> BadPassword:
    return BadPassword(
        "A password must be %(least)s to %(most)s characters long.", least=SHORTEST, most=LONGEST
    )


def _without(words: Iterable[str], password: str) -> str:
    """Return what is left of a password without some words, in any case and lightly disguised."""
    left = _plain(password)
    for word in sorted({_plain(word) for word in words}, key=len, reverse=True):
        if len(word) >= SHORTEST_USERNAME:
            left = left.replace(word, "")
    return left


def _plain(text: str) -> str:
    return username_key(text).translate(DISGUISES)


@cache
def _common() -> bytes:
    """Read the common passwords when first asked, each between two line ends.

    A search through this megabyte takes half a millisecond at most, a fiftieth of what hashing
    takes; a set of as many texts would be ten times as large, in every worker.
    """
    return b"\n" + gzip.decompress(COMMON.read_bytes())
