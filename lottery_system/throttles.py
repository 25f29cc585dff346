"""Rate limits: how often something may be tried in a time window, for all workers together.

Counters in a worker's memory would allow as many attempts again at each worker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from lottery_system.errors import TooManyAttempts
from lottery_system.extensions import reading, transaction
from lottery_system.models import Throttle


@dataclass(frozen=True)
class Limit:
    """How many attempts there may be in a window, which begins with the first of them."""

    #: what is counted, for whom
    key: str
    #: None: attempts are counted, and none is refused
    most: int | None
    window: timedelta


def look(limits: Sequence[Limit], now: datetime) -> list[int]:
    """Return how many attempts each limit has counted; reads only.

    Raises:
        TooManyAttempts: one of them is reached. The first that is says how long to wait.
    """
    with reading() as connection:
        counted = Throttle.counted(connection, [limit.key for limit in limits], now)
    for limit in limits:
        count, expires_at = counted.get(limit.key, (0, now))
        if limit.most is not None and count >= limit.most:
            raise TooManyAttempts(expires_at - now)
    return [counted.get(limit.key, (0, now))[0] for limit in limits]


def count(limits: Sequence[Limit], now: datetime) -> None:
    """Count an attempt, the narrowest limit first, of which `look` has just found none reached.

    A refused attempt writes nothing, so a flood costs only reads. Only concurrent attempts for the
    last place get as far as the transaction.

    Raises:
        TooManyAttempts: one is by now; nothing is counted.
    """
    with transaction() as session:
        for limit in limits:
            if not Throttle.add(session, limit.key, limit.most, limit.window, now):
                raise TooManyAttempts(limit.window)


def give_back(session: Session, limits: Sequence[Limit], now: datetime) -> None:
    """Uncount an attempt that turned out to be none of those that are limited."""
    for limit in limits:  # in the order in which `count` locks the rows
        Throttle.take_back(session, limit.key, now)
