"""Confusables: look-alike characters, by the table of UTS 39, and the skeleton. Pure.

The table is part of our code, in the version that its head names, not of a library: skeletons are
stored and keep usernames unique. A newer table gives other skeletons, so it needs a migration
that recomputes them. The schema's revision tells which table was used.
"""

import re
import unicodedata
from functools import cache
from pathlib import Path

from lottery_system.text_input import is_invisible

VERSION = "17.0.0"
TABLE = Path(__file__).with_suffix(".txt")


def skeleton(text: str) -> str:
    """Return what all texts that look like this one have in common (UTS 39 section 4).

    What shows nothing is left out, joiners, too.
    """
    decomposed = unicodedata.normalize("NFD", text)
    table = _prototypes()
    return unicodedata.normalize(
        "NFD", "".join(table.get(sign, sign) for sign in decomposed if not is_invisible(sign))
    )


@cache
def _prototypes() -> dict[str, str]:
    """Read the table when first asked: what stands for each character."""
    pairs = re.findall(r"^([0-9A-F]+);([0-9A-F ]+)$", TABLE.read_text(encoding="utf-8"), re.M)
    return {
        chr(int(source, 16)): "".join(chr(int(each, 16)) for each in prototype.split())
        for source, prototype in pairs
    }
