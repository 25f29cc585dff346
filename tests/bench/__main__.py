"""Benchmark, `make bench`: the real server under load, as ratios within one run.

Speed differs from machine to machine and from minute to minute. So each figure is measured in turns
with a hello-world view under the same gunicorn, and reported as a ratio. Limited in time and count,
over loopback only. `BENCH_BALLOTS` and `BENCH_SECONDS` make it shorter.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import cycle
from multiprocessing import Process, Queue
from pathlib import Path
from time import perf_counter

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import Engine

import config
from lottery_system import create_app
from lottery_system.clock import utcnow
from lottery_system.extensions import db
from lottery_system.runtime.database import READING
from tests.bench.chart import draw_chart
from tests.bench.drawing import time_of_drawing
from tests.bench.filling import MY_SUBMISSIONS, draw_yesterday, fill, open_lottery, settle
from tests.bench.load import Measured, load
from tests.bench.mails import mails_beside_ballots
from tests.bench.plain import plain_rate
from tests.bench.plans import plans
from tests.bench.players import PASSWORD, Player, ballots, pages, sign_up_all, stranger
from tests.stand_ins.log_keys import keep_keys
from tests.stand_ins.ports import free_port
from tests.stand_ins.postgres import Server
from tests.stand_ins.processes import Gunicorn, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "docs" / "benchmarks"
WORKERS = 2
LARGEST = int(os.environ.get("BENCH_BALLOTS", "10000000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "6"))
ROUNDS = 3
#: seconds for which what is measured is asked for beforehand
WARMING = 2
SIZES = [size for size in (10, 1_000, 100_000, 10_000_000) if size < LARGEST] + [LARGEST]

#: what must hold: the least ratio, or with a minus the greatest
FLOORS = {
    "ballots / hello": 0.16,
    "home / hello": 0.13,
    "winners / hello": 0.25,
    "ballots, full / empty": 0.9,
    "home, full / empty": 0.9,
    "winners, full / empty": 0.9,
    "winners, logged in, full / empty": 0.9,
    "my ballots, full / empty": 0.9,
    "bulk / plain driver": 0.5,
    "ballots, p99 / p50": -10,
    "drawing, full / ten, time": -2,
    "drawing, full / ten, memory": -1.1,
    "pages in a storm of log-ins / alone": 0.25,
    "ballots beside 10,000 mails / alone": 0.8,
}


Ask = Callable[[], bytes]


class Site:
    """A lottery that is served, its players, and the hello-world beside it."""

    def __init__(self, url: str, folder: Path, hello_port: int) -> None:
        keep_keys(folder)
        self.app = make_app(url, folder)
        with self.app.app_context():
            upgrade()
            self.engine: Engine = db.engine
        self.lottery_id = open_lottery(self.engine)
        self.players = sign_up_all(self.app)
        #: who log in again and again, which ends their earlier log-ins
        self.crowd = sign_up_all(self.app, "visitor")
        self.me = self.players[0].id
        self.drawn_day = draw_yesterday(self.engine, self.lottery_id, self.me)
        # a rate that is looked at and that nobody reaches: these players never rest
        self.server = Gunicorn(url, folder, workers=WORKERS, LOTTERY_BALLOTS_PER_HOUR="1000000")
        self.hello_port = hello_port

    def measure(self, asks: dict[str, Ask]) -> dict[str, list[Measured]]:
        """Take all figures in turns with the hello-world, so that a slow minute is everybody's."""
        measured: dict[str, list[Measured]] = {name: [] for name in ("hello", *asks)}
        hello = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        for ask in asks.values():  # so that no figure pays for what is made at the first use
            load(self.server.port, ask, WARMING)
        for _ in range(ROUNDS):
            measured["hello"].append(load(self.hello_port, lambda: hello, SECONDS / ROUNDS))
            for name, ask in asks.items():
                found = load(self.server.port, ask, SECONDS / ROUNDS)
                measured[name].append(_good(found, 303 if name == "ballots" else 200))
        return measured

    def asks(self) -> dict[str, Ask]:
        """Return the requests of an ordinary minute."""
        return {
            "ballots": ballots(self.players, self.lottery_id),
            "home": pages(self.players, "/"),
            "winners": stranger(f"/winners/{self.drawn_day}"),
            "winners, logged in": pages(self.players, f"/winners/{self.drawn_day}"),
            "my ballots": pages(self.players[:1], f"/ballots/{utcnow():%Y-%m-%d}"),
        }


