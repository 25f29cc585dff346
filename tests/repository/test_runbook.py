"""The runbooks of docs/operating.md, run on lotteries that lost data."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from lottery_system import scheduler
from lottery_system.clock import ONE_DAY
from lottery_system.extensions import db
from lottery_system.models import Lottery
from lottery_system.parts import parts_of
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit, migrate
from tests.stand_ins.log_keys import begin
from tests.stand_ins.processes import PATIENCE, ROOT, Gunicorn, MovedClock, answer_of, wait_for

DOC = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
KEYS = ("log_key", "chain_tip")


def runbook(name: str) -> str:
    found = re.search(rf"```runbook {name}\n(.+?)```", DOC, re.DOTALL)
    assert found, f"no runbook {name} in docs/operating.md"
    return found[1]


class Site:
    """A lottery's folder as an operator has it: `storage`, `backup`, and a terminal.

    Args:
        folder: an empty one.
        app: the lottery, on which time goes by and people play.
        mark: where the second mark is.
    """

    def __init__(self, folder: Path, app: Flask, url: str, mark: str = "") -> None:
        self.folder = folder
        self.storage = folder / "storage"
        self._app = app
        self._url = url
        self._mark = mark
        (folder / "backup").mkdir()

    @property
    def restore(self) -> str:
        """Return the name of the runbook for this lottery's database."""
        return "restore-sqlite" if self._url.startswith("sqlite") else "restore-postgresql"

    def let_go(self) -> None:
        """End all connections, as stopping the lottery does."""
        parts_of(self._app).ballot_box.drain()
        with self._app.app_context():
            for engine in db.engines.values():
                engine.dispose()

    def back_up(self, name: str = "backup") -> None:
        """Save the database as docs/operating.md says."""
        self.let_go()
        (self.folder / name).mkdir(exist_ok=True)
        if self._url.startswith("sqlite"):
            shutil.copy(self.storage / "lottery.db", self.folder / name)
        else:
            file = self.folder / name / "lottery.sql"
            run("pg_dump", "--clean", "--if-exists", f"--file={file}", self._url)

    def choose(self, name: str) -> None:
        """Let `backup` be another one."""
        shutil.copytree(self.folder / name, self.folder / "backup", dirs_exist_ok=True)

    def use(self, url: str) -> None:
        """Let the lottery have another database, with the newest schema."""
        self._url = url
        migrate(url)

    def type(self, name: str, typed: str = "") -> str:
        """Type the commands of a runbook, and return all that they say."""
        self.let_go()
        clock = MovedClock(self.folder / "clock")
        clock.run_from(self._now())
        environ = {
            **os.environ,
            **clock.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LOTTERY_DATABASE_URL": self._url,
            "LOTTERY_STORAGE": str(self.storage),
            "LOTTERY_MARK": self._mark,
            "LOTTERY_CLOCK_TOLERANCE": "off",  # PostgreSQL has the real one
        }
        done = subprocess.run(
            ["bash", "-c", runbook(name)],
            cwd=self.folder,
            env=environ,
            input=typed,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def said_at_start(self) -> str:
        """Start the lottery, and return what /readyz says of it."""
        self.let_go()
        server = Gunicorn(self._url, self.storage, at=self._now(), LOTTERY_MARK=self._mark)
        server.start(until="/healthz")
        try:
            return wait_for(lambda: settled(server), "it has made up its mind")
        finally:
            server.stop()

    def refusal_at_start(self) -> str:
        """Start the lottery, which must refuse, and return why."""
        self.let_go()
        server = Gunicorn(self._url, self.storage, at=self._now(), LOTTERY_MARK=self._mark)
        with pytest.raises(AssertionError, match="gunicorn ended"):
            server.start()
        return server.log()

    def _now(self) -> datetime:
        return datetime.now(UTC)  # which the clock of the test says


def settled(server: Gunicorn) -> str | None:
    """Return what /readyz says, once missed draws are made."""
    _, text = answer_of(f"{server.url}/readyz")
    is_late = text == "ready\n" and server.figures().get("lottery_draws_overdue") != 0
    return None if is_late else text


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)


Play = Callable[[int], None]


