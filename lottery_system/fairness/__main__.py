"""Verifier on the command line: `python -m lottery_system.fairness` checks without the server.

    verify CERTIFICATE.json [--key KEY] [--log DIR] [--receipt RECEIPT.json] [--offers OFFERS.json]
        [--recovery FILE]... [--head FILE [--journal DIR]] [--policy FILE]
    fetch URL DIR
    journal DIR --key KEY [--head FILE]... [--recovery FILE]... [--policy FILE]

Exit code of `verify` and `journal`: 0 all checks passed; 1 a check failed, or one that the
certificate, the given receipt, head or policy needs could not be made; 2 unreadable input.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from lottery_system.fairness.certificate import MAX_BYTES, Unreadable
from lottery_system.fairness.checks import OF_RECEIPTS, Check, Verdict, holds
from lottery_system.fairness.download import CHECKPOINT, OFFERS, NoDownload, download
from lottery_system.fairness.folder import read_records
from lottery_system.fairness.journal import HEAD, check_head, check_journal
from lottery_system.fairness.note import NoteError
from lottery_system.fairness.offers import MAX_OFFERS_BYTES
from lottery_system.fairness.pin import Pin, parse_pin
from lottery_system.fairness.policy import MAX_POLICY_BYTES, Policy, PolicyError, parse_policy
from lottery_system.fairness.verify import verify
from lottery_system.fairness.witnessed import WITNESSED

HOLDS, FAILS, UNREADABLE, INTERRUPTED = 0, 1, 2, 130
BAR = 40
#: in the folder of a journal: its checkpoint when it was last found sound
SEEN = "seen"


class CannotRead(Exception):
    """What was given cannot be read; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    parser = argparse.ArgumentParser(prog="verify", description="Check a draw of a lottery.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("verify", help="make all checks of a certificate")
    one.add_argument("certificate", type=Path, metavar="CERTIFICATE.json")
    one.add_argument(
        "--key",
        metavar="KEY",
        help="the lottery's key as you noted it, with @ and its genesis or without",
    )
    one.add_argument("--log", type=Path, metavar="DIR", help="a downloaded copy of the day's log")
    one.add_argument("--receipt", type=Path, metavar="RECEIPT.json", help="of a ballot of the day")
    one.add_argument(
        "--offers",
        type=Path,
        metavar="OFFERS.json",
        help="the day's signed list of prizes; that of the folder of --log where left out",
    )
    _add_recoveries(one)
    one.add_argument(
        "--head", type=Path, metavar="FILE", help="a checkpoint of the journal that you kept"
    )
    one.add_argument(
        "--journal", type=Path, metavar="DIR", help="a downloaded copy of the journal, for --head"
    )
    _add_policy(one)
    monitor = commands.add_parser(
        "journal", help="check a downloaded journal, and that it extends what was seen before"
    )
    monitor.add_argument(
        "folder", type=Path, metavar="DIR", help="from fetch https://site/log/ DIR"
    )
    monitor.add_argument(
        "--key", metavar="KEY", required=True, help="the lottery's, as you noted it"
    )
    monitor.add_argument(
        "--head",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="a checkpoint of the journal that you kept; may be given again",
    )
    _add_recoveries(monitor)
    _add_policy(monitor)
    other = commands.add_parser("fetch", help="download a log")
    other.add_argument("url", metavar="URL", help="like https://site/log/2026-11-22/")
    other.add_argument("folder", type=Path, metavar="DIR")
    given = parser.parse_args(arguments)
    if isinstance(sys.stdout, TextIOWrapper):
        # escape unprintable characters, so that a crafted name cannot hide the verdict
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return {"fetch": _fetch, "journal": _journal, "verify": _verify}[given.command](given)
    except (CannotRead, Unreadable, NoDownload) as error:
        print(f"verify: {error}", file=sys.stderr)  # noqa: T201
        return UNREADABLE
    except KeyboardInterrupt:
        return INTERRUPTED


def _verify(given: argparse.Namespace) -> int:
    certificate = _file(given.certificate)
    receipt = _file(given.receipt) if given.receipt else None
    pin = _pin(given.key) if given.key else None
    ballots = _records(given.log) if given.log else None
    offers = given.offers
    if offers is None and given.log and (given.log / OFFERS).is_file():
        offers = given.log / OFFERS
    recoveries = [_text(path) for path in given.recovery]
    checks = verify(
        certificate,
        key=pin.key if pin else None,
        genesis=pin.genesis if pin else None,
        ballots=ballots,
        receipt=receipt,
        recoveries=recoveries,
        offers=_file(offers, MAX_OFFERS_BYTES) if offers else None,
        policy=_policy(given.policy),
        progress=_bar(sys.stderr, "ballots"),
    )
    if given.head:
        journal = _records(given.journal) if given.journal else None
        key = pin.key if pin else None
        checks.append(check_head(certificate, _text(given.head), key, journal, recoveries))
    for check in checks:
        print(_line(check))  # noqa: T201
    # a given receipt or policy must be fully checked for exit code 0
    needed = {*(OF_RECEIPTS if given.receipt else ()), *([WITNESSED] if given.policy else ())}
    return HOLDS if holds(checks, needed) else FAILS


def _journal(given: argparse.Namespace) -> int:
    """Check a journal, and keep its checkpoint as what was seen last."""
    seen = given.folder / SEEN
    heads = [_text(path) for path in [*given.head, *([seen] if seen.is_file() else [])]]
    pin, records = _pin(given.key), _records(given.folder)
    note = _text(given.folder / CHECKPOINT)
    try:
        stated = [_text(path) for path in given.recovery]
        checks = check_journal(note, records, pin, heads, _policy(given.policy), recoveries=stated)
    except (ValueError, OSError) as error:
        raise CannotRead(f"{given.folder}: {error}") from None
    for check in checks:
        print(_line(check))  # noqa: T201
    not_needed = {HEAD} if given.policy else {HEAD, WITNESSED}
    is_sound = all(
        each.verdict is Verdict.OK or (each.name in not_needed and each.verdict is Verdict.NOT_MADE)
        for each in checks
    )
    if not is_sound:
        return FAILS
    draft = seen.with_name(f"{SEEN}.draft")
    draft.write_text(note, encoding="utf-8")
    draft.replace(seen)
    return HOLDS


def _pin(text: str) -> Pin:
    try:
        return parse_pin(text)
    except NoteError as error:
        raise CannotRead(f"--key: {error}") from None


def _add_recoveries(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--recovery",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="a signed statement of a loss or new keys, from /log/recovery/1; may be given again",
    )


def _add_policy(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--policy", type=Path, metavar="FILE", help="whose signatures, as witnesses, you trust"
    )


def _policy(path: Path | None) -> Policy | None:
    if path is None:
        return None
    try:
        return parse_policy(_file(path, MAX_POLICY_BYTES))
    except PolicyError as error:
        raise CannotRead(f"{path}: {error}") from None


def _records(folder: Path) -> Iterable[bytes]:
    if not folder.is_dir():
        raise CannotRead(f"{folder} is not a folder")
    return read_records(folder)


def _fetch(given: argparse.Namespace) -> int:
    size = download(given.url, given.folder, _bar(sys.stderr, "files"))
    print(f"{given.folder}: a log of {size} records")  # noqa: T201
    return HOLDS


def _line(check: Check) -> str:
    not_made = "not made: " if check.verdict is Verdict.NOT_MADE else ""
    return f"{check.verdict.value:4} {check.name}: {not_made}{check.detail}"


def _file(path: Path, most: int = MAX_BYTES) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise CannotRead(f"{path} cannot be read ({error.strerror})") from None


def _text(path: Path) -> str:
    try:
        return _file(path).decode()
    except UnicodeDecodeError:
        raise CannotRead(f"{path} is no text") from None


def _bar(stream: TextIO, what: str) -> Callable[[int, int], None]:
    """Return a progress bar on a terminal, and nothing elsewhere."""

    def draw(done: int, size: int) -> None:
        full = BAR * done // size if size else BAR
        end = "\n" if done == size else ""
        stream.write(f"\r[{'#' * full}{' ' * (BAR - full)}] {done:,} of {size:,} {what}{end}")
        stream.flush()

    return draw if stream.isatty() else lambda done, size: None


if __name__ == "__main__":
    sys.exit(main())
