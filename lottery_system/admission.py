"""What one transaction does with the submissions that it admits."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.errors import (
    LotteryError,
    LotteryFinished,
    TokenTaken,
    UnknownLottery,
)
from lottery_system.models import Ballot, Draw, Holding, Lottery, Submission
from lottery_system.models.base import insert_into
from lottery_system.models.draw import Turn

Answer = Submission | LotteryError


def admit(
    session: Session, submissions: Sequence[Submission], utcnow: Callable[[], datetime]
) -> list[Answer]:
    """Number and store ballots in the day that is open now; the caller commits.

    Takes submissions with token, user, lottery and count, and answers each in turn: with itself,
    now with day, first number and instant; with the stored one, where its token came before; or
    with the error that refuses it alone. The day's row is locked first and until the end of the
    transaction, so everything read here still holds when it is committed.
    """
    turn = Draw.take_turn(session, utcnow)
    stored = _stored(session, [each.token for each in submissions])
    lotteries = _lotteries(session, {each.lottery_id for each in submissions})
    fresh: dict[UUID, Submission] = {}
    number = turn.ballot_count + 1
    answers: list[Answer] = []
    for submission in submissions:
        earlier = stored.get(submission.token) or fresh.get(submission.token)
        lottery = lotteries.get(submission.lottery_id)
        if earlier is not None:
            mine = earlier.user_id == submission.user_id
            answers.append(earlier if mine else TokenTaken())
        elif lottery is None:
            answers.append(UnknownLottery())
        elif not lottery.is_open(turn.day):
            answers.append(LotteryFinished(lottery.name))
        else:
            submission.day = turn.day
            submission.first_number = number
            submission.submitted_at = turn.now
            number += submission.ballot_count
            fresh[submission.token] = submission
            answers.append(submission)
    if fresh:
        _store(session, turn, list(fresh.values()))
    return answers


def _stored(session: Session, tokens: Iterable[UUID]) -> dict[UUID, Submission]:
    rows = session.scalars(select(Submission).where(Submission.token.in_(tokens)))
    return {row.token: row for row in rows}


def _lotteries(session: Session, ids: Iterable[int]) -> dict[int, Lottery]:
    return {row.id: row for row in session.scalars(select(Lottery).where(Lottery.id.in_(ids)))}


def _store(session: Session, turn: Turn, submissions: Sequence[Submission]) -> None:
    rows = [_row(each) for each in submissions]
    session.execute(insert_into(session, Submission), rows)
    Ballot.unfold(session, turn.day, turn.ballot_count + 1)
    counts: Counter[tuple[int, int]] = Counter()
    for each in submissions:
        counts[each.user_id, each.lottery_id] += each.ballot_count
    Holding.add(session, turn.day, counts)
    Draw.count_ballots(session, turn, counts.total())


def _row(submission: Submission) -> dict[str, object]:
    return {
        "token": submission.token,
        "user_id": submission.user_id,
        "lottery_id": submission.lottery_id,
        "day": submission.day,
        "first_number": submission.first_number,
        "ballot_count": submission.ballot_count,
        "submitted_at": submission.submitted_at,
    }
