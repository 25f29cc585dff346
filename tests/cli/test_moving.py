"""`flask db move`: a lottery moves from SQLite to PostgreSQL, completely or not at all."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Engine, create_engine, inspect, make_url, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from lottery_system.audit import audit
from lottery_system.extensions import db
from lottery_system.models import (
    AccountEvent,
    AccountEventKind,
    AccountLink,
    AuthenticatorApp,
    Base,
    ClaimEvent,
    Cosignature,
    Invitation,
    JournalRecord,
    LinkPurpose,
    LoginSession,
    Lottery,
    Mail,
    MailAddress,
    Passkey,
    Picture,
    RecoveryCode,
    ResetRequest,
    SiteChange,
    Throttle,
    Timestamp,
    UsedChallenge,
    User,
)
from lottery_system.models.claim import claim
from lottery_system.models.site_change import TEXTS
from lottery_system.moving import CannotMove, move, target_of
from lottery_system.passkeys import CreatedPasskey
from lottery_system.pictures import Encoded, Rendition
from lottery_system.runtime.database import READING, reading_engine, snapshot
from lottery_system.timestamp_proof import SHA256, ProofPath, Step
from tests.conftest import FIRST_NOON, Cast, Clock, Submit, migrate
from tests.stand_ins.cosigning import CosigningKey
from tests.stand_ins.log_keys import LOG_KEYS, run_due
from tests.stand_ins.postgres import Server
from tests.stand_ins.processes import PATIENCE, ROOT, Gunicorn

ONE_DAY = timedelta(days=1)
_names = (f"moved{number}" for number in count())

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def target(postgres: Server) -> str:
    """Return the address of a database with nothing in it."""
    return postgres.create(next(_names))


@pytest.fixture
def reading(app: Flask) -> Engine:
    """Return the engine by which the lottery is read that is to be moved."""
    with app.app_context():
        return db.engines[READING]


@pytest.fixture
def _played(
    session: Session, cast: Cast, big_chance: Lottery, extra_win: Lottery, submit: Submit,
    clock: Clock,
) -> None:  # fmt: skip
    """Let two days be drawn, with something in every table that a player fills."""
    run_due(session, FIRST_NOON)
    submit(cast.bob, big_chance, 300)
    submit(cast.charlie, extra_win, 2)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=3)
    submit(cast.bob, big_chance, 5)
    with session.begin():
        won = session.scalars(select(ClaimEvent)).one()
        claim(
            session,
            won.day,
            won.place,
            won.holder_id,
            contact="bob@example",
            now=FIRST_NOON + ONE_DAY,
        )
        genesis = session.get_one(JournalRecord, (0, 0)).checkpoint
        witness = CosigningKey("“Käse”", bytes(32))
        Cosignature.keep(session.connection(), 0, 0, witness.answer(genesis, 2**63 - 1))
        proof = [ProofPath((Step(SHA256),), 2**31 - 1)]
        Timestamp.keep(session.connection(), 0, 1, "https://käse.example", proof)
        LoginSession.open(session, cast.bob, FIRST_NOON, has_second_factor=True)
        made = CreatedPasskey(b"\x00id", b"\x00key", b"\x00handle", 2**32 - 1)
        Passkey.add(session, cast.bob.id, "“Käse”", made, FIRST_NOON)
        AuthenticatorApp.begin(session, cast.bob.id, "a key", FIRST_NOON)
        RecoveryCode.make(session, cast.bob.id)
        UsedChallenge.use(session, b"challenge", FIRST_NOON)
        used = AccountLink.make(session, LinkPurpose.PASSWORD, cast.bob.id, FIRST_NOON, ONE_DAY)
        AccountLink.use(session, LinkPurpose.PASSWORD, used, FIRST_NOON)
        AccountEvent.record(
            session,
            cast.bob.id,
            AccountEventKind.RESET_LINK_MADE,
            FIRST_NOON,
            actor_id=cast.alice.id,
        )
        token = Invitation.make(session, "Club", FIRST_NOON, uses=2, days=1, by=cast.alice.id)[1]
        Invitation.use(session, token, cast.bob.id, FIRST_NOON)
        session.add(
            MailAddress(
                user_id=cast.bob.id, address="bob@x.example", address_key="bob@x.example",
                verified_at=FIRST_NOON, language="de",
            )
        )  # fmt: skip
        session.flush()
        Mail.add_password_changed(session, cast.bob.id, FIRST_NOON)
        session.add(ResetRequest(typed="“Käse”", asked_at=FIRST_NOON))
        session.add(Throttle(key="é", attempt_count=1, expires_at=FIRST_NOON))
        lottery = session.get_one(Lottery, big_chance.id)
        lottery.change(
            "Bigger Chance", "“Käse”\n\t\\", big_chance.closes_on, FIRST_NOON, by=cast.alice.id
        )
        rendition = Rendition(2, 1, bytes(range(256)))
        picture = Picture.keep(session.connection(), Encoded(rendition, rendition))
        lottery.show_picture(picture, "“Käse”")
        said = {"title": "“Käse”", **dict.fromkeys(TEXTS, "Käse.")}
        SiteChange.add(session, said, picture, FIRST_NOON, cast.alice.id)


def rows_of(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables."""
    with engine.connect() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }


@pytest.fixture
def open_engine() -> Iterator[Callable[[str], Engine]]:
    """Return a function that makes engines, which are closed at the end."""
    engines: list[Engine] = []

    def open_engine(url: str) -> Engine:
        engines.append(create_engine(url))
        return engines[-1]

    yield open_engine
    for engine in engines:
        engine.dispose()


