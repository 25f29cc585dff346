"""Audit of many days by worker processes, each with a connection and a snapshot of its own."""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from datetime import date
from multiprocessing.sharedctypes import Synchronized
from threading import Thread
from typing import NamedTuple

from sqlalchemy import URL, Connection, Engine

from lottery_system.audit.day import check_day
from lottery_system.audit.heads import Fault
from lottery_system.audit.progress import Progress, Watch
from lottery_system.errors import LotteryError
from lottery_system.fairness.note import Checkpoint
from lottery_system.models import DRAWN, LogKeys
from lottery_system.queries import AnyRow
from lottery_system.runtime.database import export_snapshot, reading_engine, snapshot

#: ballots from which on processes, which take a second to start, are worth it
WORTH_PROCESSES = 250_000
#: seconds between two checks of how far the processes are
PAUSE = 0.5


class WorkerLost(LotteryError):
    """A worker process ended before its time."""

    def __init__(self) -> None:
        super().__init__(
            "A process of the audit was ended from outside, maybe for want of memory. Nothing was "
            "changed; run the audit again with --jobs 1."
        )


class Task(NamedTuple):
    """One day to be checked."""

    day: date
    #: rows of holdings that the day has
    holdings: int
    #: of the day's log
    heads: Sequence[Checkpoint]


def check_days(
    connection: Connection,
    draws: Sequence[AnyRow],
    log_keys: LogKeys,
    *,
    holdings: Mapping[date, int],
    heads: Mapping[date, Sequence[Checkpoint]],
    jobs: int,
    watch: Watch,
) -> Iterator[Fault]:
    """Check days, in order, by as many processes as are worth it.

    Drawn days never change, so that a process may look at them in a snapshot of its own where the
    database knows no shared ones (SQLite). All others are looked at over `connection`.

    Raises:
        WorkerLost: a process was ended from outside.
    """

    def task(draw: AnyRow) -> Task:
        return Task(draw.day, holdings.get(draw.day, 0), heads.get(draw.day, ()))

    drawn = [draw for draw in draws if draw.status == DRAWN]
    others = [draw for draw in draws if draw.status != DRAWN]
    count = _Count(draws, watch)
    jobs = min(jobs, len(drawn))
    if jobs > 1 and sum(draw.ballot_count for draw in drawn) >= WORTH_PROCESSES:
        yield from _by_processes(connection, [task(draw) for draw in drawn], log_keys, jobs, count)
    else:
        others = list(draws)
    for draw in others:
        each = task(draw)
        yield from check_day(
            connection,
            each.day,
            log_keys,
            holdings=each.holdings,
            heads=each.heads,
            count=count.ballots,
        )
        count.day()


class _Count:
    """How far all days are."""

    def __init__(self, draws: Sequence[AnyRow], watch: Watch) -> None:
        self._now = Progress(0, len(draws), 0, sum(draw.ballot_count for draw in draws))
        self._watch = watch
        watch(self._now)

    def ballots(self, more: int) -> None:
        """Tell that more ballots were read."""
        self._now = self._now._replace(ballots=self._now.ballots + more)
        self._watch(self._now)

    def day(self) -> None:
        """Tell that one more day is done."""
        self._now = self._now._replace(days=self._now.days + 1)
        self._watch(self._now)


def _by_processes(
    connection: Connection, tasks: Sequence[Task], log_keys: LogKeys, jobs: int, count: _Count
) -> Iterator[Fault]:
    context = multiprocessing.get_context("spawn")  # what was forked would share connections
    total: Synchronized[int] = context.Value("q", 0)
    url, exported = connection.engine.url, export_snapshot(connection)
    pool = ProcessPoolExecutor(
        jobs, context, initializer=_begin, initargs=(url, exported, log_keys, total)
    )
    reported = 0
    try:
        futures: list[Future[list[Fault]]] = [pool.submit(_check, task) for task in tasks]
        for future in futures:
            while not wait([future], timeout=PAUSE).done:
                now = total.value
                count.ballots(now - reported)
                reported = now
            yield from future.result()
            count.day()
        count.ballots(total.value - reported)
    except BrokenProcessPool:
        raise WorkerLost from None
    finally:
        pool.shutdown(cancel_futures=True)


class _Worker(NamedTuple):
    """What a process has for all its days."""

    engine: Engine
    exported: str | None
    log_keys: LogKeys
    total: "Synchronized[int]"


#: what `_begin` prepared, in a process for days
_workers: list[_Worker] = []


def _begin(url: URL, exported: str | None, log_keys: LogKeys, total: "Synchronized[int]") -> None:
    """Make this process ready for days."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    Thread(target=_end_with_parent, daemon=True).start()
    _workers.append(_Worker(reading_engine(url), exported, log_keys, total))


def _end_with_parent() -> None:
    """Leave no transaction open behind a parent that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _check(task: Task) -> list[Fault]:
    (worker,) = _workers

    def count(ballots: int) -> None:
        with worker.total.get_lock():
            worker.total.value += ballots

    with snapshot(worker.engine, worker.exported) as connection:
        return list(
            check_day(
                connection,
                task.day,
                worker.log_keys,
                holdings=task.holdings,
                heads=task.heads,
                count=count,
            )
        )
