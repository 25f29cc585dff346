"""Passwords: which may be chosen, and argon2id off the event loop."""

import os
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from precis_i18n import get_profile

from lottery_system.errors import LotteryError
from lottery_system.offload import Offload
from lottery_system.text_input import RAW_TIMES
from lottery_system.usernames import username_key

SHORTEST, LONGEST = 8, 128
#: characters that are looked at, before what is typed has its one form
RAW_LONGEST = RAW_TIMES * LONGEST

#: argon2id, 19 MiB, two passes: the OWASP Password Storage Cheat Sheet's first choice
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
#: in the form of any other and as long to verify; its digest is all zeros, which no password gives
NOBODYS_HASH = f"$argon2id$v=19$m={19 * 1024},t=2,p=1${'A' * 22}${'A' * 43}"

_PROFILE = get_profile("OpaqueString")

# One thread short of all cores, and behind whatever serves pages: a storm of log-ins must leave
# them something to run on.
_offload = Offload(threads=max(1, (os.cpu_count() or 1) - 1), niceness=10)


class BadPassword(LotteryError):
    """The password may not be chosen."""


def enforce_password(text: str, username: str) -> str:
    """Return a new password in the one form in which it is hashed (RFC 8265 section 4.2).

    Length and commonness are all that is asked, as NIST SP 800-63B section 3.1.1.2 advises.

    Raises:
        BadPassword: with a sentence for whoever chose it.
    """
    password = _normalised(text) if text else ""
    if len(password) < SHORTEST:
        raise _bad_length()
    if password.casefold() in _commonest():
        raise BadPassword("This is one of the commonest passwords. Choose another one.")
    if username_key(password) == username_key(username):
        raise BadPassword("The password must not be the username.")
    return password


def hash_password(password: str) -> str:
    """Hash an enforced password, in a thread, with argon2id and a salt of its own."""
    return _offload(_hasher.hash, password)


def check_password(password_hash: str | None, text: str) -> bool:
    """Tell whether a password is the one that was hashed, in the same time for an unknown user.

    Args:
        password_hash: None where there is no such user; the work is then done all the same.
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
            "This password has characters that cannot be used, such as tabs."
        ) from None
    if len(password) > LONGEST:
        raise _bad_length()
    return password


def _bad_length() -> BadPassword:
    return BadPassword(
        "A password has %(least)s to %(most)s characters.", least=SHORTEST, most=LONGEST
    )


@cache
def _commonest() -> frozenset[str]:
    """Read the commonest leaked passwords, most of 30,000, when first asked: it is a megabyte."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415

    return frozenset(FREQUENCY_LISTS["passwords"])
