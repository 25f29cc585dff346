"""Rollback detection: compares the database with the high-water mark before it is used.

An older backup, or a standby that took over too early, is behind the mark; a database with a
different history differs from it. Such a database takes no ballots and makes no draws, since that
would contradict what was published.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from hashlib import sha256

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from lottery_system.errors import Paused
from lottery_system.fairness import tiles
from lottery_system.fairness.merkle import EMPTY_ROOT, Frontier
from lottery_system.fairness.records import Genesis, parse_genesis
from lottery_system.mark import Head, Mark, MarkDamaged
from lottery_system.mark_files import MarkFiles
from lottery_system.models import LOST, Draw
from lottery_system.models.base import table_of
from lottery_system.pause import Pause
from lottery_system.queries import AnyRow
from lottery_system.queries.logs import (
    StoredRecord,
    ballot_tiles,
    journal_head,
    journal_record,
    last_record,
)
from lottery_system.queries.recoveries import recoveries

log = logging.getLogger(__name__)

#: by which the pause knows what is found here
CAUSE = "mark"
RECOVER = "`flask --app lottery_system draw recover` shows what is lost and how to go on"
RESTORE = (
    "Restore the newest backup, or wait for the newest standby; if there is none, " + RECOVER + "."
)


class Rollback:
    """Compares the database with the mark, and pauses the process if they do not match.

    Args:
        marks: where it is kept.
        pause: is set while the database does not match.
    """

    def __init__(self, marks: MarkFiles, pause: Pause) -> None:
        self._marks = marks
        self._pause = pause

    def look(self, connection: Connection) -> bool:
        """Check everything, set or clear the pause, and raise the mark.

        A lottery that has no mark yet gets one; so does one whose loss was stated and that begins
        again (`recovery`). Nothing happens before the journal has begun.

        Returns:
            Whether the database matches the mark.
        """
        try:
            self._follow(connection)
            self.raise_all(connection)
        except Paused as error:
            self._pause.set(CAUSE, error.reason)
            return False
        self._pause.clear(CAUSE)
        return True

    def check(self, connection: Connection) -> None:
        """Compare the journal, and each day that the mark names, with the mark.

        Raises:
            Paused: the database is behind the mark or differs from it.
        """
        mark = self.read()
        if mark is None:
            return
        try:
            demand_journal(connection, mark)
            for day in mark.days:
                demand_day(connection, mark, day, draw_of(connection, day))
        except Paused as error:
            self._pause.set(CAUSE, error.reason)
            raise

    @contextmanager
    def signing(self, connection: Connection, day: date) -> Iterator[None]:
        """Check a day before its head is signed, and raise the mark to it before it is shown.

        Raises:
            Paused: the database is behind or differs from the mark, or the mark cannot be written.
        """
        mark = self.read()
        if mark is None:
            yield
            return
        genesis = demand_journal(connection, mark)
        demand_day(connection, mark, day, draw_of(connection, day))
        yield
        draw = draw_of(connection, day)
        demand_day(connection, mark, day, draw)
        last_day = genesis.first + timedelta(days=mark.journal.size - 2)
        if draw is not None and draw.ballot_count and day > last_day:
            self.raise_days(mark, {day: head_of(draw)})

    def is_damaged(self) -> bool:
        """Return whether a mark's content is damaged; an unreachable one may be intact."""
        try:
            self._marks.read()
        except MarkDamaged:
            return True
        except OSError:
            pass
        return False

    def begin_anew(self, connection: Connection) -> None:
        """Replace a mark that is damaged, or of a journal that ended, by what is committed.

        Raises:
            Paused: it cannot be written.
        """
        fresh = _mark_of(connection)
        if fresh is None:
            return
        mark, _ = fresh

        def raised(before: Mark | None) -> Mark:
            # another process may have begun it again, and raised it, already
            return before if before and before.genesis == mark.genesis else mark

        with self._pausing():
            self._marks.raise_to(raised, at_once=True)

    def _follow(self, connection: Connection) -> None:
        """Leave the mark of a journal that ended, if its statement admits all that the mark knows.

        This happens after a recovery, on each other host.
        """
        mark, genesis = self.read(), journal_record(connection, 0)
        if mark is None or genesis is None or hash_of(genesis) == mark.genesis:
            return
        statements = recoveries(connection)
        place = next(
            (at for at, (_, each) in enumerate(statements) if each.ended == mark.genesis), None
        )
        if place is None:
            return
        timeline, ended = statements[place]
        here = journal_head(connection, mark.journal.size, timeline - 1)
        is_here = here is not None and here.root == mark.journal.root
        if not is_here and (mark.journal.size, mark.journal.root) != (ended.signed, ended.root):
            return
        lost = [
            {each.day: each for each in statement.ballots} for _, statement in statements[place:]
        ]
        for day, head in mark.days.items():
            is_stated = any(
                day in ballots and ballots[day].left < head.size <= ballots[day].signed
                for ballots in lost
            )
            draw = draw_of(connection, day)
            if not is_stated and not (draw is not None and draw.status == LOST):
                demand_day(connection, mark, day, draw)
        log.warning("mark: the journal that it was of has ended; it follows the present one")
        self.begin_anew(connection)

    def publish(self, connection: Connection, last: StoredRecord) -> None:
        """Raise the mark to the journal's newest record, before its checkpoint is shown.

        An older checkpoint may be shown: it was signed, and contradicts nothing.

        Raises:
            Paused: the journal stands beside the mark, or the mark cannot be written.
        """
        mark = self.read()
        size = last.number + 1
        if mark is None or size < mark.journal.size:
            return
        if size > mark.journal.size:
            self.raise_all(connection)
        elif Frontier.from_bytes(size, last.frontier).root != mark.journal.root:
            demand_journal(connection, mark)

    def publish_newest(self, connection: Connection) -> StoredRecord | None:
        """Check everything, and raise the mark before what names the newest record is shown.

        Returns:
            That record; None if the journal has not begun.

        Raises:
            Paused: the database is behind the mark or differs from it, or the mark cannot be
                written.
        """
        self.check(connection)
        last = last_record(connection)
        if last is not None:
            self.publish(connection, last)
        return last

    def read(self) -> Mark | None:
        """Return the mark; None if there is none yet.

        Raises:
            Paused: it cannot be read.
        """
        with self._pausing():
            return self._marks.read()

    def raise_days(self, mark: Mark, heads: Mapping[date, Head]) -> None:
        """Raise the mark to committed heads, before they are published.

        Args:
            mark: as it was read before.

        Raises:
            Paused: it cannot be written.
        """

        def raised(before: Mark | None) -> Mark:
            after = before or mark
            for day, head in heads.items():
                after = after.raised(day, head)
            return after

        with self._pausing():
            self._marks.raise_to(raised)

    def raise_all(self, connection: Connection) -> None:
        """Check the whole, and raise the mark to all heads that are committed.

        Makes the mark if there is none; does nothing before the journal has begun.

        Raises:
            Paused: the database is behind the mark or differs from it, or it cannot be written.
        """
        self.check(connection)
        fresh = _mark_of(connection)
        if fresh is None:
            return
        mark, last_day = fresh

        def raised(before: Mark | None) -> Mark:
            if before is None or before.genesis != mark.genesis:
                return mark if before is None else before
            after = before.closed(mark.journal, last_day)
            for day, head in mark.days.items():
                after = after.raised(day, head)
            return after

        with self._pausing():
            self._marks.raise_to(raised, at_once=True)

    @contextmanager
    def _pausing(self) -> Iterator[None]:
        """Turn an error of the mark itself into a pause."""
        places = " and ".join(str(path) for path in self._marks.paths)
        try:
            yield
        except MarkDamaged as error:
            raise self._paused(
                f"{error} What was published beyond this database cannot be known from it. If the "
                f"database is the newest one, {RECOVER}."
            ) from None
        except OSError as error:
            raise self._paused(
                f"The high-water mark in {places} cannot be read or written ({error.strerror}). "
                "Give it room and rights; the lottery goes on by itself within a minute."
            ) from None

    def _paused(self, reason: str) -> Paused:
        self._pause.set(CAUSE, reason)
        return Paused(reason)


