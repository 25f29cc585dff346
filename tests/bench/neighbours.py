"""Benchmark of one heavy participant: latency of pages and ballots for the others.

`python -m tests.bench.neighbours` serves the lottery with two workers, lets eight users load
pages and click now and then, and prints their p95 alone, beside a user who submits thousands over
four connections (more with `BENCH_CONNECTIONS`), and beside four downloads of 11,000 rows. Limited
in time, over loopback only.
"""

import http.client
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from multiprocessing import Event, Process
from multiprocessing.synchronize import Event as Flag
from pathlib import Path
from uuid import uuid4

from flask_migrate import upgrade
from sqlalchemy.orm import Session

from lottery_system.admission import admit
from lottery_system.clock import utcnow
from lottery_system.extensions import db
from lottery_system.models import AskedBallots, User
from tests.bench.__main__ import make_app
from tests.bench.filling import draw_yesterday, open_lottery
from tests.bench.load import Connection, Measured
from tests.bench.players import Player, ballots, pages, sign_up_all
from tests.stand_ins.log_keys import keep_keys
from tests.stand_ins.postgres import Server
from tests.stand_ins.processes import Gunicorn

SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
#: connections of whoever loads, and of the others for each kind of request
HEAVY, OTHERS = int(os.environ.get("BENCH_CONNECTIONS", "4")), 4
#: seconds between two requests of one of the others
PAUSE = 0.1
ROWS = 11_000


def beside(
    port: int, asks: dict[str, Callable[[], bytes]], load: AbstractContextManager[None]
) -> dict[str, Measured]:
    """Measure what others ask for at leisure while something else goes on."""
    measured = {name: Measured() for name in asks}
    with load:
        time.sleep(0.5)  # it has begun
        ends_at = time.monotonic() + SECONDS
        threads = [
            threading.Thread(target=_ask, args=(port, ask, ends_at, measured[name]))
            for name, ask in asks.items()
            for _ in range(OTHERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return measured


def _one_at_a_time(ask: Callable[[], bytes]) -> Callable[[], bytes]:
    """Return a function that threads may call as they like."""
    lock = threading.Lock()

    def ask_alone() -> bytes:
        with lock:
            return ask()

    return ask_alone


def _ask(port: int, ask: Callable[[], bytes], ends_at: float, measured: Measured) -> None:
    connection = Connection(port, ask)
    while time.monotonic() < ends_at:
        connection.ask()
        while (answer := connection.receive()) is None:
            pass
        status, latency = answer
        measured.statuses[status] += 1
        measured.latencies.append(latency)
        time.sleep(PAUSE)


@contextmanager
def going_on(what: Callable[..., None], *arguments: object) -> Iterator[None]:
    """Have something go on over several connections, in a process, while the block runs."""
    enough = Event()
    process = Process(target=_together, args=(what, enough, *arguments))
    process.start()
    try:
        yield
    finally:
        enough.set()
        process.join(60)


def _together(what: Callable[..., None], enough: Flag, *arguments: object) -> None:
    threads = [
        threading.Thread(target=what, args=(number, enough, *arguments)) for number in range(HEAVY)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def submit_thousands(number: int, enough: Flag, port: int, form: bytes, blank: bytes) -> None:
    """Submit a thousand ballots again and again."""
    before, after = form.split(blank)
    connection = Connection(port, lambda: before + str(uuid4()).encode() + after)
    statuses: Counter[int] = Counter()
    while not enough.is_set():
        connection.ask()
        while (answer := connection.receive()) is None:
            pass
        statuses[answer[0]] += 1
    if number == 0:
        print(f"    one of {HEAVY} connections was answered {dict(statuses)}", flush=True)


def download(number: int, enough: Flag, port: int, cookies: list[str]) -> None:
    """Download one's own ballots again and again."""
    statuses: Counter[int] = Counter()
    while not enough.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request(
            "GET", "/ballots.csv", headers={"Cookie": cookies[number % len(cookies)]}
        )
        answer = connection.getresponse()
        lines = answer.read().count(b"\n")
        assert answer.status != http.client.OK or lines > ROWS
        statuses[answer.status] += 1
        connection.close()
    if number == 0:
        print(f"    one of {HEAVY} downloads was answered {dict(statuses)}", flush=True)


def measure(url: str, folder: Path) -> None:
    """Print the figures of one database."""
    keep_keys(folder)
    app = make_app(url, folder)
    with app.app_context():
        upgrade()
        engine = db.engine
    lottery_id = open_lottery(engine)
    players = sign_up_all(app)
    draw_yesterday(engine, lottery_id, players[-1].id)
    heavy, others = players[:4], players[4:-1]
    for player in heavy:
        with Session(engine) as session, session.begin():
            me = session.get_one(User, player.id)
            clicks = [
                AskedBallots.of(
                    token=uuid4(),
                    user_id=me.id,
                    username=me.username,
                    lottery_id=lottery_id,
                    ballot_count=1,
                )
                for _ in range(ROWS)
            ]
            admit(session.connection(), clicks, utcnow)
    asks = {
        "page": _one_at_a_time(pages(others, "/")),
        "ballot": _one_at_a_time(ballots(others, lottery_id)),
    }
    with Gunicorn(url, folder, workers=2) as server:
        blank = "00000000-0000-0000-0000-000000000000"
        form = heavy[0].post(f"/lotteries/{lottery_id}/ballots", count="1000", submission=blank)
        beside(server.port, asks, nullcontext())
        for name, load in (
            ("alone", nullcontext()),
            ("beside thousands", going_on(submit_thousands, server.port, form, blank.encode())),
            ("beside downloads", going_on(download, server.port, _cookies(heavy))),
        ):
            _report(name, beside(server.port, asks, load))


def _cookies(players: list[Player]) -> list[str]:
    return [player.cookie for player in players]


def _report(name: str, measured: dict[str, Measured]) -> None:
    print(
        f"  {name:18}"
        + "".join(
            f"  {what}: p50 {found.percentile(0.5) * 1000:6.0f} p95"
            f" {found.percentile(0.95) * 1000:6.0f} max {max(found.latencies) * 1000:6.0f} ms"
            f" of {len(found.latencies)} {dict(found.statuses)}"
            for what, found in measured.items()
        ),
        flush=True,
    )


def main() -> int:
    """Measure both databases."""
    server = Server(durable=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name in ("sqlite", "postgresql"):
                storage = Path(folder) / name
                storage.mkdir()
                is_sqlite = name == "sqlite"
                url = f"sqlite:///{storage}/lottery.db" if is_sqlite else server.create("lottery")
                print(name, flush=True)
                measure(url, storage)
    finally:
        server.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
