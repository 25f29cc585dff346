"""Time zones that an account can have, by their IANA names. Pure.

The names are those of the package tzdata, so that all hosts offer the same. The rules may be the
system's, which `zoneinfo` prefers.
"""

from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

#: the first part of names that people look for; the others are old names, or fixed offsets
REGIONS = frozenset({
    "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe",
    "Indian", "Pacific",
})  # fmt: skip
#: characters that a name has at most
NAME_LENGTH = 64


@cache
def time_zones() -> tuple[str, ...]:
    """List the names to choose from: UTC, then those of places in alphabetical order."""
    names = files("tzdata").joinpath("zones").read_text(encoding="ascii").split()
    return ("UTC", *sorted(each for each in names if each.partition("/")[0] in REGIONS))


def zone_of(name: str | None) -> ZoneInfo | None:
    """Return a time zone; None if there is none of this name, as after an update of tzdata."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None
