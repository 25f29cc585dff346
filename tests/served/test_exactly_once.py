"""Exactly once: no ballot lost or counted twice, whatever is killed, over several midnights.

Eight processes submit ballots and eight close days, by a clock on which a day lasts two seconds.
Any of them is killed at any moment and replaced at once. Every player logs what it is about to
submit, and the answer; a replaced player submits again, with the same token, what has no answer. At
the end these logs are compared with the database.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from signal import SIGKILL
from typing import NamedTuple
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Engine, Select, create_engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from lottery_system import ballot_box
from lottery_system.ballot_box import BallotBox
from lottery_system.clock import ONE_DAY, starts_at
from lottery_system.errors import (
    AllPrizesWon,
    LastPrizeUndecided,
    LotteryFinished,
    NotAdmitted,
    TooManyADay,
)
from lottery_system.models import (
    AskedBallots,
    Ballot,
    Draw,
    Holding,
    Limits,
    Lottery,
    User,
    Winner,
)
from lottery_system.runtime import bounded, database, eager
from tests.conftest import FIRST_DAY
from tests.stand_ins import log_keys
from tests.stand_ins.audit import audit, receipt, same
from tests.stand_ins.processes import PATIENCE

START = starts_at(FIRST_DAY)
DAY_SECONDS = 2
SUBMITTERS, DRAWERS = 8, 8
#: who submit at the same time in one process, so that its ballot box has something to gather
PLAYERS = 4
MOST_BALLOTS = 20
#: ballots that a player may have in one of the lotteries on a day, and prizes of another
MOST_A_DAY, WINNABLE = 3, 2
#: the place of the first of these among all
FEW = 2
REFUSED = (LotteryFinished, TooManyADay, LastPrizeUndecided, AllPrizesWon)
#: days after which it is enough in any case; lotteries go on for a few more
MOST_DAYS = 25
#: seconds between two looks at what is due, at most
LONGEST_TICK = 0.05
#: seconds between two kills, at most
LONGEST_PEACE = 0.2
#: seconds after a midnight within which many are killed: while the day is being ended
MIDNIGHT = 0.05

# Imports would take longer than two kills lie apart; children fork from a process that made them.
processes = get_context("forkserver")
processes.set_forkserver_preload([__name__, "psycopg"])


@dataclass(frozen=True)
class ShortDays:
    """A clock that all processes share, and a file by which they know that its days are over."""

    end: Path
    began_at: float = field(default_factory=time.time)

    def __call__(self) -> datetime:
        return START + ONE_DAY * ((time.time() - self.began_at) / DAY_SECONDS)

    @property
    def are_over(self) -> bool:
        return self.end.exists()

    def until_midnight(self) -> float:
        """Return how many seconds are left of the day."""
        return DAY_SECONDS - (time.time() - self.began_at) % DAY_SECONDS


class Journal:
    """What somebody set out to do and what became of it, in lines that outlive their writer."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._file.touch()

    def write(self, word: str, text: str) -> None:
        with self._file.open("a") as file:
            file.write(f"{word} {text}\n")

    def texts(self, word: str) -> list[str]:
        return [text for found, text in self._lines() if found == word]

    def unanswered(self) -> str | None:
        """Return what was intended last, unless it is answered."""
        *_, (word, text) = [("", ""), *self._lines()]
        return text if word in ("intended", "unknown") else None

    def _lines(self) -> Iterable[tuple[str, str]]:
        for line in self._file.read_text().splitlines():
            word, _, text = line.partition(" ")
            yield word, text


def play(
    box: BallotBox, days: ShortDays, journal: Journal, user_id: int, lottery_ids: Sequence[int]
) -> None:
    """Submit ballots until the days are over; first of all, again, what has no answer."""
    intent = journal.unanswered()
    while intent or not days.are_over:
        if not intent:
            lottery = random.choice(lottery_ids)
            most = 2 if lottery == lottery_ids[FEW] else MOST_BALLOTS
            intent = f"{uuid4()} {lottery} {random.randint(1, most)}"
            journal.write("intended", intent)
        token, lottery_id, ballot_count = intent.split()
        submission = AskedBallots.of(
            token=UUID(token),
            user_id=user_id,
            username=f"player {user_id}",
            lottery_id=int(lottery_id),
            ballot_count=int(ballot_count),
        )
        try:
            journal.write("stored", receipt(box.submit(submission)))
        except REFUSED:
            journal.write("refused", intent)
        except NotAdmitted:
            journal.write("unknown", intent)
        intent = journal.unanswered()


