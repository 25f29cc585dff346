"""What a lottery's card says of its prizes now: how many are left, and what was changed today."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from lottery_system.clock import day_of, starts_at
from lottery_system.models.prizes import standings
from lottery_system.parts import parts
from lottery_system.queries.lottery_page import LotteryShown, TextChange, changes_under


class PrizesLeft(NamedTuple):
    """How a lottery whose prize can be won so often stands."""

    #: prizes that nobody has won
    left: int
    #: whether an earlier draw may win all of them yet, so that no ballot is taken
    is_undecided: bool
    #: about when ballots are taken again; None where that is not known
    decided_at: datetime | None


def prizes_left(
    connection: Connection, lotteries: Collection[LotteryShown], now: datetime
) -> Mapping[int, PrizesLeft]:
    """Return how lotteries stand whose prize can be won a number of times; asks for no others."""
    winnable = {each.id: each.winnable for each in lotteries if each.winnable is not None}
    if not winnable:
        return {}
    gap = timedelta(seconds=parts().settings.gap)
    return {
        number: PrizesLeft(
            max(0, winnable[number] - each.won),
            each.won < winnable[number] and each.is_undecided(winnable[number]),
            each.decided_at(now, gap),
        )
        for number, each in standings(connection, list(winnable), day_of(now)).items()
    }


def changed_today(
    connection: Connection, user_id: int, lotteries: Collection[LotteryShown], now: datetime
) -> Mapping[int, TextChange]:
    """Return what was changed of lotteries today after one's first ballot in them; asks rarely."""
    today = day_of(now)
    since = starts_at(today)
    ids = [
        each.id
        for each in lotteries
        if each.mine and each.changed_at >= since and each.changed_at != each.created_at
    ]
    return changes_under(connection, user_id, today, ids) if ids else {}
