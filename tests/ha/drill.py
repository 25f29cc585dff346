"""The drill itself, within namespaces of its own: everybody plays while faults strike.

After each fault, what was acknowledged is compared with what the surviving leader has; in the end
all of it, and the logs by `flask draw audit`. Exit code 1 if a ballot is missing, a day has not
exactly one draw, or a request took longer than ten seconds.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import time
import traceback
from collections import Counter
from datetime import date
from pathlib import Path

from sqlalchemy.orm import Session

from tests.conftest import FIRST_DAY
from tests.ha.__main__ import PATRONI
from tests.ha.faults import DRILL, WEEK, Fault, server_versions
from tests.ha.hosts import make_network, run
from tests.ha.players import Heartbeat, longest, outage
from tests.ha.site import Site, closing
from tests.stand_ins.audit import audit
from tests.stand_ins.players import drawn, let_play, playing, receipts
from tests.stand_ins.processes import ROOT

#: where the hosts' disks lie, in the drill's own mount namespace
FOLDER = Path("/run/drill")
#: seconds that no request may take
LONGEST = 10
#: days of the week that is played
DAYS = 7


class Tally:
    """What was seen to be wrong."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.longest_seconds = 0.0
        self.heartbeat = Heartbeat()
        self.outages: list[tuple[float, str]] = []

    def note(self, sentence: str) -> None:
        self.wrong.append(sentence)
        print(f"  WRONG: {sentence}", flush=True)


def suffer(site: Site, fault: Fault, tally: Tally, *, midnight: bool) -> None:
    """Let a fault strike while all play, and print a line about what came of it."""
    site.cluster.checkpoint()
    let_play(site.players, 2)
    began = time.monotonic()
    counts = {player: len(player.receipts) for player in site.players}
    if midnight:
        site.approach_midnight()
    what = fault(site)
    let_play(site.players, 2)
    ended_day = site.begin_next_day() if midnight else None
    site.cluster.wait_until_whole()
    let_play(site.players, 2)

    acknowledged = {
        text: int(text.split()[2])
        for player in site.players
        for text in player.receipts[counts[player] :]
    }
    days = sorted({text.split()[3] for text in acknowledged})
    stored = {text for day in days for text in site.stored(date.fromisoformat(day))}
    found = sum(count for text, count in acknowledged.items() if text in stored)
    stopped, slowest = outage(site.players, began), longest(site.players, began, tally.heartbeat)
    still = tally.heartbeat.since(began)
    tally.outages.append((stopped, what))
    tally.longest_seconds = max(tally.longest_seconds, slowest.seconds)
    print(
        f"{what}; ballots acknowledged {sum(acknowledged.values())}, found {found}; "
        f"outage {stopped:.1f} s; longest request {slowest.seconds:.1f} s ({slowest.what})"
        + (f"; {ended_day} drawn" if ended_day else "")
        + (f"; the machine stood still for {still:.1f} s" if still else ""),
        flush=True,
    )
    if found != sum(acknowledged.values()):
        tally.note("acknowledged ballots are missing")
    if slowest.seconds > LONGEST:
        tally.note(f"a request took longer than {LONGEST} s")


def check(site: Site, tally: Tally) -> None:
    """Hold all receipts, tables and logs against each other, on the leader that is left."""
    leader = site.cluster.wait_until_whole()
    all_receipts = receipts(site.players)
    try:
        with Session(site.engine) as session:
            audit(session, all_receipts)
    except AssertionError as error:
        tally.note(str(error))
    days = (site.day - FIRST_DAY).days
    made = Counter(day for app in site.apps for day in drawn(app.gunicorn))
    if twice := [day for day, count in made.items() if count > 1]:
        tally.note(f"drawn more than once: {', '.join(twice)}")
    print(
        f"all in all: {len(all_receipts)} receipts, {sum(int(r.split()[2]) for r in all_receipts)} "
        f"ballots, {days} days with one draw each",
        flush=True,
    )
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "lottery_system", "draw", "audit", "--jobs", "1"],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if name[:8] != "LOTTERY_"},
            **site.apps[0].gunicorn.environ,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"flask draw audit on {leader.name}:", *done.stdout.strip().splitlines(), sep="\n  ")
    if done.returncode:
        tally.note(f"the audit ends with {done.returncode}: {done.stderr[-2000:]}")


def drill(site: Site, tally: Tally, chosen: list[Fault]) -> None:
    for fault in chosen:
        suffer(site, fault, tally, midnight=True)


def week(site: Site, tally: Tally, seed: int, faults_a_day: int) -> None:
    """Play seven days, with faults drawn by chance; the last of each day strikes at midnight."""
    chance = random.Random(seed)
    print(f"a week, {faults_a_day} faults a day, seed {seed}", flush=True)
    for _ in range(DAYS):
        for number in range(faults_a_day):
            suffer(site, chance.choice(WEEK), tally, midnight=number == faults_a_day - 1)


def logs() -> list[Path]:
    """List the logs of all hosts."""
    return sorted([*FOLDER.glob("*.log"), *FOLDER.glob("*/*.log")])


def show_logs() -> None:
    """Print the ends of all logs, which vanish with the drill."""
    for file in logs():
        print(f"... {file}:", file.read_text(errors="replace")[-4000:], sep="\n")


def main() -> int:
    """Run the drill, and return its exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--week", action="store_true", help="seven days instead of each fault once")
    parser.add_argument("--mode", choices=["on", "quorum"], help="another synchronous_mode")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults-a-day", type=int, default=6)
    parser.add_argument("--only", action="append", help="the name of a fault, instead of all")
    parser.add_argument("--logs", type=Path, help="a folder to keep the logs of all hosts in")
    asked = parser.parse_args()
    named = {fault.__name__: fault for fault in (*DRILL, *WEEK)}
    chosen = [named[name] for name in asked.only] if asked.only else list(DRILL)

    run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run")
    run("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/dev/shm")
    for place in (FOLDER, "/run/netns", "/run/postgresql", "/var/lib/postgresql", "/var/lib/etcd"):
        Path(place).mkdir(mode=0o755, exist_ok=True)
    make_network()
    tally, began = Tally(), time.monotonic()
    try:
        with closing(Site(FOLDER, PATRONI, server_versions()[0])) as site:
            print(
                f"PostgreSQL {site.cluster.version(site.cluster.wait_until_whole())}, three hosts; "
                f"set up in {time.monotonic() - began:.0f} s",
                flush=True,
            )
            if asked.mode:
                site.cluster.set_mode(asked.mode)
            with playing(site.players):
                if asked.week:
                    week(site, tally, asked.seed, asked.faults_a_day)
                else:
                    drill(site, tally, chosen)
            check(site, tally)
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt):
            show_logs()
            traceback.print_exc()
        return 1
    finally:
        if asked.logs:
            for file in logs():
                kept = asked.logs / file.relative_to(FOLDER)
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, kept)
    print(
        f"longest outage {max(tally.outages)[0]:.1f} s, "
        f"longest request {tally.longest_seconds:.1f} s, "
        f"{len(tally.wrong)} wrong, in {time.monotonic() - began:.0f} s"
    )
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
