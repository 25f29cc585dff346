"""An operator with fixed keys, and days that end by them."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from lottery_system import draws
from lottery_system.fairness.note import SigningKey, format_signing_key
from lottery_system.keys import CHAIN_TIP, LOG_KEY, begin_journal
from lottery_system.models import JournalRecord, Operator

OPERATOR = Operator(SigningKey("lottery.local", b"\x01" * 32), b"\x02" * 32, chain=None)


def keep_keys(storage: Path, operator: Operator = OPERATOR) -> None:
    """Lay the keys where an application looks for them."""
    (storage / LOG_KEY).write_text(format_signing_key(operator.key))
    (storage / CHAIN_TIP).write_text(operator.tip.hex())


def begin(session: Session, now: datetime, operator: Operator = OPERATOR, gap: int = 0) -> None:
    """Begin the journal, unless it has begun."""
    with session.begin():
        if JournalRecord.genesis(session) is None:
            begin_journal(session, operator, gap, now)


def run_due(
    session: Session,
    now: datetime,
    places: int = 1,
    operator: Operator = OPERATOR,
    fetch: Callable[[int], bytes | None] = lambda number: None,
) -> list[date]:
    """Do what is due, as a tick does."""
    begin(session, now, operator)
    return draws.run_due(session, now, places, operator, fetch)
