"""Ending a lottery early, under the lock of the day, so that no ballot comes in afterwards."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from lottery_system.models.database_clock import Clocks
from lottery_system.models.draw import Draw
from lottery_system.models.lottery import Lottery


def withdraw(
    session: Session,
    lottery_id: int,
    utcnow: Callable[[], datetime],
    check: Callable[[Clocks], None] = lambda clocks: None,
    *,
    by: int | None = None,
) -> None:
    """Let a lottery take no more ballots from now on; the caller commits.

    Ballots are admitted under the same lock: none comes in once this is committed.

    Args:
        check: refuses it, by an exception, where the clocks disagree.
        by: the organiser's number; None for the operator's commands.

    Raises:
        Paused: the clocks disagree.
        NoResultFound: there is no such lottery.
    """
    turn = Draw.take_turn(session.connection(), utcnow)
    check(turn.clocks)
    session.get_one(Lottery, lottery_id).withdraw(turn, by)
