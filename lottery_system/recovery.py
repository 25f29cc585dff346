"""Recovery statements in the making: end the journal, and begin the next under new keys.

After data loss: what the high-water mark records and the database lacks is lost. The loss is
stated, signed and published. A day whose published result was lost is never drawn again, since
another result would contradict it. Later days go on with the ballots that are left.

Keys are replaced by the same statement, of no loss.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, func, select, update
from sqlalchemy.orm import Session

from config import Settings
from lottery_system.clock import day_of
from lottery_system.errors import LotteryError, Paused
from lottery_system.fairness.merkle import EMPTY_ROOT
from lottery_system.fairness.note import format_vkey
from lottery_system.fairness.records import Genesis, parse_genesis
from lottery_system.fairness.recovery import LostBallots, sign_recovery
from lottery_system.fairness.recovery import Recovery as Statement
from lottery_system.keys import adopt_drafts, begin_journal, make_drafts
from lottery_system.mark import Head, Mark
from lottery_system.models import LOST, OPEN, Draw, Holding, LogKeys, Recovery, User
from lottery_system.queries.logs import journal_head, journal_record, last_record
from lottery_system.rollback import demand_day, demand_journal, draw_of, hash_of

log = logging.getLogger(__name__)


class NothingLost(LotteryError):
    """The database has everything that the mark records."""


class Changed(LotteryError):
    """The journal, or what is lost of it, differs from what was shown."""


class LostDay(NamedTuple):
    """A day whose result was published and is not in the database."""

    day: date
    #: of its ballots those that are left, by username, the most first; they play in no draw
    left: Sequence[tuple[str, int]]


class Ending(NamedTuple):
    """How a journal ends: what was published of it, and what of that is not in the database."""

    timeline: int
    genesis: Genesis
    #: H of the genesis
    ended: bytes
    #: the journal as far as it was signed, and as far as the database has it
    signed: Head
    left: Head
    #: the first day that the next journal has
    first: date
    days: Sequence[LostDay]
    #: days whose acknowledged ballots are not all there
    ballots: Sequence[LostBallots]


def assess(connection: Connection, mark: Mark) -> Ending:
    """Return what the mark records and the database lacks.

    Raises:
        NothingLost: the database has all of it.
        Paused: the database has no journal, or is another lottery's.
    """
    timeline, began, left = _journal(connection, mark)
    first = began.first + timedelta(days=max(mark.journal.size, left.size) - 1)
    last_number = left.size - 1
    if left.size >= mark.journal.size:
        known = journal_head(connection, mark.journal.size)
        if known is None or known.root != mark.journal.root:
            left = Head(0, EMPTY_ROOT)  # it is another one: nobody knows what both have
    ballots = []
    for day, head in mark.days.items():
        draw = draw_of(connection, day)
        try:
            demand_day(connection, mark, day, draw)
        except Paused:
            count = draw.ballot_count if draw else 0
            # where other ballots stand in the place of those that were acknowledged, none is left
            ballots.append(LostBallots(day, head.size, count if count < head.size else 0))
    loss = Ending(
        timeline=timeline,
        genesis=began,
        ended=mark.genesis,
        signed=mark.journal,
        left=left,
        first=first,
        days=[
            LostDay(day, _holders(connection, day))
            for number in range(last_number, mark.journal.size - 1)
            for day in [began.first + timedelta(days=number)]
        ],
        ballots=ballots,
    )
    try:
        demand_journal(connection, mark)
    except Paused:
        return loss
    if not ballots:
        raise NothingLost("The database has all that was published. Nothing needs to be recovered.")
    return loss


def intact(connection: Connection, mark: Mark) -> Ending:
    """Return how the journal ends where nothing is lost, and only its keys are replaced.

    Raises:
        Paused: the database lacks what the mark records, or is another lottery's.
    """
    demand_journal(connection, mark)
    for day in mark.days:
        demand_day(connection, mark, day, draw_of(connection, day))
    timeline, began, head = _journal(connection, mark)
    return Ending(
        timeline=timeline,
        genesis=began,
        ended=mark.genesis,
        signed=head,
        left=head,
        first=began.first + timedelta(days=head.size - 1),
        days=(),
        ballots=(),
    )


def _journal(connection: Connection, mark: Mark) -> tuple[int, Genesis, Head]:
    """Return the timeline, genesis and head of the journal at hand, which is that of the mark.

    Raises:
        Paused: there is none, or another one.
    """
    genesis, last = journal_record(connection, 0), last_record(connection)
    if genesis is None or last is None or hash_of(genesis) != mark.genesis:
        demand_journal(connection, mark)  # which says why
        raise AssertionError("a journal that cannot be known fits its mark")
    head = journal_head(connection, last.number + 1)
    assert head is not None
    return last.timeline, parse_genesis(genesis.record), head


def describe(loss: Ending) -> str:
    """Say what is lost, and what is done about it, for the operator."""
    lines = ["This database lacks data that was published."]
    if loss.days:
        lines.append(
            f"  Journal: {loss.signed.size} records were signed, {loss.left.size} are left."
        )
    elif not loss.left.size:
        lines.append(
            f"  Journal: {loss.signed.size} records were signed, and the ones here are others: "
            "results that are here may not be those that were published."
        )
    for lost in loss.days:
        lines.append(f"  {lost.day}: its published result is lost; it is never drawn again.")
        if lost.left:
            held = ", ".join(f"{name} {count}" for name, count in lost.left)
            lines.append(f"    Ballots that are left, and are in no draw: {held}.")
    for each in loss.ballots:
        lines.append(
            f"  {each.day}: ballots {each.left + 1} to {each.signed} were acknowledged and are "
            f"lost ({each.signed - each.left}). Their holders are unknown; receipts show them."
        )
    lines += [
        "If there is a newer backup, or a newer standby, restore that one instead: start the",
        "lottery on it, and it goes on by itself. Else stop the lottery on all hosts. Its journal",
        "then ends with a signed, published statement of this loss, and a new one begins under new",
        f"keys with {loss.first}. Results that are here stay at their addresses.",
    ]
    return "\n".join(lines)


def describe_replacement(ending: Ending, waiting: Sequence[date]) -> str:
    """Say what is done where keys are replaced, for the operator.

    Args:
        waiting: days that are closed and not drawn.
    """
    lines = [
        "Nothing is lost. The lottery gets a new log_key and a new chain_tip.",
        f"  The journal ends with {ending.signed.size} records, and a signed statement that "
        "nothing of it is lost.",
        f"  The next one begins with {ending.first}. Open days keep their ballots and numbers, and "
        "results their certificates.",
    ]
    lines += [f"  {day}: closed already, so that it is drawn as it was frozen." for day in waiting]
    lines += [
        "This can't be undone. Stop the lottery on all hosts first. The new keys must then be",
        "backed up and copied to all hosts, and the new pin published.",
    ]
    return "\n".join(lines)


def recover(
    session: Session,
    settings: Settings,
    log_keys: LogKeys,
    *,
    mark: Mark,
    shown: Ending,
    now: datetime,
) -> str:
    """End the journal with a signed statement of the loss, and begin the next one.

    Args:
        session: without a transaction begun.
        log_keys: of the journal that ends.
        mark: what was published.
        shown: what whoever decided this has seen.

    Returns:
        The statement, a signed note.

    Raises:
        Changed: something else is lost by now; nothing was done.
    """
    return _end(
        session, settings, log_keys, lambda found: assess(found, mark), shown=shown, now=now
    )


def replace_keys(
    session: Session,
    settings: Settings,
    log_keys: LogKeys,
    *,
    mark: Mark,
    shown: Ending,
    now: datetime,
) -> str:
    """End the journal with a signed statement of no loss, and begin the next one under new keys.

    Args:
        session: without a transaction begun.
        log_keys: those that are replaced; their secret chain is not needed.
        mark: what was published.
        shown: what whoever decided this has seen.

    Returns:
        The statement, a signed note.

    Raises:
        Changed: the journal has grown since; nothing was done.
        Paused: something is lost; nothing was done.
    """
    return _end(
        session, settings, log_keys, lambda found: intact(found, mark), shown=shown, now=now
    )


def _end(
    session: Session,
    settings: Settings,
    log_keys: LogKeys,
    look: Callable[[Connection], Ending],
    *,
    shown: Ending,
    now: datetime,
) -> str:
    """End the journal as was shown, if that is still so, and begin the next one.

    The new keys are on the disk, as drafts, before anything is committed; whoever starts next
    takes them over, or clears them away if nothing was (`keys`).

    Args:
        look: returns how it would end now, under the lock.
    """
    with session.begin():
        # concurrent ballots and closes wait, and then find the day over or their keys unfit;
        # whoever adopts drafts waits, too
        Draw.hold_all(session.connection())
        if look(session.connection()) != shown:
            raise Changed(
                "The database has changed meanwhile: nothing was done. Stop the lottery on all "
                "hosts, then start again."
            )
        # drafts that an attempt left may be known to whoever took a copy of the folder since
        adopt_drafts(session, settings)
        following = make_drafts(settings, log_keys.chain)
        _end_days(session, shown.first, now)
        begins = begin_journal(
            session,
            following,
            shown.genesis.gap,
            now,
            first=shown.first,
            timeline=shown.timeline + 1,
        )
        statement = sign_recovery(
            Statement(
                name=shown.genesis.name,
                key=format_vkey(log_keys.key.verifier),
                ended=shown.ended,
                signed=shown.signed.size,
                root=shown.signed.root,
                kept=shown.left.size,
                left=shown.left.root,
                next=format_vkey(following.key.verifier),
                begins=begins,
                first=shown.first,
                time=now.replace(microsecond=0),
                ballots=tuple(shown.ballots),
            ),
            [log_keys.key, following.key],
        )
        session.add(
            Recovery(
                timeline=shown.timeline + 1,
                statement=statement,
                ended_key=format_vkey(log_keys.key.verifier),
            )
        )
    with session.begin():
        adopt_drafts(session, settings)
    log.warning("journal %d ended, journal %d begun", shown.timeline, shown.timeline + 1)
    return statement


def _end_days(session: Session, first: date, now: datetime) -> None:
    """Let the open days before the next journal's first be lost; closed ones are drawn yet."""
    Draw.open_until(session.connection(), max(first, day_of(now)))
    session.execute(
        update(Draw)
        .where(Draw.day < first, Draw.status == OPEN)
        .values(status=LOST)
        .execution_options(synchronize_session=False)
    )


def _holders(connection: Connection, day: date) -> list[tuple[str, int]]:
    count = func.sum(Holding.ballot_count)
    rows = connection.execute(
        select(User.username, count)
        .join(Holding, Holding.user_id == User.id)
        .where(Holding.day == day)
        .group_by(User.username)
        .order_by(count.desc(), User.username)
    )
    return [(name, int(total)) for name, total in rows]