def check_session(session: Session, rollback: Rollback | None) -> None:
    """Check that a session's database has not been rolled back, if anything is known to check by.

    Raises:
        Paused: it was.
    """
    if rollback is not None:
        rollback.check(session.connection())


def demand_journal(connection: Connection, mark: Mark) -> Genesis:
    """Compare the journal with the mark, and return its genesis.

    Raises:
        Paused: it is behind the mark or differs from it, or is another lottery's.
    """
    genesis, last = journal_record(connection, 0), last_record(connection)
    if genesis is None or last is None:
        raise Paused(
            "The database is older than what was published: it has no journal, and "
            f"{mark.journal.size} records of it were signed. {RESTORE}"
        )
    if hash_of(genesis) != mark.genesis:
        raise Paused(
            "The database and the high-water mark are of different lotteries: the journals begin "
            f"with {hash_of(genesis).hex()} and {mark.genesis.hex()}. Set LOTTERY_DATABASE_URL and "
            "LOTTERY_STORAGE to the same lottery. If the database is a backup from before a "
            "recovery, or from before keys were replaced, restore a newer one; if the mark is left "
            "from another lottery, move it away."
        )
    began = parse_genesis(genesis.record)
    size = last.number + 1
    if size < mark.journal.size:
        lost = began.first + timedelta(days=mark.journal.size - 2)
        raise Paused(
            f"The database is older than what was published: its journal has {size} records, and "
            f"{mark.journal.size} were signed, up to the closing of {lost}. {RESTORE}"
        )
    known = journal_head(connection, mark.journal.size)
    if known is None or known.root != mark.journal.root:
        raise Paused(
            "The database is another than the one that was published: the first "
            f"{mark.journal.size} records of its journal are not those that were signed. {RESTORE}"
        )
    return began


