"""Log keys of the tests, and days that are closed with them."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from lottery_system import draws
from lottery_system.fairness.note import SigningKey, format_signing_key
from lottery_system.keys import CHAIN_TIP, LOG_KEY, begin_journal
from lottery_system.models import JournalRecord, LogKeys

LOG_KEYS = LogKeys(SigningKey("lottery.local", b"\x01" * 32), b"\x02" * 32, chain=None)


def keep_keys(storage: Path, log_keys: LogKeys = LOG_KEYS) -> None:
    """Lay the keys where an application looks for them."""
    (storage / LOG_KEY).write_text(format_signing_key(log_keys.key))
    (storage / CHAIN_TIP).write_text(log_keys.tip.hex())


def begin(session: Session, now: datetime, log_keys: LogKeys = LOG_KEYS, gap: int = 0) -> None:
    """Begin the journal, unless it has begun."""
    with session.begin():
        if JournalRecord.genesis(session) is None:
            begin_journal(session, log_keys, gap, now)


def run_due(
    session: Session,
    now: datetime,
    places: int = 1,
    log_keys: LogKeys = LOG_KEYS,
    fetch: Callable[[int], bytes | None] = lambda number: None,
) -> list[date]:
    """Do what is due, as a tick does."""
    begin(session, now, log_keys)
    return draws.run_due(session, now, places, log_keys, fetch)