@pytest.mark.usefixtures("_played")
def test_a_lottery_goes_on_where_it_was_moved_to(
    session: Session, database_url: str, target: str, tmp_path: Path,
    open_engine: Callable[[str], Engine],
) -> None:  # fmt: skip
    before = rows_of(open_engine(database_url))

    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "lottery_system", "db", "move", target],
        cwd=ROOT,
        env=os.environ | {"LOTTERY_DATABASE_URL": database_url, "LOTTERY_STORAGE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "All days, ballots and logs of the copy match." in done.stdout
    assert "set LOTTERY_DATABASE_URL to the new address" in done.stdout
    # it was never recovered
    assert [name for name in before if not before[name]] == ["recoveries"]
    moved = open_engine(target)
    assert rows_of(open_engine(database_url)) == rows_of(moved) == before

    # the server's clock is set from the wall clock, which stands still for this process
    ahead = FIRST_NOON + 3 * ONE_DAY - time_machine.escape_hatch.datetime.datetime.now(UTC)
    with Gunicorn(target, tmp_path, at=datetime.now(UTC) + ahead):
        pass  # it is ready once what is due is drawn

    with Session(moved) as after:
        journal = after.scalars(select(JournalRecord).order_by(JournalRecord.number)).all()
        assert len(journal) == 4
        assert [each.record for each in journal[:2]] == [
            record for _, _, _, record, *_ in sorted(before["journal"])
        ]
        # numbers go on, and what is kept for ever is kept here, too
        dora = User.sign_up("dora", "no password fits", FIRST_NOON)
        after.add(dora)
        after.commit()
        assert dora.id == 4
        with pytest.raises(IntegrityError, match="kept for ever"):
            after.execute(text("DELETE FROM ballots"))
    engine = reading_engine(make_url(target))
    with snapshot(engine) as connection:
        assert list(audit(connection, LOG_KEYS)) == []
    engine.dispose()


@pytest.mark.usefixtures("_played")
def test_an_empty_schema_may_be_there_already(
    app: Flask, reading: Engine, target: str, open_engine: Callable[[str], Engine]
) -> None:
    migrate(target)

    with app.app_context():
        moved = move(reading, target_of(target), lambda line: None)

    assert moved == sum(map(len, rows_of(open_engine(target)).values()))


@pytest.mark.usefixtures("_played")
def test_what_comes_in_during_the_move_ends_it_and_leaves_nothing(
    app: Flask, session: Session, cast: Cast, big_chance: Lottery, submit: Submit,
    reading: Engine, target: str, open_engine: Callable[[str], Engine],
) -> None:  # fmt: skip
    told: list[str] = []

    def tell(line: str) -> None:
        if not told:
            submit(cast.bob, big_chance, 1)
        told.append(line)

    with app.app_context(), pytest.raises(CannotMove, match="was written to during the move"):
        move(reading, target_of(target), tell)

    assert len(told) == len(Base.metadata.sorted_tables)
    assert inspect(open_engine(target)).get_table_names() == []


@pytest.mark.usefixtures("_played")
@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("INSERT INTO throttles VALUES ('x', 1, now())", "its table throttles has rows"),
        ("CREATE TABLE cats ()", "it has a table cats, which is not ours"),
        ("DROP TABLE alembic_version", "The target refused, and is as it was before: relation"),
        (
            "UPDATE alembic_version SET version_num = 'x'",
            "has a schema of something else: This database",
        ),
        ("ALTER TABLE throttles ALTER key TYPE char(99)", "The copy of throttles is not what was"),
        ("ALTER TABLE winners ADD CHECK (place > 1)", 'new row for relation "winners" violates'),
    ],
)
def test_a_target_that_is_not_fit_is_refused_and_left_alone(
    app: Flask, target: str, open_engine: Callable[[str], Engine], statement: str, says: str
) -> None:
    migrate(target)
    engine = open_engine(target)
    with engine.begin() as connection:
        connection.execute(text(statement))
    before = rows_of(engine), sorted(inspect(engine).get_table_names())

    done = app.test_cli_runner().invoke(args=["db", "move", target])

    assert done.exit_code == 1
    assert says in done.output
    assert done.output.count("Error") == 1
    assert (rows_of(engine), sorted(inspect(engine).get_table_names())) == before


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:////tmp/other.db", "A lottery is moved to PostgreSQL; write the address"),
        ("hunter2", "A lottery is moved to PostgreSQL; write the address"),
        ("postgresql://lottery:hunter2@127.0.0.1:1/x", "The target gave no access: "),
        ("postgresql://lottery@127.0.0.1:1/x?password=hunter2", "The target gave no access: "),
    ],
)
def test_where_there_is_no_target_one_sentence_says_so_and_shows_no_password(
    app: Flask, url: str, says: str
) -> None:
    done = app.test_cli_runner().invoke(args=["db", "move", url])

    assert done.exit_code == 1
    assert says in done.output
    assert "hunter2" not in done.output


@pytest.mark.usefixtures("_played")
def test_a_source_with_an_old_schema_is_to_be_brought_up_to_date_first(
    app: Flask, session: Session, target: str
) -> None:
    with session.begin():
        session.execute(text("UPDATE alembic_version SET version_num = '0003'"))

    done = app.test_cli_runner().invoke(args=["db", "move", target])

    assert done.exit_code == 1
    assert "Bring it up to date first: flask --app lottery_system db upgrade." in done.output


def test_a_lottery_on_postgresql_is_moved_by_its_own_means(
    app: Flask, postgres_url: str, target: str
) -> None:
    with app.app_context(), pytest.raises(CannotMove, match="use pg_dump"):
        move(reading_engine(make_url(postgres_url)), target_of(target), lambda line: None)