Fault = Callable[[], None]


def submit_ballots(
    url: str,
    days: ShortDays,
    fault: Fault,
    journals: Sequence[Journal],
    user_ids: Sequence[int],
    lottery_ids: Sequence[int],
) -> None:
    """Be a process of several players who share a ballot box."""
    fault()
    box = BallotBox(engine_for(url), utcnow=days)
    with ThreadPoolExecutor(len(journals)) as pool:
        players = [
            pool.submit(play, box, days, journal, user_id, lottery_ids)
            for journal, user_id in zip(journals, user_ids, strict=True)
        ]
    for player in players:
        player.result()


def end_days(url: str, days: ShortDays, fault: Fault, journal: Journal) -> None:
    """Be a process that does, again and again and also at midnight, whatever is due."""
    fault()
    engine = engine_for(url)
    while not days.are_over:
        try:
            with Session(engine) as session:
                log_keys.run_due(session, days(), places=1)
        except SQLAlchemyError as error:
            journal.write("failed", str(error).splitlines()[0])
        time.sleep(min(random.uniform(0, LONGEST_TICK), days.until_midnight()))


def engine_for(url: str) -> Engine:
    engine = create_engine(url, **database.engine_options(url))
    database.prepare(engine)
    return engine


def flawless() -> None:
    """Leave everything as it is."""


def without_locks() -> None:
    """Let transactions read the day's row without locking it."""
    patch.object(Select, "with_for_update", lambda query: query).start()  # PostgreSQL
    patch.object(database, "_begin_immediate", begin_deferred).start()  # SQLite


def begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


class Played(NamedTuple):
    """What is left when the days are over."""

    journals: list[Journal]
    lottery_ids: list[int]
    kill_count: int

    def texts(self, word: str) -> list[str]:
        return [text for journal in self.journals for text in journal.texts(word)]


Enough = Callable[[Played], object]


def let_days_go_by(
    engine: Engine, folder: Path, is_enough: Enough, fault: Fault = flawless
) -> Played:
    """Play until that is enough, or for `MOST_DAYS`, then end the days, and an empty one.

    How much happens in a day depends on how busy the machine is.
    """
    seed = time.time_ns()
    random.seed(seed)
    print(f"{seed = }")
    user_ids, lottery_ids = populate(engine)
    url = engine.url.render_as_string(hide_password=False)
    journals = [Journal(folder / f"player-{n}") for n in range(SUBMITTERS * PLAYERS)]
    drawer_journals = [Journal(folder / f"drawer-{n}") for n in range(DRAWERS)]
    with Session(engine) as session:
        log_keys.begin(session, START)
    end(begin(flawless))  # what all the others fork from is there from now on
    days = ShortDays(folder / "over")
    common = url, days, fault
    submitters = [
        partial(submit_ballots, *common, journals[n::SUBMITTERS], user_ids, lottery_ids)
        for n in range(SUBMITTERS)
    ]
    drawers = [partial(end_days, *common, journal) for journal in drawer_journals]
    played = partial(Played, [*journals, *drawer_journals], lottery_ids)
    kill_count = strike([*submitters, *drawers], days, lambda kills: bool(is_enough(played(kills))))
    with Session(engine) as session:
        with session.begin():
            last = session.scalars(select(func.max(Draw.day))).one()
        log_keys.run_due(session, starts_at(last) + 2 * ONE_DAY, places=1)
    return played(kill_count)


def populate(engine: Engine) -> tuple[list[int], list[int]]:
    """Make the players, and lotteries: with and without limits, and one that finishes early."""
    users = [User.sign_up(f"player{n}", "", START) for n in range(PLAYERS)]
    lotteries = [
        Lottery.create("Big Chance", "", FIRST_DAY + 30 * ONE_DAY, START),
        Lottery.create("Extra Win", "", FIRST_DAY + 2 * ONE_DAY, START),
        Lottery.create(
            "Few", "", FIRST_DAY + 30 * ONE_DAY, START, limits=Limits(most_a_day=MOST_A_DAY)
        ),
        Lottery.create(
            "Rare", "", FIRST_DAY + 30 * ONE_DAY, START, limits=Limits(winnable=WINNABLE)
        ),
    ]
    with Session(engine) as session, session.begin():
        session.add_all([*users, *lotteries])
        session.flush()
        return [user.id for user in users], [lottery.id for lottery in lotteries]


