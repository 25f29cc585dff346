"""Demo storage: a folder that belongs to a demo alone, marked by a file and locked by its server.

A demo shows what the lottery does; nothing in it counts. So that it is never mistaken for a real
lottery, nor a real one for a demo, neither starts on what is the other's.
"""

import fcntl
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from config.files import made_once

#: marks a demo's folder
MARKER = "demo.txt"
#: what is in it; a file of that name with another text is somebody's own
MARKER_TEXT = (
    "This folder belongs to a demo of the lottery. Nothing in it counts, and `make demo` deletes "
    "the files in it.\n"
)
#: how the technical name of every demo begins, and that of no other lottery
PREFIX = "demo."

#: defaults of a demo that differ: reserves and a deadline, so that prizes lapse and are passed on
DEFAULTS = {
    "LOTTERY_NAME": "demo.lottery.local",
    "LOTTERY_PLACES": "3",
    "LOTTERY_CLAIM_DAYS": "4",
}
#: what a demo does without, and why
REFUSED = {
    "LOTTERY_DATABASE_URL": "keeps its database in its own LOTTERY_STORAGE",
    "LOTTERY_SECRET_KEY": "makes a key of its own, so that its cookies open no other site",
    "LOTTERY_MARK": "keeps its high-water mark in its own LOTTERY_STORAGE",
    "LOTTERY_BEACON": "makes its draws without the beacon",
    "LOTTERY_TIMESTAMP_URLS": "has nothing that calendars should stamp",
    "LOTTERY_ORGANISERS_SECOND_FACTOR": "lets visitors in as organisers, who have none",
    "LOTTERY_URL": "has no public address, so that none of its links lead to another site",
    "LOTTERY_MAIL_URL": "sends no mails",
}


class NotADemo(ValueError):
    """Something is a demo's and would be used by a real lottery, or the other way round."""


class DemoRuns(Exception):
    """A process uses the demo that another one asks for."""


def is_demo_name(name: str) -> bool:
    """Tell whether a technical name is that of a demo."""
    return name.startswith(PREFIX)


def is_marked(folder: Path) -> bool:
    """Tell whether a folder is a demo's."""
    try:
        return (folder / MARKER).read_text(encoding="utf-8") == MARKER_TEXT
    except (OSError, UnicodeDecodeError):  # not there, or somebody's own
        return False


def demand_demo(given: Mapping[str, str], env: str, name: str) -> None:
    """Refuse a demo with settings of a real lottery.

    Args:
        given: the settings that are given, without defaults.

    Raises:
        NotADemo: with a sentence for the operator.
    """
    if env == "production":
        raise NotADemo(
            "LOTTERY_DEMO is on, and LOTTERY_ENV is production: a demo is never a real lottery. "
            "Leave one of them out."
        )
    for each, why in REFUSED.items():
        if given.get(each, "off") != "off":
            raise NotADemo(f"LOTTERY_DEMO is on, and {each} is given: a demo {why}. Leave it out.")
    if not is_demo_name(name):
        raise NotADemo(
            f"LOTTERY_DEMO is on, and LOTTERY_NAME is {name!r}: the name of a demo begins with "
            f"{PREFIX!r}. Leave it out for {DEFAULTS['LOTTERY_NAME']}."
        )


def demand_no_demo(name: str, folders: Iterable[Path]) -> None:
    """Refuse a real lottery with a demo's name, or with a demo's folder.

    Raises:
        NotADemo: with a sentence for the operator.
    """
    if is_demo_name(name):
        raise NotADemo(
            f"LOTTERY_NAME is {name!r}: only the name of a demo begins with {PREFIX!r}. Choose "
            "another one; `make demo` plays a demo."
        )
    for folder in folders:
        if is_marked(folder):
            raise NotADemo(
                f"{folder} belongs to a demo, whose files `make demo` deletes. Choose another "
                "folder; to open the demo itself, set LOTTERY_DEMO=on."
            )


def mark_folder(folder: Path) -> None:
    """Mark an empty folder as a demo's, before anything else is written there.

    Raises:
        NotADemo: it has files of something else, or files elsewhere that links in it lead to.
        OSError: it cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = [each for each in folder.iterdir() if not each.name.startswith(f".{MARKER}.")]
    if entries and not is_marked(folder):
        raise NotADemo(
            f"LOTTERY_DEMO is on, and {folder} is no demo's: it has other files, such as "
            f"{min(each.name for each in entries)}. Set LOTTERY_STORAGE to an empty folder, or "
            "leave it out."
        )
    for each in entries:
        if each.is_symlink():
            raise NotADemo(
                f"LOTTERY_DEMO is on, and {each} is a link: a demo keeps its files in its own "
                "folder. Delete the link."
            )
    made_once(folder / MARKER, lambda: MARKER_TEXT)


def empty_folder(folder: Path) -> None:
    """Delete the files in a demo's folder, except the marker; folders in it are left alone.

    Raises:
        NotADemo: it is not a demo's.
        OSError: something cannot be deleted.
    """
    if not is_marked(folder):
        raise NotADemo(f"{folder} is no demo's.")
    for each in folder.iterdir():
        if each.name != MARKER and (each.is_symlink() or each.is_file()):
            each.unlink()


def lock_folder(folder: Path, *, alone: bool) -> int:
    """Lock a demo's folder until this process, and those that it forks, end.

    Args:
        alone: to play it anew, while nobody serves it; servers share the lock.

    Returns:
        The open file that holds the lock.

    Raises:
        DemoRuns: somebody else has it locked, with a sentence for the operator.
    """
    number = os.open(folder / MARKER, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(number, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        raise DemoRuns(
            f"The demo in {folder} is in use: stop it first (Ctrl-C where it runs), or set "
            "LOTTERY_STORAGE to another folder."
        ) from None
    return number
