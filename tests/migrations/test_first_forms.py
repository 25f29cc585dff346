"""Databases made by early versions of migrations 0001 and 0003 are upgraded completely."""

import json
import re
import shutil
from base64 import b64decode
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import (
    Connection,
    Date,
    DateTime,
    Engine,
    LargeBinary,
    MetaData,
    Uuid,
    create_engine,
    inspect,
    text,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from lottery_system.audit import audit
from lottery_system.certificates import certificate_of
from lottery_system.extensions import db
from lottery_system.fairness.checks import holds
from lottery_system.fairness.verify import verify
from lottery_system.models import Base
from lottery_system.queries.logs import ballot_records
from lottery_system.schema import MIGRATIONS
from tests.conftest import migrate, running, settings_for
from tests.stand_ins.log_keys import LOG_KEYS, run_due

FIRST_FORMS = Path(__file__).with_name("first_forms")
#: days of which the database has a closed and a drawn log, a closed one, and an open one
DRAWN_DAY, CLOSED_DAY, OPEN_DAY = (date(2026, 11, day) for day in (21, 22, 23))

Row = dict[str, Any]
#: what is no migration up to 0003
LATER = shutil.ignore_patterns("000[4-9]*", "00[1-9]*", "__pycache__")


def first_form(folder: Path, *names: str) -> str:
    """Make a folder of migrations, up to 0003, of which some are in their first form."""
    shutil.copytree(MIGRATIONS, folder, ignore=LATER)
    for form in FIRST_FORMS.glob("*.txt"):
        if form.name[:4] in names:
            (folder / "versions" / form.stem).write_bytes(form.read_bytes())
    return str(folder)


@pytest.mark.parametrize("edited", [("0003",), ("0001", "0003")], ids="+".join)
def test_a_database_of_first_forms_comes_over_with_all_that_was_played(
    edited: tuple[str, ...], empty_url: str, tmp_path: Path, fresh: Engine
) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(first_form(tmp_path / "migrations", *edited))
        with db.engine.begin() as connection:
            play(connection)
            before = rows_of(connection)

        upgrade()

        with db.engine.connect() as connection:
            after = rows_of(connection)
            assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
            assert schema_of(connection) == schema_of_fresh(fresh)
        leaves_of = {row["token"]: row["leaves"] for row in after["submissions"]}
        assert sum(map(len, leaves_of.values())) == 32 * (310 + 7 + 4)
        before["ballot_tiles"] = [row for row in before["ballot_tiles"] if row["level"] > 0]
        for name in before.keys() - {"alembic_version"}:
            known = [{key: row[key] for key in before[name][0]} for row in after[name]]
            assert known == before[name], name

        with Session(db.engine) as session:
            with session.begin():
                assert list(audit(session.connection(), LOG_KEYS)) == []
            now = datetime(2026, 11, 24, 12, tzinfo=UTC)
            assert run_due(session, now) == [CLOSED_DAY, OPEN_DAY]
            with session.begin():
                connection = session.connection()
                assert list(audit(connection, LOG_KEYS)) == []
                for day, size in ((DRAWN_DAY, 310), (CLOSED_DAY, 7), (OPEN_DAY, 4)):
                    certificate = certificate_of(connection, day, LOG_KEYS).encode()
                    records = ballot_records(connection, day, 1, size)
                    assert holds(verify(certificate, key=LOG_KEYS.key.verifier, ballots=records))


def test_a_database_that_was_brought_over_is_left_as_it_is(
    empty_url: str, tmp_path: Path, fresh: Engine
) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(first_form(tmp_path / "migrations", "0003"))
        with db.engine.begin() as connection:
            play(connection)
        upgrade(revision="0005")
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))
            before = schema_of(connection), rows_of(connection)

        upgrade(revision="0005")

        with db.engine.connect() as connection:
            after = schema_of(connection), rows_of(connection)
        before[1]["alembic_version"] = [{"version_num": "0005"}]
        assert after == before


def test_what_todays_forms_make_is_left_as_it_is(empty_url: str) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0004")
        with db.engine.connect() as connection:
            before = schema_of(connection)

        upgrade(revision="0005")

        with db.engine.connect() as connection:
            assert schema_of(connection) == before


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM ballot_tiles WHERE level = 0 AND number = 1", "fewer leaves"),
        (
            "INSERT INTO ballot_tiles SELECT day, level, 2, first, hashes FROM ballot_tiles"
            " WHERE level = 0 AND number = 1 AND first = 0",
            "more leaves",
        ),
    ],
)
def test_a_log_that_does_not_fit_its_ballots_is_not_brought_over(
    empty_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    statement: str,
    says: str,
) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(first_form(tmp_path / "migrations", "0003"))
        with db.engine.begin() as connection:
            play(connection)
            on = " ON ballot_tiles" if connection.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TRIGGER ballot_tiles_kept_on_delete{on}"))
            connection.execute(text(statement))
            before = schema_of(connection), rows_of(connection)

        with pytest.raises(SystemExit):
            upgrade()

        assert f"The log of {DRAWN_DAY} has {says} than the day has ballots." in caplog.text
        with db.engine.connect() as connection:
            assert (schema_of(connection), rows_of(connection)) == before


