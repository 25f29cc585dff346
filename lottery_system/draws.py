"""Running draws: closes the days that are over and draws those that are closed.

May be called at any time, by any number of processes: the database decides what is due.
"""

import logging
from collections.abc import Callable
from datetime import date, datetime
from time import sleep
from typing import NamedTuple

from sqlalchemy.orm import Session

from lottery_system.clock import day_of, steady
from lottery_system.closing_check import ClosingCheck
from lottery_system.errors import BadBeacon
from lottery_system.fairness.beacon import time_of
from lottery_system.fairness.records import Freeze
from lottery_system.metrics import BEACON_FAILURES, CLOSING_SECONDS, DRAWING_SECONDS
from lottery_system.models import Draw, JournalRecord, LogKeys
from lottery_system.rollback import Rollback, check_session

log = logging.getLogger(__name__)

#: asks the relays for the signature of a round; None if none has it yet
FetchSignature = Callable[[int], bytes | None]

#: has the newest record cosigned by witnesses; waits for them for a bounded time
Cosign = Callable[[], None]


def waiting(session: Session) -> list[Freeze]:
    """List the freezes of days that are closed and not drawn, the oldest first."""
    with session.begin():
        days = Draw.due_to_draw(session)
        freezes = JournalRecord.freezes(session, days)
    return [freezes[day] for day in days]


def run_due(
    session: Session,
    now: datetime,
    places: int,
    log_keys: LogKeys,
    fetch: FetchSignature = lambda number: None,
    *,
    check: ClosingCheck | None = None,
    rollback: Rollback | None = None,
    claim_days: int | None = None,
    cosign: Cosign = lambda: None,
) -> list[date]:
    """Close every day that is over and draw every day that is closed, the oldest first.

    Makes up missed days, also those without ballots, and opens today's draw. Each step is a
    transaction of its own, so that after a crash the next call goes on from the last step; between
    steps pages are answered. In mode operator a day is drawn before the next one is closed. In mode
    beacon a draw waits
    for its round, for as long as it takes, and those of later days with it; the relays are asked
    outside of any transaction.

    Args:
        session: without a transaction begun.
        places: winning ballots of the days closed by this call.
        log_keys: those of the journal.
        fetch: asked for rounds whose time has come; what it returns is verified before use.
        check: asked before days are closed, and again before each is committed; where it holds
            them, the days that are closed already are drawn all the same.
        rollback: asked in each transaction whether the database may be believed.
        claim_days: days after a draw on which its prize can be claimed; None for any.
        cosign: called outside of any transaction, before a draw of mode operator, and once days
            are closed in mode beacon.

    Returns:
        The days that this call drew.

    Raises:
        Paused: the database has forgotten what was published.
    """
    how = _How(log_keys, rollback, claim_days, cosign)
    with session.begin():
        check_session(session, rollback)
        Draw.open_until(session.connection(), day_of(now))
    with session.begin():
        over = Draw.due_to_close(session, now)
    if over and check is not None and not check.may_close(session, over, now, log_keys):
        over = []
    drawn = _draw_closed(session, now, fetch, how)
    for day in over:
        sleep(0)  # let other greenlets of this worker run
        began = steady()
        with session.begin() as transaction:
            check_session(session, rollback)
            closed = Draw.close(session, day, now, places, log_keys)
            if closed and check is not None and not check.is_in_time(day, now, log_keys):
                transaction.rollback()
                break
        if closed:
            CLOSING_SECONDS.observe(steady() - began)
            _remember(session, rollback)
            log.info("draw of %s: closed", day)
        if log_keys.chain is None:
            drawn += _draw_closed(session, now, fetch, how)
    if over and log_keys.chain is not None:
        cosign()
    return drawn + _draw_closed(session, now, fetch, how)


class _How(NamedTuple):
    """What is the same for all draws of a call."""

    log_keys: LogKeys
    rollback: Rollback | None
    claim_days: int | None
    cosign: Cosign = lambda: None


def _draw_closed(session: Session, now: datetime, fetch: FetchSignature, how: _How) -> list[date]:
    """Draw the days that are closed, up to the first whose round of the beacon is not out."""
    drawn = []
    _remember(session, how.rollback)
    for freeze in waiting(session):
        signature = None
        if freeze.round is not None:
            signature = _signature(freeze, now, how.log_keys, fetch)
            if signature is None:
                break
        else:
            how.cosign()
        if _draw(session, freeze.day, now, signature, how):
            drawn.append(freeze.day)
    return drawn


def hand_in(
    session: Session,
    now: datetime,
    number: int,
    signature: bytes,
    log_keys: LogKeys,
    *,
    rollback: Rollback | None = None,
    claim_days: int | None = None,
) -> list[date]:
    """Draw the days that wait for a round of the beacon, by its signature.

    For a server without a network. Days closed late share a round.

    Args:
        session: without a transaction begun.

    Returns:
        The days that this call drew.

    Raises:
        BadBeacon: no day waits for this round, an earlier day waits for another one, or the
            signature is not the network's.
        Paused: the database has forgotten what was published.
    """
    wait = waiting(session)
    if number not in [freeze.round for freeze in wait]:
        rounds = ", ".join(str(freeze.round) for freeze in wait if freeze.round is not None)
        raise BadBeacon(
            f"No draw waits for round {number}. "
            + (f"Those that wait take round {rounds}." if rounds else "No draw waits at all.")
        )
    first = wait[0]
    if first.round != number:
        raise BadBeacon(
            f"The draw of {first.day} comes first. Hand in round {first.round} before this one."
        )
    drawn = []
    how = _How(log_keys, rollback, claim_days)
    _remember(session, rollback)
    for freeze in wait:
        if freeze.round != number:
            break
        if _draw(session, freeze.day, now, signature, how):
            drawn.append(freeze.day)
    return drawn


def _signature(
    freeze: Freeze, now: datetime, log_keys: LogKeys, fetch: FetchSignature
) -> bytes | None:
    assert freeze.round is not None
    assert log_keys.chain is not None
    if now.timestamp() < time_of(log_keys.chain, freeze.round):
        return None
    signature = fetch(freeze.round)
    if signature is None:
        BEACON_FAILURES.inc()
        log.warning("draw of %s: waits for round %d of the beacon", freeze.day, freeze.round)
    return signature


def _draw(session: Session, day: date, now: datetime, signature: bytes | None, how: _How) -> bool:
    began = steady()
    with session.begin():
        check_session(session, how.rollback)
        done = Draw.draw(session, day, now, how.log_keys, signature, claim_days=how.claim_days)
    if done:
        DRAWING_SECONDS.observe(steady() - began)
        log.info("draw of %s: drawn", day)
    return done


def _remember(session: Session, rollback: Rollback | None) -> None:
    """Raise the mark to the closed days, whoever closed them, before they are drawn."""
    if rollback is not None:
        with session.begin():
            rollback.raise_all(session.connection())