def make_app(url: str, folder: Path) -> Flask:
    return create_app(config.load({"LOTTERY_DATABASE_URL": url, "LOTTERY_STORAGE": str(folder)}))


@contextmanager
def hello_world() -> Iterator[int]:
    """Serve the hello-world and return its port."""
    port = free_port()
    server = subprocess.Popen(
        [
            sys.executable, "-m", "gunicorn", "--worker-class", "gevent", "--workers", str(WORKERS),
            "--bind", f"127.0.0.1:{port}", "--no-control-socket", "--log-level", "error",
            "tests.bench.hello:app",
        ],
        cwd=ROOT,
    )  # fmt: skip
    try:
        wait_for(lambda: _answers(port), "the hello-world")
        yield port
    finally:
        server.terminate()
        server.wait(30)


def _answers(port: int) -> bool:
    try:
        load(port, lambda: b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 0.01, connections=1)
    except OSError:
        return False
    return True


def bench(url: str, folder: Path, hello_port: int) -> dict[str, object]:
    """Measure one database from empty to full, and return ratios and the points of the chart."""
    site = Site(url, folder, hello_port)
    ratios: dict[str, float] = {}
    points: dict[str, list[float]] = {}
    site.server.start()
    # so that the files of the logs, which are used again and again, are there as on any other day
    plain_rate(url, site.lottery_id, site.me, SECONDS)
    try:
        for size in SIZES:
            fill(site.engine, site.lottery_id, site.me, size)
            settle(site.engine)
            measured = site.measure(site.asks())
            hello = [each.rate for each in measured.pop("hello")]
            for name, rounds in measured.items():
                against = [each.rate / beside for each, beside in zip(rounds, hello, strict=True)]
                points.setdefault(name, []).append(statistics.median(against))
            if size == SIZES[0]:
                posts = sum(measured["ballots"], Measured())
                ratios["ballots, p99 / p50"] = posts.percentile(0.99) / posts.percentile(0.5)
                ratios["hello, a second"] = statistics.median(hello)
                ratios["ballots, a second"] = posts.rate
            print(f"  {size:>10,} ballots: " + _line(points), flush=True)
        # over all sizes, between which there is no difference but a machine's minutes
        ratios = {
            f"{name} / hello": statistics.median(rate) for name, rate in points.items()
        } | ratios
        ratios |= {f"{name}, full / empty": rate[-1] / rate[0] for name, rate in points.items()}
        ratios |= storm(site)
        ratios |= bulk(site, url)
    finally:
        site.server.stop()
    ratios |= mails_beside_ballots(
        url,
        folder,
        site.engine,
        [each.id for each in site.players],
        ballots(site.players, site.lottery_id),
        WORKERS,
    )
    ratios |= drawing(site, url, folder)
    return {"ratios": ratios, "sizes": SIZES, "points": points, "plans": explain(site)}


def _good(measured: Measured, status: int) -> Measured:
    """Refuse a figure of anything but good answers."""
    assert set(measured.statuses) == {status}, dict(measured.statuses)
    return measured


