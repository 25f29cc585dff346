"""How the texts that people see are found in the code: `make texts`.

Updates each language's catalogue. New texts have no translation then, which a test detects.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from lottery_system.fairness.checks import CHECKS

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent
ROOT = PACKAGE.parent

#: all that programs need to know of a catalogue; what differs with each run is left out
HEADER = """\
msgid ""
msgstr ""
"Language: {code}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: {plurals}\\n"

"""

#: functions whose first argument is a text, or first two: one and many
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None, "gettext": None, "lazy_gettext": None, "say": None, "N_": None, "ngettext": (1, 2),
    # errors, which are told to people in their language (`web.words.translated`)
    "__init__": None, "LotteryError": None, "BadBallots": None, "BadPassword": None,
    "BadPicture": None,
    "BadText": None, "BadUsername": None, "ClosesInThePast": None, "NoSuchReceipt": None,
    "NoOffers": None, "NotClosed": None, "NotDrawn": None, "NotStamped": None,
    "BadOpening": None, "BadHandOver": None,
    "AddressLinkOver": None, "BadMailAddress": None, "CannotBlock": None, "InvitationOver": None,
    "LinkOver": None, "NoPrizeLeft": None, "TooFewADay": None, "TooFewPrizes": None,
    "Reason": None,
}  # fmt: skip

#: folders, the files in them, and how these are read
SOURCES: tuple[tuple[Path, str, str, dict[str, str]], ...] = (
    (PACKAGE, "*.py", "python", {}),
    (ROOT / "templates", "*.html", "jinja2.ext:babel_extract", {"trimmed": "true"}),
    (ROOT / "static" / "js", "*.js", "javascript", {}),
)
#: what speaks English: commands, what is read in logs, and the page that is saved
ENGLISH = (
    "cli.py", "commands.py", "audit", "clock_check.py", "closing_check.py", "keys.py", "moving.py",
    "schema.py", "drand.py", "migrations", "saved.html",
)  # fmt: skip


def texts() -> Catalog:
    """Return all texts that people see, with where each stands."""
    catalog = Catalog(project="lottery-system", fuzzy=False)
    for where, message, context in _found():
        catalog.add(message, locations=[(where, 0)], context=context)
    return catalog


def _found() -> Iterator[tuple[str, str | tuple[str, ...], str | None]]:
    for folder, pattern, method, options in SOURCES:
        for path in sorted(folder.rglob(pattern)):
            inside = path.relative_to(ROOT)  # whatever the folder of all is called
            if any(part in ENGLISH for part in inside.parts):
                continue
            where = inside.as_posix()
            for _, message, _, context in extract_from_file(
                method, path, keywords=KEYWORDS, options=options
            ):
                yield where, message, context
    for sentence in CHECKS.values():
        yield "lottery_system/fairness/checks.py", sentence, None


def strings_of(message: Message) -> tuple[str, ...]:
    """Return the translations of a text, of each form where it has several."""
    string = message.string
    return tuple(string) if isinstance(string, (tuple, list)) else (str(string or ""),)


def main() -> None:
    """Write the catalogues again."""
    found = texts()
    for path in sorted(HERE.glob("*.po")):
        with path.open("rb") as file:
            catalog = read_po(file, locale=path.stem)
        catalog.update(found, no_fuzzy_matching=True)
        catalog.fuzzy = False
        with path.open("wb") as file:
            file.write(HEADER.format(code=path.stem, plurals=catalog.plural_forms).encode())
            write_po(
                file, catalog, width=100, sort_output=True, ignore_obsolete=True,
                omit_header=True, include_lineno=False,
            )  # fmt: skip
        missing = sum(not all(strings_of(message)) for message in catalog if message.id)
        sys.stdout.write(f"{path.name}: {len(catalog)} texts, {missing} without a translation\n")


if __name__ == "__main__":
    main()