def demand_day(connection: Connection, mark: Mark, day: date, draw: AnyRow | None) -> None:
    """Compare a day's log with the mark.

    Args:
        draw: the day's row with `ballot_count` and `frontier`; None if it has none.

    Raises:
        Paused: it is behind the mark or differs from it.
    """
    known = mark.days.get(day)
    if known is None:
        return
    size = draw.ballot_count if draw else 0
    if draw is None or size < known.size:
        raise below(day, size, known)
    if size == known.size:
        root = head_of(draw).root
    else:
        try:
            root = tiles.root(ballot_tiles(connection, day), known.size)
        except tiles.MissingTile:
            root = b""
    if root != known.root:
        raise beside(day, known)


def below(day: date, size: int, known: Head) -> Paused:
    """Return what to say of a day that lacks ballots."""
    return Paused(
        f"The database is older than what was published: it has {size} ballots of {day}, and "
        f"{known.size} were acknowledged. {RESTORE}"
    )


def beside(day: date, known: Head) -> Paused:
    """Return what to say of a day that has other ballots."""
    return Paused(
        f"The database is another than the one that was published: the first {known.size} ballots "
        f"of {day} are not those that were acknowledged. {RESTORE}"
    )


def draw_of(connection: Connection, day: date) -> AnyRow | None:
    """Return a day's status, count and frontier."""
    return connection.execute(_DRAWS.where(_draw.day == day)).one_or_none()


def head_of(draw: AnyRow) -> Head:
    """Return the head of a day's log."""
    if not draw.ballot_count:
        return Head(0, EMPTY_ROOT)
    return Head(draw.ballot_count, Frontier.from_bytes(draw.ballot_count, draw.frontier).root)


def hash_of(genesis: StoredRecord) -> bytes:
    """Return H of a genesis, by which a lottery is known."""
    return sha256(genesis.record.encode()).digest()


def _mark_of(connection: Connection) -> tuple[Mark, date] | None:
    """Return the mark of what is committed, and the last day that the journal covers."""
    last, genesis = last_record(connection), journal_record(connection, 0)
    if last is None or genesis is None:
        return None
    journal = journal_head(connection, last.number + 1)
    assert journal is not None
    last_day = parse_genesis(genesis.record).first + timedelta(days=last.number - 1)
    rows = connection.execute(_DRAWS.where(_draw.day > last_day, _draw.ballot_count > 0)).all()
    days = {row.day: head_of(row) for row in rows}
    return Mark(hash_of(genesis), journal, days), last_day


_draw = table_of(Draw).c
_DRAWS = select(_draw.day, _draw.status, _draw.ballot_count, _draw.frontier)
