"""Due draws: closes, draws and lets lapse whatever is due, by all parts of an application.

The one order in which mark, keys and witnesses are asked before that, for each tick and for the
command `draw run`.
"""

from datetime import date, datetime

from sqlalchemy.orm import Session

from lottery_system import claims, draws
from lottery_system.closing_check import ClosingCheck
from lottery_system.errors import Paused, UnfitKeys
from lottery_system.extensions import reading
from lottery_system.keys import CAUSE as KEYS
from lottery_system.parts import Parts
from lottery_system.witnesses import CAUSE as WITNESS


def run(session: Session, now: datetime, parts: Parts, check: ClosingCheck) -> list[date]:
    """Do whatever is due; each step is a transaction of its own.

    Args:
        session: without a transaction begun.
        parts: of the application at hand.
        check: asked before days are closed.

    Returns:
        The days that this call drew.

    Raises:
        Paused: no draws may be made; also where the keys are those of another journal.
        UnfitKeys: witnesses are another lottery's.
    """
    rollback, settings, witnesses = parts.rollback, parts.settings, parts.witnesses
    with reading() as connection:
        rollback.look(connection)
    parts.pause.refuse_draws(KEYS, WITNESS)  # which are looked at here
    try:
        log_keys = parts.keyring.begin(now)
    except UnfitKeys as error:
        # a host without the present keys gives no receipts, so that it should take no ballots
        parts.pause.set(KEYS, str(error))
        raise Paused(str(error)) from None
    parts.pause.clear(KEYS)
    with reading() as connection:  # which makes the mark of a lottery that has just begun
        rollback.raise_all(connection)
    witnesses.look(log_keys)
    parts.pause.refuse_draws()
    drawn = draws.run_due(
        session,
        now,
        settings.places,
        log_keys,
        parts.keyring.fetch_signature,
        check=check,
        rollback=rollback,
        claim_days=settings.claim_days,
        cosign=lambda: witnesses.cosign(log_keys),
    )
    claims.run_due(session, now, settings.claim_days, rollback=rollback)
    return drawn
