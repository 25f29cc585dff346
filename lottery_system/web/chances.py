"""Prizes left in lotteries, and edits since a user's first ballot of today, for their cards."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from lottery_system.clock import day_of, starts_at
from lottery_system.models.prizes import standings
from lottery_system.parts import parts
from lottery_system.queries.lottery_page import LotteryShown, TextChange, changes_under


class PrizesLeft(NamedTuple):
    """The remaining prizes of a lottery with a limit."""

    #: prizes that nobody has won
    left: int
    #: whether earlier draws may win all of them, so that no ballot is accepted
    is_undecided: bool
    #: about when ballots are accepted again; None if unknown
    decided_at: datetime | None


def prizes_left(
    connection: Connection, lotteries: Collection[LotteryShown], now: datetime
) -> Mapping[int, PrizesLeft]:
    """Return the remaining prizes by lottery id; without limits there is no query."""
    winnable = {each.id: each.winnable for each in lotteries if each.winnable is not None}
    if not winnable:
        return {}
    gap = timedelta(seconds=parts().settings.gap)
    return {
        number: PrizesLeft(
            max(0, winnable[number] - each.won),
            each.won < winnable[number] and each.is_undecided(winnable[number]),
            each.decided_at(now.replace(second=0, microsecond=0), gap),
        )
        for number, each in standings(connection, list(winnable), day_of(now)).items()
    }


def changed_today(
    connection: Connection, user_id: int, lotteries: Collection[LotteryShown], now: datetime
) -> Mapping[int, TextChange]:
    """Return today's edits after the user's first ballot, by lottery id; queries only if needed."""
    today = day_of(now)
    since = starts_at(today)
    ids = [
        each.id
        for each in lotteries
        if each.mine and each.changed_at >= since and each.changed_at != each.created_at
    ]
    return changes_under(connection, user_id, today, ids) if ids else {}