def strike(
    roles: Sequence[Callable[[], None]], days: ShortDays, is_enough: Callable[[int], bool]
) -> int:
    """Let processes play the roles, kill and replace them, and count the kills.

    One is killed at a time, and right after each midnight half of them are.

    Args:
        is_enough: of that many kills, looked at after each midnight; then the days are over.
    """
    last = START + MOST_DAYS * ONE_DAY
    children = [begin(role) for role in roles]
    kill_count = 0
    try:
        while not days.are_over:
            pause, until_midnight = random.uniform(0, LONGEST_PEACE), days.until_midnight()
            struck = [random.randrange(len(roles))]
            if pause > until_midnight:
                pause = until_midnight + random.uniform(0, MIDNIGHT)
                struck = random.sample(range(len(roles)), len(roles) // 2)
            time.sleep(pause)
            for place in struck:
                children[place].kill()
            for place in struck:
                kill_count += end(children[place]) == -SIGKILL
                children[place] = begin(roles[place])
            if len(struck) > 1 and (is_enough(kill_count) or days() >= last):
                days.end.touch()
        for child in children:
            assert end(child) == 0
    finally:
        for child in children:
            child.kill()
    return kill_count


def begin(role: Callable[[], None]) -> BaseProcess:
    child = processes.Process(target=patiently, args=(role,), daemon=True)
    child.start()
    return child


def patiently(role: Callable[[], None]) -> None:
    """Play a role; one of sixteen processes may wait longer than a worker would for anything."""
    database.BUSY_TIMEOUT = ballot_box.PATIENCE = PATIENCE
    database.CONNECT_TIMEOUT = database.POOL_TIMEOUT = PATIENCE
    bounded.ANSWER_TIMEOUT = bounded.ANSWER_TIMEOUT_OF_REQUESTS = PATIENCE
    eager.COMMIT_TIMEOUT = PATIENCE
    database.SETTINGS["lock_timeout"] = f"{PATIENCE}s"
    role()


def end(child: BaseProcess) -> int:
    """Wait for a process to end, by itself or killed, and return its exit code."""
    child.join(PATIENCE)
    assert child.exitcode in (0, -SIGKILL)
    return child.exitcode


def check(session: Session, played: Played) -> None:
    """Hold the journals against the database."""
    assert not turned_away(played), "somebody was turned away"
    receipts = played.texts("stored")
    same(
        "answers",
        (text.split()[0] for text in receipts + played.texts("refused")),
        (text.split()[0] for text in played.texts("intended")),
    )
    audit(session, receipts)
    limits_hold(session)


def turned_away(played: Played) -> list[str]:
    return played.texts("unknown") + played.texts("failed")


def limits_hold(session: Session) -> None:
    """Hold what players have, and what was won, against what the lotteries allow."""
    ids = {row.name: row.id for row in session.execute(select(Lottery.name, Lottery.id))}
    held = session.scalars(select(Holding.ballot_count).where(Holding.lottery_id == ids["Few"]))
    assert max(held) <= MOST_A_DAY
    of_rare = select(Ballot.day).where(Ballot.lottery_id == ids["Rare"])
    won = session.scalars(
        of_rare.join(Winner, (Winner.day == Ballot.day) & (Winner.number == Ballot.number))
    ).all()
    assert len(won) <= WINNABLE
    for day in session.scalars(of_rare.distinct()):
        assert sum(each < day for each in won) < WINNABLE, "played for a prize that was gone"


def test_nothing_is_lost_and_nothing_counts_twice_whoever_is_killed(
    engine: Engine, session: Session, tmp_path: Path
) -> None:
    def is_enough(played: Played) -> bool:
        days = {text.split()[3] for text in played.texts("stored")}
        few = str(played.lottery_ids[FEW])
        is_limited = any(text.split()[1] == few for text in played.texts("refused"))
        return len(days) >= 5 and is_limited and played.kill_count >= SUBMITTERS + DRAWERS

    played = let_days_go_by(engine, tmp_path, is_enough)

    check(session, played)
    assert is_enough(played)


def test_without_locks_the_same_audit_fails(
    engine: Engine, session: Session, tmp_path: Path
) -> None:
    played = let_days_go_by(engine, tmp_path, turned_away, fault=without_locks)

    with pytest.raises(AssertionError, match="turned away"):
        check(session, played)
