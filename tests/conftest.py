"""Fixtures: an application on a fresh database, SQLite and PostgreSQL, and the cast.

alice organises, bob plays, charlie plays too.
"""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import time_machine
from argon2 import PasswordHasher
from coverage import Coverage
from flask import Flask
from flask_migrate import upgrade
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Engine, event, make_url
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import Session
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

import config
from lottery_system import create_app
from lottery_system.ballot_box import BallotBox
from lottery_system.extensions import db
from lottery_system.fairness import commitment
from lottery_system.models import AskedBallots, Base, GrantedBallots, Lottery, User
from lottery_system.parts import parts_of
from lottery_system.runtime.database import READING
from tests.stand_ins.log_keys import keep_keys
from tests.stand_ins.mail_server import MailBox, mail_server
from tests.stand_ins.ports import free_port
from tests.stand_ins.postgres import NoServer, Server
from tests.stand_ins.processes import PATIENCE

#: the first day of every test's lottery, and an instant within it
FIRST_DAY = date(2026, 11, 19)
FIRST_NOON = datetime(2026, 11, 19, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"
#: bytes of a table that is emptied by making its file again
LARGE = 256 * 1024

# Keep what is compiled, whatever the environment says: the tests, rewritten by pytest, which takes
# half of their collection in every worker, and the package in all processes that tests start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_sessionfinish() -> None:
    """Save what is covered so far: pytest-xdist kills a worker ten seconds after its last test."""
    if measured := Coverage.current():
        measured.save()


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller

    def set(self, to: datetime) -> None:
        self._traveller.move_to(to)

    def turn(self, by: timedelta) -> None:
        self._traveller.shift(by)


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Stop the clock at noon of the first day."""
    with time_machine.travel(FIRST_NOON, tick=False) as traveller:
        yield Clock(traveller)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Run a server for the tests of this process."""
    try:
        server = Server(durable=False)
    except NoServer as error:
        pytest.skip(str(error))
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgres_url(postgres: Server) -> str:
    """Return the address of a database with the newest schema."""
    url = postgres.create("lottery")
    migrate(url)
    return url


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database file with the newest schema, to be copied."""
    file = tmp_path_factory.mktemp("schema") / "lottery.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database with the newest schema."""
    if request.param == "sqlite":
        file = tmp_path / "lottery.db"
        shutil.copy(request.getfixturevalue("sqlite_file"), file)
        return f"sqlite:///{file}"
    url: str = request.getfixturevalue("postgres_url")
    empty(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    url: str = request.getfixturevalue("postgres").create(f"empty_{abs(hash(tmp_path))}")
    return url


def migrate(url: str) -> None:
    """Bring a database to the newest schema."""
    with running(settings_for(url)) as app, app.app_context():
        upgrade()


def empty(url: str) -> None:
    """Forget all rows, also those that triggers keep from DELETE, and number new ones from 1.

    A session in the role of a replica fires no triggers. TRUNCATE fires none of these either, but
    makes the files of all tables again, which takes twenty times as long; it is for large ones.

    Whoever is connected still is ended first: either would wait for a transaction that a test left
    open when it failed, for ever.
    """
    tables = [table.name for table in Base.metadata.sorted_tables]
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        largest = connection.execute(
            "SELECT max(pg_relation_size(oid)) FROM pg_class WHERE relname = ANY(%s)", [tables]
        ).fetchone()
        if largest is None or largest[0] > LARGE:
            connection.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
            return
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("; ".join(f"DELETE FROM {table}" for table in tables))
        connection.execute("SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'")


def settings_for(url: str, **given: str) -> config.Settings:
    """Return settings for tests; `given` are further ones, by their names in the environment."""
    return config.load({"LOTTERY_ENV": "testing", "LOTTERY_DATABASE_URL": url, **given})


@pytest.fixture
def given_settings() -> dict[str, str]:
    """Return settings that differ from the defaults; for a test to override."""
    return {}


@pytest.fixture
def mail_port() -> int:
    """Return where `mailbox` takes mails."""
    return free_port()


@pytest.fixture
def mailbox(mail_port: int) -> Iterator[MailBox]:
    """Run a mail server."""
    box = MailBox()
    with mail_server(box, mail_port):
        yield box


@pytest.fixture
def app(database_url: str, given_settings: dict[str, str], tmp_path: Path) -> Iterator[Flask]:
    """Return an application; outside its context, as requests come."""
    keep_keys(tmp_path)
    settings = settings_for(database_url, LOTTERY_STORAGE=str(tmp_path), **given_settings)
    with running(settings) as app:
        yield app


class CompiledTemplates(BytecodeCache):
    """The templates as Python code, for all applications of this process.

    Every test has an application of its own. Compiling the templates in each would take longer than
    the rest of most tests. Jinja asks here by their source.
    """

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if found := self._code.get(bucket.key):
            bucket.bytecode_from_string(found)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def compiled_templates() -> Iterator[None]:
    """Compile each template once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": CompiledTemplates()})
        yield


@pytest.fixture(scope="session", autouse=True)
def routes_compiled_once() -> Iterator[None]:
    """Compile each route once for all applications: most of what an application costs."""
    compiled: dict[tuple[object, ...], Rule] = {}
    compile_rule = Rule.compile

    def of(rule: Rule, method: Any) -> Any:
        return method.__func__.__get__(rule)

    def once(rule: Rule) -> None:
        key = (rule.rule, rule.endpoint, repr(rule.defaults), rule.merge_slashes, rule.subdomain)
        first = compiled.get(key)
        if first is None:
            compile_rule(rule)
            compiled[key] = rule
            return
        rule.arguments |= first.arguments
        rule._parts, rule._trace, rule._converters = first._parts, first._trace, first._converters
        rule._build = of(rule, first._build)
        rule._build_unknown = of(rule, first._build_unknown)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "compile", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """Compile each statement once for all engines of a dialect, not once for each application."""
    caches: dict[type, LRUCache[Any, Any]] = {}
    shared = property(
        lambda engine: caches.setdefault(type(engine.dialect), LRUCache(2000)),
        lambda engine, own: None,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "_compiled_cache", shared, raising=False)
        patch.setattr(DefaultDialect, "__hash__", lambda dialect: hash(type(dialect)))
        patch.setattr(DefaultDialect, "__eq__", lambda one, other: type(one) is type(other))
        yield


@pytest.fixture(scope="session", autouse=True)
def chains_followed_once() -> Iterator[None]:
    """Remember where steps along a secret chain lead: all tests have the same chain.

    A day that is closed goes along a hundred years of it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commitment, "follow_chain", lru_cache(1000)(commitment.follow_chain))
        yield


def refuse_a_second_connection(engine: Engine) -> None:
    """Fail what takes a connection while it holds one: where all do, all wait for ever."""
    held = threading.local()

    @event.listens_for(engine, "checkout")
    def count(connection: object, record: object, proxy: object) -> None:
        assert not getattr(held, "count", 0), "waits for a second connection while it holds one"
        held.count = 1

    @event.listens_for(engine, "checkin")
    def forget(connection: object, record: object) -> None:
        held.count = 0


@contextmanager
def running(settings: config.Settings) -> Iterator[Flask]:
    """Make an application, and end it as a worker does."""
    app = create_app(settings)
    with app.app_context():
        refuse_a_second_connection(db.engines[READING])
    try:
        yield app
    finally:
        parts_of(app).ballot_box.drain()
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()


@pytest.fixture
def engine(app: Flask) -> Engine:
    """Return the application's engine."""
    with app.app_context():
        return db.engine


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """Return a session that may write."""
    with Session(engine, expire_on_commit=False) as session:
        yield session


def hash_of_password() -> str:
    """Hash the password that all have, so that it is checked fast: many tests begin with a log-in.

    A hash says how dear it is to check. How dear those are that the lottery makes,
    `tests/web/pages/test_sign_up.py` sees to.
    """
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


@dataclass(frozen=True)
class Cast:
    """Who plays a part in the tests."""

    alice: User
    bob: User
    charlie: User


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Hash the cast's password once."""
    return hash_of_password()


@pytest.fixture
def cast(clock: Clock, session: Session, password_hash: str) -> Cast:
    """Sign up alice, an organiser, and bob and charlie, participants."""
    members = [
        User.sign_up(name, password_hash, FIRST_NOON, is_organiser=name == "alice")
        for name in ("alice", "bob", "charlie")
    ]
    with session.begin():
        session.add_all(members)
    return Cast(*members)


@pytest.fixture
def big_chance(clock: Clock, session: Session) -> Lottery:
    """Open a lottery for a month."""
    with session.begin():
        lottery = Lottery.create("Big Chance", "", FIRST_DAY + timedelta(days=30), FIRST_NOON)
        session.add(lottery)
    return lottery


@pytest.fixture
def extra_win(clock: Clock, session: Session) -> Lottery:
    """Open a lottery for its first day only."""
    with session.begin():
        lottery = Lottery.create("Extra Win", "", FIRST_DAY, FIRST_NOON)
        session.add(lottery)
    return lottery


Backup = Callable[[], Callable[[], None]]


@pytest.fixture
def backup(app: Flask, database_url: str, tmp_path: Path) -> Backup:
    """Return a function that backs the database up, and returns one that restores it."""

    def forget_connections() -> None:
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()

    def of_sqlite() -> Callable[[], None]:
        file = Path(make_url(database_url).database or "")
        copy = tmp_path / f"copy-{len(list(tmp_path.iterdir()))}"
        forget_connections()  # which writes what is in the write-ahead log
        shutil.copy(file, copy)

        def restore() -> None:
            forget_connections()
            for part in tmp_path.glob("lottery.db*"):
                part.unlink()
            shutil.copy(copy, file)

        return restore

    def of_postgresql() -> Callable[[], None]:
        url = make_url(database_url).set(drivername="postgresql")
        address = url.render_as_string(hide_password=False)
        dump = tmp_path / f"dump-{len(list(tmp_path.iterdir()))}.sql"
        run("pg_dump", "--clean", "--if-exists", f"--file={dump}", address)

        def restore() -> None:
            forget_connections()
            run("psql", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={dump}", address)

        return restore

    return of_sqlite if database_url.startswith("sqlite") else of_postgresql


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)


Submit = Callable[..., GrantedBallots]


@pytest.fixture
def box(app: Flask) -> BallotBox:
    """Return the application's ballot box."""
    return parts_of(app).ballot_box


@pytest.fixture
def submit(box: BallotBox) -> Submit:
    """Return a function that submits ballots through the box."""

    def submit(
        user: User, lottery: Lottery, count: int = 1, token: UUID | None = None
    ) -> GrantedBallots:
        return box.submit(
            AskedBallots.of(
                token=token or uuid4(),
                user_id=user.id,
                username=user.username or "nobody",
                lottery_id=lottery.id,
                ballot_count=count,
            )
        )

    return submit
