"""Audit: checks the database against its own logs, every day, every number and every prize.

Reads everything, in bounded memory, and writes nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType

from sqlalchemy import Connection

from lottery_system.audit.days import check_days
from lottery_system.audit.heads import Fault, day_of_head
from lottery_system.audit.journal import check_journal
from lottery_system.audit.prizes import check_prizes
from lottery_system.audit.progress import Watch, no_progress
from lottery_system.certificates import key_of
from lottery_system.clock import ONE_DAY
from lottery_system.fairness.commitment import anchor_of
from lottery_system.fairness.note import Checkpoint
from lottery_system.fairness.records import RecordError, parse_genesis
from lottery_system.models import CLOSED, DRAWN, LOST, OPEN, LogKeys
from lottery_system.queries import AnyRow
from lottery_system.queries.auditing import (
    count_freezes,
    draws_from,
    holdings_per_day,
    latest_ballot_day,
)
from lottery_system.queries.logs import journal_record, last_record


def audit(
    connection: Connection,
    log_keys: LogKeys,
    *,
    first: date | None = None,
    last: date | None = None,
    heads: Mapping[int, Sequence[Checkpoint]] = MappingProxyType({}),
    jobs: int = 1,
    watch: Watch = no_progress,
) -> Iterator[Fault]:
    """Yield a sentence for each error found.

    Days that were drawn before there was a journal have no log, and are skipped.

    Args:
        connection: sees one and the same state in all statements (`database.snapshot`); otherwise
            a day that is closed meanwhile looks like one that does not fit the journal.
        log_keys: the keys with which the journal was begun.
        first: the first day to be checked. The journal is always checked whole.
        last: the last day to be checked.
        heads: what logs are known to have been, taken on trust, by the timeline of the journal
            whose key signed it: the origin is the lottery's name, or that and a day. Their days
            are checked whatever `first` and `last` are.
        jobs: processes at most.
        watch: told how far it is.
    """
    newest = last_record(connection)
    if newest is None:
        yield "the journal has not begun"
        return
    geneses = []
    for timeline in range(newest.timeline + 1):
        record = journal_record(connection, 0, timeline)
        try:
            geneses.append(parse_genesis(record.record if record else ""))
        except RecordError as error:
            yield f"the journal's genesis: {error}"
            return
    genesis = geneses[-1]
    if anchor_of(log_keys.tip) != genesis.anchor:
        yield "the stored secret chain is not the one that the genesis commits to"
    by_timeline: defaultdict[int, list[Checkpoint]] = defaultdict(list)
    by_day: defaultdict[date, list[Checkpoint]] = defaultdict(list)
    for timeline, head in [(each, head) for each in heads for head in heads[each]]:
        day = day_of_head(head, genesis.name)
        if day is not None:  # its log is one and the same, whichever key signed how far it was
            by_day[day].append(head)
        elif head.origin == genesis.name:
            by_timeline[timeline].append(head)
        else:
            yield f"the head of {head.origin} is not of {genesis.name} or of one of its days"
    for timeline, each in enumerate(geneses):
        key = key_of(connection, timeline, log_keys)
        yield from check_journal(connection, timeline, each, key, by_timeline[timeline])
    begins = geneses[0].first
    draws = draws_from(connection, begins)
    yield from _order(connection, draws, begins, genesis.first)
    known = {draw.day for draw in draws}
    for day in sorted(by_day.keys() - known):
        yield f"the head of {genesis.name}/{day} is of a day that has no draw"
    yield from check_prizes(connection, first, last)
    yield from check_days(
        connection,
        [
            draw
            for draw in draws
            if (first or draw.day) <= draw.day <= (last or draw.day) or draw.day in by_day
        ],
        log_keys,
        holdings=holdings_per_day(connection),
        heads=by_day,
        jobs=jobs,
        watch=watch,
    )


def _order(
    connection: Connection, draws: Sequence[AnyRow], begins: date, first: date
) -> Iterator[Fault]:
    """Check that there is a draw for each day, that they end in order, and as the journals say.

    Args:
        begins: the first day of the first journal.
        first: that of the present one; only days before it may be lost.
    """
    day = begins
    for draw in draws:
        if day < draw.day:
            others = f", nor has any day before {draw.day}" if day + ONE_DAY < draw.day else ""
            yield f"{day} has no draw{others}"
        day = draw.day + ONE_DAY
    latest = latest_ballot_day(connection)
    if latest is not None and latest >= day:
        yield f"{latest} has ballots, but no draw"
    for draw in draws:
        if draw.status == LOST and draw.day >= first:
            yield f"{draw.day} is lost, but no recovery says so"
    statuses = [draw.status for draw in draws if draw.status != LOST]
    if statuses != sorted(statuses, key=[DRAWN, CLOSED, OPEN].index):
        yield "days are not closed and drawn in order"
    frozen = count_freezes(connection)
    ended = sum(status != OPEN for status in statuses)
    if frozen != ended:
        yield f"{ended} days are closed, but the journal has the freezes of {frozen}"
