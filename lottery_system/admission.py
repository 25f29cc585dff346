"""Admission: the one transaction that stores a batch of submissions."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, bindparam, cast, func, null, select, union_all

from lottery_system.ballot_rate import allowed, refusal
from lottery_system.errors import (
    AccountBlocked,
    AllPrizesWon,
    LastPrizeUndecided,
    LastPrizeWaits,
    LotteryError,
    LotteryFinished,
    LotteryNotOpen,
    TokenTaken,
    TooManyADay,
    UnknownLottery,
)
from lottery_system.fairness.commitment import HOLDER_BYTES
from lottery_system.fairness.merkle import Frontier, leaf_hashes
from lottery_system.fairness.records import format_run
from lottery_system.mark import Head, Mark
from lottery_system.models import (
    LOST,
    AskedBallots,
    Ballot,
    BallotTile,
    Draw,
    GrantedBallots,
    Holding,
    Lottery,
    Submission,
    User,
)
from lottery_system.models.base import table_of
from lottery_system.models.database_clock import Clocks
from lottery_system.models.draw import Turn
from lottery_system.models.prizes import Standing, standings
from lottery_system.queries import AnyRow
from lottery_system.rollback import below, beside, demand_day, demand_journal, draw_of, head_of
from lottery_system.runtime.eager import together

Answer = GrantedBallots | LotteryError


class _Run(NamedTuple):
    """Ballots that are new to a day, on their way to its tables."""

    asked: AskedBallots
    granted: GrantedBallots


class Admitted(NamedTuple):
    """The answers to submissions, and the heads to record before they are sent."""

    #: one for each submission, in order
    answers: list[Answer]
    #: of the days of the answered ballots
    heads: dict[date, Head]
    #: how many ballots are new
    stored: int


def admit(
    connection: Connection,
    submissions: Sequence[AskedBallots],
    utcnow: Callable[[], datetime],
    mark: Mark | None = None,
    check: Callable[[Clocks], None] = lambda clocks: None,
    *,
    ballots_per_hour: int | None = None,
    gap: timedelta = timedelta(),
) -> Admitted:
    """Number and store ballots in the day that is open now; the caller commits.

    Answers each submission in turn: with its run of numbers; with the one that was stored, where
    its token came before; or with the error that refuses it alone. The day's row is locked first
    and until the end of the transaction, so everything read here still holds when it is committed.

    Args:
        mark: what was published before; None if nothing is known of it.
        check: refuses them all, by an exception, if the clocks disagree.
        ballots_per_hour: the rate that each participant keeps to; None for any.
        gap: from a day's closing to its draw, for the message to participants who have to wait.

    Raises:
        Paused: the database is behind the mark or differs from it.
    """
    turn = Draw.take_turn(connection, utcnow)
    check(turn.clocks)
    head = mark.days.get(turn.day) if mark else None
    granted, lotteries, held, blocked = _known(
        connection,
        submissions,
        head.token if head else None,
        turn.day if _must_count(turn, submissions, ballots_per_hour) else None,
    )
    if mark is not None:
        _demand(connection, turn, mark, granted)
    limits = _LotteryLimits(connection, turn, lotteries, submissions, gap)
    fresh: list[_Run] = []
    number = turn.ballot_count + 1
    answers: list[Answer] = []
    for submission in submissions:
        earlier = granted.get(submission.token)
        lottery = lotteries.get(submission.lottery_id)
        if earlier is not None:
            mine = earlier.user_id == submission.user_id
            answers.append(earlier if mine else TokenTaken())
        elif submission.user_id in blocked:
            answers.append(AccountBlocked())
        elif lottery is None:
            answers.append(UnknownLottery())
        elif turn.day > lottery.closes_on:
            answers.append(LotteryFinished(lottery.name))
        elif turn.day < lottery.opens_on:
            answers.append(LotteryNotOpen(lottery.name, lottery.opens_on))
        elif beyond := limits.refusal(submission):
            answers.append(beyond)
        elif ballots_per_hour and (
            refused := refusal(
                ballots_per_hour,
                turn.day,
                turn.now,
                held[submission.user_id],
                submission.ballot_count,
            )
        ):
            answers.append(refused)
        else:
            run = GrantedBallots(
                token=submission.token,
                user_id=submission.user_id,
                lottery_id=submission.lottery_id,
                day=turn.day,
                first_number=number,
                ballot_count=submission.ballot_count,
                submitted_at=turn.now,
            )
            number += run.ballot_count
            held[run.user_id] += run.ballot_count
            granted[run.token] = run
            limits.count(submission)
            fresh.append(_Run(submission, run))
            answers.append(run)
    grown = _store(connection, turn, fresh) if fresh else turn.frontier
    heads = _heads(connection, turn, grown, answers)
    return Admitted(answers, heads, stored=number - 1 - turn.ballot_count)


def rehearse(
    connection: Connection,
    utcnow: Callable[[], datetime],
    mark: Mark | None,
    check: Callable[[Clocks], None],
) -> None:
    """Do what admitting a ballot takes, without a ballot; the caller rolls back.

    Locks the open day, compares clocks and mark, and writes the day's row as it is.

    Raises:
        Paused: a ballot would be refused.
    """
    admit(connection, (), utcnow, mark, check)
    turn = Draw.take_turn(connection, utcnow)
    Draw.count_ballots(connection, turn, turn.frontier)


class _LotteryLimits:
    """What the lotteries of a batch allow yet, asked for only where one of them has a limit.

    Under the day's lock: nobody else adds to the day, nor changes a limit.
    """

    def __init__(
        self,
        connection: Connection,
        turn: Turn,
        lotteries: dict[int, AnyRow],
        submissions: Sequence[AskedBallots],
        gap: timedelta,
    ) -> None:
        self._turn = turn
        self._lotteries = lotteries
        self._gap = gap
        few = [number for number, each in lotteries.items() if each.most_a_day is not None]
        users = {each.user_id for each in submissions if each.lottery_id in few}
        self._held: Counter[tuple[int, int]] = Counter()
        if few:
            self._held = Holding.held(connection, turn.day, users, few)
        rare = [number for number, each in lotteries.items() if each.winnable is not None]
        self._standings = standings(connection, rare, turn.day) if rare else {}

    def refusal(self, submission: AskedBallots) -> LotteryError | None:
        """Return why a submission is beyond a limit; None where it is not."""
        lottery = self._lotteries[submission.lottery_id]
        standing = self._standings.get(submission.lottery_id)
        if standing and standing.is_undecided(lottery.winnable):
            return self._no_prize(lottery, standing)
        held = self._held[submission.user_id, submission.lottery_id]
        if lottery.most_a_day and held + submission.ballot_count > lottery.most_a_day:
            return TooManyADay(lottery.name, lottery.most_a_day, held)
        return None

    def count(self, submission: AskedBallots) -> None:
        """Take note of a submission that is admitted."""
        self._held[submission.user_id, submission.lottery_id] += submission.ballot_count

    def _no_prize(self, lottery: AnyRow, standing: Standing) -> LotteryError:
        if standing.won >= lottery.winnable:
            return AllPrizesWon(lottery.name)
        at = standing.decided_at(self._turn.now, self._gap)
        if standing.first_undrawn is None or at is None:
            return LastPrizeWaits(lottery.name)
        return LastPrizeUndecided(lottery.name, standing.first_undrawn, at)


def _must_count(turn: Turn, submissions: Sequence[AskedBallots], per_hour: int | None) -> bool:
    """Return whether anyone could exceed the rate; nobody if the whole day has fewer ballots."""
    if per_hour is None:
        return False
    coming = sum(each.ballot_count for each in submissions)
    return turn.ballot_count + coming > allowed(per_hour, turn.day, turn.now)


def _demand(
    connection: Connection, turn: Turn, mark: Mark, stored: dict[UUID, GrantedBallots]
) -> None:
    """Compare what a batch builds on with the mark, usually without an extra statement.

    If another process has grown the day since, its batch came after the one that the mark names. If
    that one's last submission has the right number, so does everything before it.

    Raises:
        Paused: the database is behind the mark or differs from it.
    """
    if turn.journal_size < mark.journal.size:
        demand_journal(connection, mark)
    for day, head in mark.days.items():
        if day != turn.day:
            demand_day(connection, mark, day, draw_of(connection, day))
        elif turn.ballot_count < head.size:
            raise below(day, turn.ballot_count, head)
        elif turn.ballot_count == head.size:
            if turn.frontier.root != head.root:
                raise beside(day, head)
        elif head.token is None:
            demand_day(connection, mark, day, draw_of(connection, day))
        else:
            last = stored.get(head.token)
            if last is None or (last.day, last.last_number) != (day, head.size):
                raise beside(day, head)


def _heads(
    connection: Connection, turn: Turn, grown: Frontier, answers: Sequence[Answer]
) -> dict[date, Head]:
    """Return the heads of the days of the answered ballots."""
    heads = {}
    answered = [each for each in answers if isinstance(each, GrantedBallots)]
    for day in {each.day for each in answered}:
        if day == turn.day:
            last = max(answered, key=lambda each: (each.day == day, each.first_number))
            is_last = last.last_number == grown.size
            heads[day] = Head(grown.size, grown.root, last.token if is_last else None)
        else:  # repeated, over midnight
            draw = draw_of(connection, day)
            if draw is not None and draw.status != LOST and draw.frontier:
                heads[day] = head_of(draw)
    return heads


def _known(
    connection: Connection,
    submissions: Sequence[AskedBallots],
    marked: UUID | None,
    day: date | None,
) -> tuple[dict[UUID, GrantedBallots], dict[int, AnyRow], Counter[int], set[int]]:
    """Return what a batch must know, in one statement.

    Args:
        marked: one more token to look for.
        day: the one of which the users' ballots are counted; None if nobody's need be.

    Returns:
        What is stored under their tokens already, their lotteries, the counts by user, and which
        users are blocked.
    """
    parameters = {
        "tokens": [each.token for each in submissions] + ([marked] if marked else []),
        "ids": list({each.lottery_id for each in submissions}),
        "users": list({each.user_id for each in submissions}),
        "day": day,
    }
    stored, lotteries, held, blocked = {}, {}, Counter[int](), set()
    for row in connection.execute(_KNOWN if day is None else _KNOWN_AND_HELD, parameters):
        if row.token is not None:
            stored[row.token] = GrantedBallots._make(row[: len(_ANSWER)])
        elif row.lottery_id is not None:
            lotteries[row.lottery_id] = row
        elif row.ballot_count is None:
            blocked.add(row.user_id)
        else:
            held[row.user_id] = row.ballot_count
    return stored, lotteries, held, blocked


def _store(connection: Connection, turn: Turn, runs: Sequence[_Run]) -> Frontier:
    leaves: list[bytes] = []
    rows: list[dict[str, object]] = []
    counts: Counter[tuple[int, int]] = Counter()
    for run in runs:
        of_run = _leaves(run)
        leaves += of_run
        rows.append(_row(run, b"".join(of_run)))
        counts[run.asked.user_id, run.asked.lottery_id] += run.asked.ballot_count
    grown, nodes = turn.frontier.extend(leaves)
    with together(connection):
        connection.execute(_STORE, rows)
        BallotTile.grow(connection, turn.day, nodes)
        Ballot.unfold(connection, turn.day, turn.ballot_count + 1)
        Holding.add(connection, turn.day, counts)
    Draw.count_ballots(connection, turn, grown)
    return grown


def _leaves(run: _Run) -> list[bytes]:
    """Return the ballots' leaf hashes in the day's log."""
    holders, granted = run.asked.holders, run.granted
    records = format_run(
        granted.day,
        granted.first_number,
        granted.lottery_id,
        [holders[at : at + HOLDER_BYTES] for at in range(0, len(holders), HOLDER_BYTES)],
        granted.submitted_at,
    )
    return leaf_hashes(records)


def _row(run: _Run, leaves: bytes) -> dict[str, object]:
    asked, granted = run
    return {
        **granted._asdict(),
        "salts": asked.salts,
        "holders": asked.holders,
        "leaves": leaves,
    }


_submission, _lottery, _holding = table_of(Submission), table_of(Lottery), table_of(Holding)
_user = table_of(User)
#: the columns of a stored submission's answer, without the long ones that only the log needs
_ANSWER = GrantedBallots._fields
_answer = [_submission.c[name] for name in _ANSWER]
_OF_LOTTERY = tuple(
    _lottery.c[name] for name in ("name", "opens_on", "closes_on", "most_a_day", "winnable")
)


def _nothing_but(**known: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """Return the columns of a union's row, all of them null but some."""
    return [
        known.get(column.name, cast(null(), column.type)).label(column.name)
        for column in (*_answer, *_OF_LOTTERY)
    ]


_tokens_known = select(
    *_answer, *(cast(null(), column.type).label(column.name) for column in _OF_LOTTERY)
).where(_submission.c.token.in_(bindparam("tokens", expanding=True)))
_lotteries_known = select(
    *_nothing_but(lottery_id=_lottery.c.id, **{each.name: each for each in _OF_LOTTERY})
).where(_lottery.c.id.in_(bindparam("ids", expanding=True)))
_held = (
    select(
        *_nothing_but(user_id=_holding.c.user_id, ballot_count=func.sum(_holding.c.ballot_count))
    )
    .where(
        _holding.c.user_id.in_(bindparam("users", expanding=True)),
        _holding.c.day == bindparam("day"),
    )
    .group_by(_holding.c.user_id)
)
#: usually none, of which an index tells at once
_blocked = select(*_nothing_but(user_id=_user.c.id)).where(
    _user.c.blocked_at.is_not(None), _user.c.id.in_(bindparam("users", expanding=True))
)
_KNOWN = union_all(_tokens_known, _lotteries_known, _blocked)
_KNOWN_AND_HELD = union_all(_tokens_known, _lotteries_known, _blocked, _held)
_STORE = _submission.insert()
