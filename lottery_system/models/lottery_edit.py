"""Lottery edits, checked against its ballots and wins: last day, limits, withdrawal.

They hold the lock of all open days. So no ballot comes in and no day closes between the check and
the commit.
"""

from collections.abc import Callable
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lottery_system.errors import LotteryError, NotAnOrganiser
from lottery_system.models.database_clock import Clocks
from lottery_system.models.draw import OPEN, Draw
from lottery_system.models.holding import Holding
from lottery_system.models.lottery import Limits, Lottery, enforce_limit
from lottery_system.models.prizes import finish_won, latest_standing
from lottery_system.models.user import User


class TooFewADay(LotteryError):
    """A user has more ballots today than the new limit allows."""


class TooFewPrizes(LotteryError):
    """More prizes are won, or may be won, than the new limit allows."""


class NoPrizeLeft(LotteryError):
    """A lottery cannot reopen, since all its prizes are won."""


def demand_organiser(session: Session, user_id: int | None) -> None:
    """Refuse users who are not organisers; None stands for a command of the operator.

    Raises:
        NotAnOrganiser: the user is not an organiser.
    """
    is_organiser = select(User.is_organiser).where(User.id == user_id)
    if user_id is not None and not session.scalar(is_organiser):
        raise NotAnOrganiser


def edit_lottery(
    session: Session,
    lottery_id: int,
    now: datetime,
    by: int | None = None,
    *,
    name: str,
    prize: str,
    closes_on: date,
    opens_on: date | None = None,
    claim: str | None = None,
    limits: Limits | None = None,
    also: Callable[[Session, Lottery], None] = lambda session, lottery: None,
) -> Lottery:
    """Edit a lottery; a later last day reopens a finished one, unless all prizes are won.

    A lottery finishes if its limit of prizes is lowered to the number that is won.

    Args:
        opens_on, claim, limits: None leaves them as they are.
        also: edits more of the lottery, in the same entry of the audit log.

    Raises:
        NotAnOrganiser: `by` is not an organiser.
        BadText: one of the texts or limits is invalid.
        ClosesInThePast: the last day is changed to a day that is over.
        BadOpening: it cannot open on that day.
        TooFewADay: a user has more ballots today.
        TooFewPrizes: more are won or may be won.
        NoPrizeLeft: all prizes are won, and the last day is a later one.
    """
    Draw.hold_all(session.connection())
    demand_organiser(session, by)
    lottery = session.get_one(Lottery, lottery_id, populate_existing=True)
    before, closed_on = lottery.limits, lottery.closes_on
    lottery.change(name, prize, closes_on, now, by, opens_on=opens_on, claim=claim)
    if limits is not None:
        lottery.most_a_day = enforce_limit(limits.most_a_day)
        lottery.winnable = enforce_limit(limits.winnable)
    with session.no_autoflush:
        also(session, lottery)
        _demand_most_a_day(session, lottery, before)
        _demand_winnable(session, lottery, before, closed_on)
    session.flush()
    if finish_won(session.connection(), lottery_id, now):
        session.refresh(lottery)
    return lottery


def withdraw_lottery(
    session: Session,
    lottery_id: int,
    utcnow: Callable[[], datetime],
    by: int | None = None,
    check: Callable[[Clocks], None] = lambda clocks: None,
) -> None:
    """Withdraw a lottery: it accepts no ballot after this is committed.

    The clock is read under the lock of the day, as for ballots.

    Args:
        check: raises an exception if the clocks disagree.

    Raises:
        NotAnOrganiser: `by` is not an organiser.
    """
    turn = Draw.take_turn(session.connection(), utcnow)
    check(turn.clocks)
    demand_organiser(session, by)
    session.get_one(Lottery, lottery_id, populate_existing=True).withdraw(turn.now, by)


def _demand_most_a_day(session: Session, lottery: Lottery, before: Limits) -> None:
    if lottery.most_a_day is None or lottery.most_a_day == before.most_a_day:
        return
    held = session.scalar(
        select(func.max(Holding.ballot_count))
        .join(Draw, Draw.day == Holding.day)
        .where(Draw.status == OPEN, Holding.lottery_id == lottery.id)
    )
    if held is not None and held > lottery.most_a_day:
        raise TooFewADay(
            "Somebody has %(held)s ballots in it today. Choose %(held)s or more, or change this "
            "tomorrow.",
            held=held,
        )


def _demand_winnable(session: Session, lottery: Lottery, before: Limits, closed_on: date) -> None:
    if lottery.winnable is None:
        return
    standing = latest_standing(session.connection(), lottery.id)
    if lottery.winnable != before.winnable and lottery.winnable < standing.bound:
        raise TooFewPrizes(
            "Choose %(least)s or more: so many prizes are won, or may be won by ballots that are "
            "in already.",
            least=standing.bound,
        )
    if standing.won >= lottery.winnable and lottery.closes_on > closed_on:
        raise NoPrizeLeft(
            "All its prizes are won. To reopen it, first raise how often its prize can be won."
        )
