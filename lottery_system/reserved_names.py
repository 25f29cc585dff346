"""Reserved usernames: names of whoever runs the lottery, and what looks like them. Pure.

A participant called "admin" would be believed by others. Words for organisers and the like, in the
languages of the pages, are reserved as whole parts of a name ("the-admin", "Admin42"); the site's
title and technical name are reserved as the whole name. Operators, who create users by a command,
may have them all. Accounts from before keep their names.
"""

import re
import unicodedata
from collections.abc import Iterator

from lottery_system.usernames import BadUsername, look_alike_key

#: roles, in English, German, Spanish and French
ROLES = (
    "admin", "admins", "administrator", "administrators", "organiser", "organisers", "organizer",
    "organizers", "moderator", "moderators", "support", "helpdesk", "operator", "root", "webmaster",
    "sysadmin",
    "administratorin", "administratoren", "organisator", "organisatorin", "organisatoren",
    "veranstalter", "veranstalterin", "moderatorin", "moderatoren", "betreiber", "kundendienst",
    "administrador", "administradora", "administradores", "organizador", "organizadora",
    "organizadores", "moderador", "moderadora", "moderadores", "soporte", "operador",
    "administrateur", "administratrice", "administrateurs", "organisateur", "organisatrice",
    "organisateurs", "modérateur", "modératrice", "modérateurs", "assistance",
)  # fmt: skip
#: digits that stand for letters in a disguise, after look-alikes have become the same; "l" is an
#: "i" here, since "1" is an "l" by then
DISGUISES = str.maketrans("34578l", "eastbi")
SEPARATORS = re.compile(r"[\W_]+")


def demand_unreserved(username: str, *site_names: str) -> None:
    """Refuse a new username that passes for whoever runs the lottery.

    Args:
        username: an enforced one.
        site_names: technical name and title.

    Raises:
        BadUsername: with a sentence for the person who chose it.
    """
    whole = _folds(SEPARATORS.sub("", username))
    parts = {fold for part in SEPARATORS.split(username) for fold in _folds(part)}
    roles = set(map(_fold, ROLES))
    titles = {fold for name in site_names for fold in _folds(SEPARATORS.sub("", name))}
    if (whole | parts) & roles or whole & titles:
        raise BadUsername("This username is kept for whoever runs the lottery. Choose another one.")


def _folds(text: str) -> set[str]:
    """Return what a text may pass for: itself, and itself without the digits around it."""
    return set(filter(None, map(_fold, _bare(text))))


def _bare(text: str) -> Iterator[str]:
    yield text
    yield text.strip("".join({sign for sign in text if sign.isdigit()}))


def _fold(text: str) -> str:
    """Return what all texts that look roughly like this one share; accents do not count."""
    key = unicodedata.normalize("NFD", look_alike_key(text))
    letters = "".join(sign for sign in key if not unicodedata.combining(sign))
    return letters.translate(DISGUISES)