def _line(points: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {rate[-1]:.3f}" for name, rate in points.items())


def bulk(site: Site, url: str) -> dict[str, float]:
    """Compare thousands through the form with the plain driver's rate for the same rows."""
    plain, through = [], []
    for _ in range(ROUNDS):
        plain.append(plain_rate(url, site.lottery_id, site.me, SECONDS / ROUNDS))
        ask = ballots(site.players, site.lottery_id, 1000)
        measured = _good(load(site.server.port, ask, SECONDS / ROUNDS), 303)
        through.append(measured.rate * 1000)
    return {
        "bulk / plain driver": statistics.median(through) / statistics.median(plain),
        "bulk, ballots a second": statistics.median(through),
    }


def storm(site: Site) -> dict[str, float]:
    """Compare pages alone with pages while 32 people log in without a pause."""
    ask = pages(site.players, "/")
    alone = _good(load(site.server.port, ask, SECONDS), 200).rate
    logged_in: Queue[int] = Queue()
    crowd = Process(target=_log_in, args=(site.server.port, site.crowd, SECONDS * 2, logged_in))
    crowd.start()
    logged_in.get(timeout=60)
    during = _good(load(site.server.port, ask, SECONDS), 200).rate
    crowd.join(120)
    return {
        "pages in a storm of log-ins / alone": during / alone,
        "log-ins, a second": logged_in.get(timeout=60) / (SECONDS * 2),
    }


def _log_in(port: int, players: list[Player], seconds: float, logged_in: "Queue[int]") -> None:
    forms = [
        player.post("/login", username=f"visitor{n:02}", password=PASSWORD)
        for n, player in enumerate(players)
    ]
    logged_in.put(0)
    measured = load(port, cycle(forms).__next__, seconds)
    assert set(measured.statuses) == {303}, dict(measured.statuses)
    logged_in.put(len(measured.latencies))


def drawing(site: Site, url: str, folder: Path) -> dict[str, float]:
    """Compare ending the day of all these ballots with ending one of ten."""
    now = utcnow()
    full_time, full_memory = time_of_drawing(url, folder, now + timedelta(days=1))
    fill(site.engine, site.lottery_id, site.me, 10, lambda: now + timedelta(days=1))
    ten_time, ten_memory = time_of_drawing(url, folder, now + timedelta(days=2))
    return {
        "drawing, full / ten, time": full_time / ten_time,
        "drawing, full / ten, memory": full_memory / ten_memory,
        "drawing, full, milliseconds": full_time * 1000,
    }


def explain(site: Site) -> dict[str, str]:
    """Have the database explain what the pages ask of the full day, now that it is drawn."""
    day = utcnow().date()
    with site.app.app_context():
        reading_engine = db.engines[READING]
    return dict(plans(reading_engine, site.me, day, before=min(LARGEST, MY_SUBMISSIONS) // 2))


def machine() -> str:
    """Name the machine."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"


def report(results: dict[str, dict[str, object]]) -> bool:
    """Print one table, and tell whether all floors are met."""
    databases = list(results)
    print(f"\n{machine()}; 2 workers, 32 connections\n")
    print(f"{'':40}" + "".join(f"{name:>14}" for name in databases) + f"{'floor':>10}")
    met = True
    names = list(dict.fromkeys(name for each in results.values() for name in each["ratios"]))  # type: ignore[attr-defined]
    for name in names:
        floor = FLOORS.get(name)
        row = f"{name:40}"
        for database in databases:
            value = results[database]["ratios"][name]  # type: ignore[index]
            good = floor is None or (value >= floor if floor > 0 else value <= -floor)
            met &= good
            row += f"{value:>13.3f}{' ' if good else '!'}"
        print(row + (f"{abs(floor):>10}" if floor is not None else ""))
    return met


def main() -> int:
    """Measure both databases, print the table, and keep it as JSON and as a chart."""
    started_at = perf_counter()
    results: dict[str, dict[str, object]] = {}
    server = Server(durable=True)
    try:
        with hello_world() as hello_port, tempfile.TemporaryDirectory() as folder:
            urls = {
                "sqlite": f"sqlite:///{folder}/sqlite/lottery.db",
                "postgresql": server.create("lottery"),
            }
            for name, url in urls.items():
                print(f"{name}: figures against hello-world", flush=True)
                storage = Path(folder) / name
                storage.mkdir()
                results[name] = bench(url, storage, hello_port)
    finally:
        server.remove()
    met = report(results)
    RESULTS.mkdir(exist_ok=True)
    for name, result in results.items():
        explained = "\n\n".join(f"-- {what}\n{plan}" for what, plan in result.pop("plans").items())  # type: ignore[attr-defined]
        (RESULTS / f"plans-{name}.txt").write_text(explained + "\n", encoding="utf-8")
    kept = {"machine": machine(), "seconds": perf_counter() - started_at, "results": results}
    (RESULTS / "latest.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "cost.svg").write_text(draw_chart(results), encoding="utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