@pytest.fixture
def given_settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Return where the second mark is, for a test that asks for it."""
    if not getattr(request, "param", False):
        return {}
    return {"LOTTERY_MARK": str(tmp_path_factory.mktemp("elsewhere") / "mark")}


@pytest.fixture
def site(
    app: Flask, clock: Clock, database_url: str, given_settings: dict[str, str], tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:  # fmt: skip
    folder = tmp_path_factory.mktemp("house")
    (folder / "storage").symlink_to(tmp_path)
    return Site(folder, app, database_url, given_settings.get("LOTTERY_MARK", ""))


@pytest.fixture
def play(
    site: Site, app: Flask, clock: Clock, session: Session, cast: Cast, big_chance: Lottery,
    submit: Submit,
) -> Play:  # fmt: skip
    begin(session, FIRST_NOON)
    scheduler.tick(app)

    def play(days: int) -> None:
        """Let days go by on which people play, and bob play once more on the last."""
        for _ in range(days):
            submit(cast.bob, big_chance, 3)
            submit(cast.charlie, big_chance, 4)
            clock.turn(ONE_DAY)
            scheduler.tick(app)
        submit(cast.bob, big_chance, 5)

    return play


def test_the_newest_backup_goes_on(site: Site, play: Play) -> None:
    play(2)
    site.back_up()

    assert "The database has all that was published." in site.type(site.restore)
    assert site.said_at_start() == "ready\n"


def test_a_backup_an_hour_old_pauses_until_a_newer_one_is_restored(site: Site, play: Play) -> None:
    play(1)
    site.back_up()
    play(0)
    site.back_up("newer")

    said = site.type(site.restore)

    assert "2026-11-20: ballots 6 to 10 were acknowledged and are lost (5)" in said
    assert "That is not its name. Nothing was done." in said or "Aborted" in said
    paused = site.said_at_start()
    assert paused.startswith("paused: The database is older than what was published")
    assert "5 ballots of 2026-11-20, and 10 were acknowledged" in paused
    site.choose("newer")
    assert "The database has all that was published." in site.type(site.restore)
    assert site.said_at_start() == "ready\n"


@pytest.mark.parametrize(
    ("database_url", "age"), [("sqlite", 7), ("postgresql", 1)], indirect=["database_url"]
)
def test_a_backup_days_old_goes_on_once_the_loss_is_stated(
    site: Site, play: Play, age: int
) -> None:
    play(1)
    site.back_up()
    play(age)

    said = site.type(site.restore)
    lost = [FIRST_DAY + (1 + number) * ONE_DAY for number in range(age)]
    for day in lost:
        assert f"{day}: its published result is lost; it is never drawn again." in said
    assert "Ballots that are left, and are in no draw: bob 5." in said
    assert site.said_at_start().startswith("paused: ")

    said = site.type("recover", "lottery.local\n")
    assert "daily-draw/v1 recovery\nname lottery.local\n" in said
    assert site.said_at_start() == "ready\n"
    assert "The database has all that was published." in site.type("recover")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_only_storage_restored_goes_on(site: Site, play: Play) -> None:
    play(1)
    older = (site.storage / "mark").read_bytes()
    play(2)

    (site.storage / "mark").write_bytes(older)

    assert site.said_at_start() == "ready\n"
    assert (site.storage / "mark").read_bytes() != older


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("given_settings", [True], indirect=True)
def test_both_restored_are_found_out_by_a_second_mark(site: Site, play: Play) -> None:
    play(1)
    site.back_up()
    older = (site.storage / "mark").read_bytes()
    play(1)

    (site.storage / "mark").write_bytes(older)
    site.type(site.restore)

    assert site.said_at_start().startswith("paused: The database is older")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_both_restored_without_a_second_mark_are_found_out_by_nobody_here(
    site: Site, play: Play
) -> None:
    """As the table says: what nothing here knows of, only others can tell."""
    play(1)
    site.back_up()
    older = (site.storage / "mark").read_bytes()
    play(1)

    (site.storage / "mark").write_bytes(older)
    site.type(site.restore)

    assert site.said_at_start() == "ready\n"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_keys_and_an_empty_database_do_not_start(site: Site, play: Play, tmp_path: Path) -> None:
    play(1)
    (site.storage / "mark").unlink()
    site.use(f"sqlite:///{tmp_path}/empty.db")

    assert "begin no second journal" in site.refusal_at_start()


def test_keys_and_databases_of_before_and_after_a_recovery_are_told_apart(
    site: Site, play: Play
) -> None:
    play(1)
    site.back_up()
    play(1)
    site.type(site.restore)
    site.type("recover", "lottery.local\n")
    site.back_up("after")

    for name in KEYS:
        (site.storage / name).rename(site.storage / f"{name}.newer")
        shutil.copy(site.storage / f"{name}.ended-0", site.storage / name)
    assert "Copy log_key and chain_tip, both, from the host" in site.refusal_at_start()

    for name in KEYS:
        (site.storage / f"{name}.newer").rename(site.storage / name)
    site.type(site.restore)
    said = site.said_at_start()
    assert said.startswith(
        "paused: The database and the high-water mark are of different lotteries"
    )
    assert "a backup from before a recovery, or from before keys were replaced, restore" in said
    site.choose("after")
    site.type(site.restore)
    assert site.said_at_start() == "ready\n"

    said = site.type("replace-keys", "lottery.local\n")
    assert "The statement is published at /log/recovery/2." in said
    assert site.said_at_start() == "ready\n"
