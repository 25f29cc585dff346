"""Mails beside ballots: what it costs that thousands wait, and are sent a batch at a time."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import Process
from pathlib import Path
from time import sleep
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select

from lottery_system.clock import utcnow
from lottery_system.models import Mail, MailAddress, MailKind
from lottery_system.models.base import table_of
from lottery_system.scheduler import MAIL_EVERY
from tests.bench.load import load
from tests.stand_ins.mail_server import MailBox, mail_server, settings_to_mail
from tests.stand_ins.ports import free_port
from tests.stand_ins.processes import Gunicorn

COUNT = 10_000
ROUNDS = 3


def mails_beside_ballots(
    url: str,
    folder: Path,
    engine: Engine,
    users: Sequence[int],
    ask: Callable[[], bytes],
    workers: int,
) -> dict[str, float]:
    """Compare ballots while mails wait and are sent with ballots alone, in turns.

    Each turn is longer than a worker waits between two batches.
    """
    addresses, mails = table_of(MailAddress), table_of(Mail)
    seconds = MAIL_EVERY + 1
    now = utcnow()
    with engine.begin() as connection:
        connection.execute(
            insert(addresses),
            [
                {
                    "user_id": each, "address": f"{each}@x.example",
                    "address_key": f"{each}@x.example", "verified_at": now, "language": "en",
                    "tells_wins": True, "tells_log_ins": True,
                }
                for each in users
            ],
        )  # fmt: skip
    alone, beside, sent = [], [], 0
    settings: dict[str, Any] = {"LOTTERY_BALLOTS_PER_HOUR": "1000000"}
    with (
        _mail_server() as port,
        Gunicorn(url, folder, workers=workers, **settings | settings_to_mail(port)) as server,
    ):
        load(server.port, ask, 1)
        for number in range(ROUNDS):
            alone.append(_rate(server, ask, seconds))
            with engine.begin() as connection:
                connection.execute(insert(mails), _waiting(number, users))
            beside.append(_rate(server, ask, seconds))
            with engine.begin() as connection:
                done = select(func.count()).where(mails.c.sent_at.is_not(None))
                sent = connection.execute(done).scalar_one()
                connection.execute(delete(mails).where(mails.c.sent_at.is_(None)))
    assert sent, "no mail was sent meanwhile"
    return {
        "ballots beside 10,000 mails / alone": (
            statistics.median(beside) / statistics.median(alone)
        )
    }


def _rate(server: Gunicorn, ask: Callable[[], bytes], seconds: float) -> float:
    measured = load(server.port, ask, seconds)
    assert set(measured.statuses) == {303}, dict(measured.statuses)
    return measured.rate


def _waiting(number: int, users: Sequence[int]) -> list[dict[str, object]]:
    now = utcnow() - timedelta(seconds=1)
    return [
        {
            "event": f"bench/{number}/{place}", "user_id": users[place % len(users)],
            "kind": MailKind.PASSWORD_CHANGED.value, "address": "a@x.example", "rank": 1,
            "made_at": now, "due_at": now, "refused_count": 0,
        }
        for place in range(COUNT)
    ]  # fmt: skip


@contextmanager
def _mail_server() -> Iterator[int]:
    """Run a mail server in a process of its own, so that it takes nothing from who measures."""
    port = free_port()
    process = Process(target=_serve, args=(port,))
    process.start()
    try:
        yield port
    finally:
        process.terminate()
        process.join(30)


def _serve(port: int) -> None:
    with mail_server(MailBox(), port):
        while True:
            sleep(60)
