"""Acknowledged ballots compared with a database: each day, ballot and winner exactly once."""

from collections import Counter
from collections.abc import Hashable, Iterable
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY, day_of
from lottery_system.fairness.selection import winning_ballots
from lottery_system.models import (
    DRAWN,
    OPEN,
    Ballot,
    Draw,
    GrantedBallots,
    Holding,
    Offer,
    Submission,
    Winner,
)


def receipt(granted: GrantedBallots | Submission) -> str:
    """Write on one line what a submission is acknowledged with."""
    return written(
        granted.token, granted.lottery_id, granted.ballot_count, granted.day, granted.first_number
    )


def written(token: UUID, lottery_id: int, ballot_count: int, day: date, first_number: int) -> str:
    """Write a receipt on one line."""
    return f"{token} {lottery_id} {ballot_count} {day} {first_number}"


def audit(session: Session, receipts: Iterable[str]) -> None:
    """Hold all receipts against the database, and its tables against each other, row by row."""
    submissions = session.scalars(select(Submission)).all()
    same("submissions", map(receipt, submissions), receipts)
    assert all(day_of(each.submitted_at) == each.day for each in submissions), "outside its day"

    draws = session.scalars(select(Draw).order_by(Draw.day)).all()
    assert [each.day for each in draws] == [draws[0].day + n * ONE_DAY for n in range(len(draws))]
    assert [each.status for each in draws] == [DRAWN] * (len(draws) - 1) + [OPEN]
    ended = [(each.closed_at, each.drawn_at) for each in draws if each.closed_at and each.drawn_at]
    assert all(closed_at <= drawn_at for closed_at, drawn_at in ended), "drawn before it was closed"

    ballots = session.scalars(select(Ballot)).all()
    same(
        "numbers",
        ((each.day, each.number) for each in ballots),
        ((each.day, n) for each in draws for n in range(1, each.ballot_count + 1)),
    )
    same(
        "ballots",
        (
            (each.day, each.number, each.user_id, each.lottery_id, each.submitted_at)
            for each in ballots
        ),
        (
            (each.day, number, each.user_id, each.lottery_id, each.submitted_at)
            for each in submissions
            for number in range(each.first_number, each.first_number + each.ballot_count)
        ),
    )
    same(
        "holdings",
        (
            (each.user_id, each.day, each.lottery_id)
            for each in session.scalars(select(Holding))
            for _ in range(each.ballot_count)
        ),
        ((each.user_id, each.day, each.lottery_id) for each in ballots),
    )
    same(
        "winners",
        ((each.day, each.place, each.number) for each in session.scalars(select(Winner))),
        (
            (each.day, pick.place, pick.number)
            for each in draws
            if each.seed
            for pick in winning_ballots(each.seed, each.ballot_count, places=1)
        ),
    )
    lotteries = {(each.day, each.number): each.lottery_id for each in ballots}
    offered = {(each.day, each.lottery_id) for each in session.scalars(select(Offer))}
    won = {(each.day, lotteries[each.day, each.number]) for each in session.scalars(select(Winner))}
    assert won <= offered, f"not offered, and won: {won - offered}"


def same(what: str, found: Iterable[Hashable], expected: Iterable[Hashable]) -> None:
    """Compare regardless of order, and say what differs without listing thousands."""
    has, needs = Counter(found), Counter(expected)
    missing, foreign = list((needs - has).elements()), list((has - needs).elements())
    assert not missing, f"{what}: {len(missing)} are missing, like {missing[0]}"
    assert not foreign, f"{what}: {len(foreign)} are too many, like {foreign[0]}"
