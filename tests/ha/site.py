"""The drill's site: two hosts that serve the lottery behind two proxies, three that store it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session

from config.database_address import checked_address
from lottery_system.clock import ONE_DAY, closes_at
from lottery_system.models import Submission
from tests.conftest import FIRST_DAY, migrate
from tests.ha.cluster import FILES, Cluster
from tests.ha.hosts import HERE, Host, Service
from tests.ha.players import TimedPlayer
from tests.stand_ins.audit import receipt
from tests.stand_ins.log_keys import keep_keys
from tests.stand_ins.players import open_lottery
from tests.stand_ins.processes import Gunicorn, answer_of, wait_for

PLAYERS = 4
#: how long before a midnight a fault strikes
LATE = timedelta(seconds=2)
#: seconds within which a draw must be there after a fault
SOON = 120


class ApplicationHost(Host):
    """A host with gunicorn, and with a HAProxy that leads to the gunicorns of both."""

    def __init__(self, number: int, folder: Path, database_url: str) -> None:
        super().__init__(f"app{number}", f"10.77.0.2{number}", folder)
        keep_keys(folder)
        self.gunicorn = Gunicorn(
            database_url,
            folder,
            workers=2,
            at=closes_at(FIRST_DAY) - timedelta(hours=1),
            within=self.within,
            LOTTERY_HOST=self.address,
            LOTTERY_PORT="8080",
            LOTTERY_HOSTS="2",
            LOTTERY_TRUSTED_PROXIES="1",
            LOTTERY_SECRET_KEY="the same on both hosts, for the drill alone",
            LOTTERY_METRICS_NETWORKS=f"{HERE}/32",
        )
        apps = {"APP1": "10.77.0.21:8080", "APP2": "10.77.0.22:8080"}
        self.serve(
            Service(
                "haproxy", "haproxy", "-W", "-db", "-f", str(FILES / "haproxy.cfg"), environ=apps
            )
        )

    def is_ready(self) -> bool:
        """Return whether the lottery here could store a ballot."""
        assert self.gunicorn.exit_code() is None, self.gunicorn.log()
        try:
            return answer_of(f"{self.gunicorn.url}/readyz")[0] == HTTPStatus.OK
        except (OSError, HTTPException):
            return False

    def kill(self) -> None:
        super().kill()
        self.gunicorn.kill()

    def boot(self) -> None:
        super().boot()
        self.gunicorn.start_up()


class Site:
    """The whole of it."""

    def __init__(self, folder: Path, patroni: Path, server: Path) -> None:
        self.cluster = Cluster(folder, patroni, server)
        self.cluster.wait_until_whole()
        self.cluster.keep_no_spare_wal()
        self.cluster.create_database()
        self.database_url = self.cluster.url
        migrate(self.database_url)
        self.engine = self._engine()
        with Session(self.engine) as session:
            open_lottery(session)
        self.apps = [ApplicationHost(n, folder / f"app{n}", self.database_url) for n in (1, 2)]
        for app in self.apps:
            app.gunicorn.start_up()
        for app in self.apps:
            wait_for(app.is_ready, f"{app.name} serves", pause=0.5)
        proxies = [app.address for app in self.apps]
        self.players = [
            TimedPlayer([proxies[n % 2], proxies[1 - n % 2]], self.apps[0].gunicorn, f"player{n}")
            for n in range(PLAYERS)
        ]
        #: the day that is played
        self.day = FIRST_DAY

    def _engine(self) -> Engine:
        return create_engine(
            checked_address(self.database_url).replace("postgresql:", "postgresql+psycopg:"),
            connect_args={"connect_timeout": 5},
            pool_pre_ping=True,
        )

    def set_clock(self, instant: datetime) -> None:
        for app in self.apps:
            app.gunicorn.clock.run_from(instant)

    def approach_midnight(self) -> None:
        """Set the hosts' clocks shortly before the end of the day."""
        self.set_clock(closes_at(self.day) - LATE)

    def begin_next_day(self) -> date:
        """Wait until the day that ended has its winner, and return that day."""
        ended, self.day = self.day, self.day + ONE_DAY
        wait_for(lambda: self._has_winner(ended), f"{ended} has a winner", SOON, 0.5)
        return ended

    def _has_winner(self, day: date) -> bool:
        for app in self.apps:
            with suppress(URLError, OSError):
                url = f"http://{app.address}/winners/{day}"
                with urlopen(url, timeout=30) as answer:
                    return 'aria-label="Winning ballot"' in answer.read().decode()
        return False

    def stored(self, day: date) -> set[str]:
        """Return the receipts that the database has of a day."""
        with Session(self.engine) as session:
            found = session.scalars(select(Submission).where(Submission.day == day))
            return {receipt(each) for each in found}


@contextmanager
def closing(site: Site) -> Iterator[Site]:
    """Turn all hosts off in the end."""
    try:
        yield site
    finally:
        for host in (*site.apps, *site.cluster.hosts):
            host.kill()