@pytest.fixture
def fresh(empty_url: str, request: pytest.FixtureRequest) -> Engine:
    """Return an engine of a database of the same kind, made with the newest schema."""
    if empty_url.startswith("sqlite"):
        return create_engine(f"sqlite:///{request.getfixturevalue('sqlite_file')}")
    # not the one that tests share: some restore it from a dump, which spells constraints anew
    url = request.getfixturevalue("postgres").create(f"fresh_{abs(hash(empty_url))}")
    migrate(url)
    return create_engine(url)


def play(connection: Connection) -> None:
    """Leave in a database of the first form what its own code did."""
    found = MetaData()
    found.reflect(connection)
    played: dict[str, list[Row]] = json.loads((FIRST_FORMS / "played.json").read_text())
    played["ballots"] = [
        {
            **{key: run[key] for key in ("day", "lottery_id", "user_id", "submitted_at")},
            "number": number,
        }
        for run in played["submissions"]
        for number in range(run["first_number"], run["first_number"] + run["ballot_count"])
    ]
    played["winners"] = played.pop("winners")  # behind their ballots
    for name, rows in played.items():
        table = found.tables[name]
        for row in rows:
            values = {key: value_of(table.c[key].type, value) for key, value in row.items()}
            connection.execute(table.insert().values(values))


def value_of(kind: TypeEngine[Any], written: Any) -> Any:
    if isinstance(kind, LargeBinary):
        return b64decode(written)
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(written)
    if isinstance(kind, Date):
        return date.fromisoformat(written)
    return UUID(written) if isinstance(kind, Uuid) else written


def rows_of(connection: Connection) -> dict[str, list[Row]]:
    """Return all rows of all tables, in an order of their own."""
    return {
        name: sorted(
            (dict(row._mapping) for row in connection.execute(text(f"SELECT * FROM {name}"))),
            key=lambda row: [str(row.get(key)) for key in KEYS if key in row],
        )
        for name in inspect(connection).get_table_names()
    }


#: columns by one or some of which the rows of any table can be told apart
KEYS = ("day", "level", "number", "first", "place", "token", "id", "user_id", "lottery_id")


def test_pictures_leave_the_triggers_and_checks_of_claims_and_offers(empty_url: str) -> None:
    """Also a step back, which restores those of the log of changes."""
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0010")
        with db.engine.connect() as connection:
            before = schema_of(connection)
        upgrade(revision="0011")
        with db.engine.connect() as connection:
            after = {str(row).lower() for row in schema_of(connection)}
        downgrade(revision="0010")

        with db.engine.connect() as connection:
            assert schema_of(connection) == before
        for name in ("ck_lotteries_most_a_day", "ck_lotteries_winnable", "claim_events_in_order",
                     "offers_kept_on_insert", "old.most_a_day"):  # fmt: skip
            assert any(name in row for row in after), name


def schema_of_fresh(fresh: Engine) -> set[tuple[object, ...]]:
    with fresh.connect() as connection:
        found = schema_of(connection)
    fresh.dispose()
    return found


def _sorted(sql: str) -> str:
    """Return a statement with the constraints of its table in the order of their names.

    Alembic's batch mode writes them in an order that changes from one process to the next, and that
    means nothing.
    """
    begin, *constraints = re.split(r", (?=CONSTRAINT )", " ".join(sql.replace('"', "").split()))
    return ", ".join([begin, *sorted(each.removesuffix(" )") for each in constraints)])


def schema_of(connection: Connection) -> set[tuple[object, ...]]:
    """Return all that a schema is, as the database itself writes it."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT type, name, tbl_name, sql FROM sqlite_master"))
        return {(*row[:3], _sorted(row.sql) if row.sql else None) for row in rows}
    return {
        tuple(row)
        for statement in (
            "SELECT 'column', attrelid::regclass::text, attnum, attname, atttypid::regtype::text,"
            " attnotnull, attstorage, pg_get_expr(adbin, adrelid)"
            " FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid"
            " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND attnum > 0"
            " AND NOT attisdropped",
            "SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)"
            " FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
            "SELECT 'trigger', pg_get_triggerdef(oid), tgenabled FROM pg_trigger"
            " WHERE NOT tgisinternal",
            "SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public'",
            "SELECT 'function', proname, prosrc FROM pg_proc"
            " WHERE pronamespace = 'public'::regnamespace",
        )
        for row in connection.execute(text(statement))
    }
