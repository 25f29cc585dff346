"""Schema check: server and commands refuse a database of another version, with a message."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import Result
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import inspect, text

from lottery_system import cli
from lottery_system.errors import OutdatedSchema
from lottery_system.extensions import db, reading
from lottery_system.schema import demand_current
from tests.conftest import running, settings_for
from tests.migrations.test_migrations import LANDED
from tests.stand_ins.log_keys import keep_keys
from tests.stand_ins.processes import PATIENCE, ROOT, Gunicorn, wait_for

NEWEST = max(LANDED)[:4]
RUN_UPGRADE = "run `flask --app lottery_system db upgrade`"


def said_of(statement: str) -> str:
    """Change the database of the application in use, and return why it is refused then."""
    with db.engine.begin() as connection:
        connection.execute(text(statement))
    with reading() as connection, pytest.raises(OutdatedSchema) as refused:
        demand_current(connection)
    return str(refused.value)


def test_a_database_of_this_version_is_taken(app: Flask) -> None:
    with app.app_context(), reading() as connection:
        demand_current(connection)


@pytest.mark.parametrize("revision", [None, "0002", "0004"])
def test_a_database_of_an_older_version_is_to_be_upgraded(
    empty_url: str, revision: str | None
) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        if revision:
            upgrade(revision=revision)

        assert said_of("SELECT 1") == (
            f"The database has revision {revision or 'none'} where this version of the lottery "
            f"needs {NEWEST}: {RUN_UPGRADE}."
        )


def test_a_database_of_a_newer_version_is_left_alone(empty_url: str) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade()

        assert said_of("UPDATE alembic_version SET version_num = '9999'") == (
            "This database is of a newer version of the lottery (revision 9999, where this one "
            f"ends at {NEWEST}): run the newer version, and nothing of this one."
        )


@pytest.mark.parametrize(
    ("statement", "lacks"),
    [
        ("ALTER TABLE users DROP COLUMN language", "users.language"),
        (
            "DROP TABLE throttles",
            "throttles.attempt_count, throttles.expires_at, throttles.key",
        ),
    ],
)
def test_a_database_that_lacks_a_column_is_refused_whatever_its_revision(
    empty_url: str, statement: str, lacks: str
) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade()

        assert f"has revision {NEWEST} and yet lacks {lacks}, which" in said_of(statement)


def commands() -> list[list[str]]:
    """Return all commands that need a database, each with something typed for what it must have."""
    return [
        [group.name or "", name, *typed_for(command)]
        for group in (cli.user, cli.lottery, cli.draw)
        for name, command in group.commands.items()
    ]


def typed_for(command: click.Command) -> list[str]:
    typed = []
    for each in command.params:
        if each.required:
            typed += [] if isinstance(each, click.Argument) else [each.opts[0]]
            typed.append({"DATE": "2099-12-31"}.get(each.type.name, "1"))
    return typed


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_every_command_before_db_upgrade_says_so(empty_url: str, arguments: list[str]) -> None:
    with running(settings_for(empty_url)) as app:
        done = app.test_cli_runner().invoke(args=arguments, input="correct horse battery\n")

        assert_told(done, RUN_UPGRADE)
        with app.app_context():
            assert inspect(db.engine).get_table_names() == []


def test_help_needs_no_database() -> None:
    with running(settings_for(NOWHERE)) as app:
        done = app.test_cli_runner().invoke(args=["user", "create", "--help"])

    assert (done.exit_code, done.output[:6]) == (0, "Usage:")


NOWHERE = "postgresql://lottery:much-secret@127.0.0.1:1/lottery"


@pytest.mark.parametrize("arguments", [*commands(), ["db", "upgrade"]], ids=" ".join)
def test_no_command_shows_a_traceback_or_a_secret_where_there_is_no_database(
    arguments: list[str],
) -> None:
    with running(settings_for(NOWHERE)) as app:
        done = app.test_cli_runner().invoke(args=arguments, input="correct horse battery\n")

    assert_told(done, "The database cannot be reached, or refuses: connection ")
    assert "much-secret" not in done.output


def test_a_user_that_the_database_refuses_leaves_no_hash_on_the_screen(app: Flask) -> None:
    with app.app_context(), db.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            refuse = ["CREATE TRIGGER full BEFORE INSERT ON users BEGIN SELECT no_such(); END"]
        else:
            refuse = [
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " RAISE EXCEPTION 'no_such' USING DETAIL = NEW.password_hash; END $$",
                "CREATE TRIGGER full_disk BEFORE INSERT ON users FOR EACH ROW"
                " EXECUTE FUNCTION full_disk()",
            ]
        for statement in refuse:
            connection.execute(text(statement))
    try:
        done = app.test_cli_runner().invoke(
            args=["user", "create", "bob"], input="correct horse battery\n"
        )
    finally:
        with app.app_context(), db.engine.begin() as connection:
            if connection.dialect.name == "postgresql":  # which other tests go on with
                connection.execute(text("DROP FUNCTION full_disk CASCADE"))

    assert_told(done, "no_such")
    assert "argon2" not in done.output


def test_what_db_commands_refuse_is_told_in_a_sentence(empty_url: str) -> None:
    with running(settings_for(empty_url)) as app:
        with app.app_context():
            upgrade()
        type_ = app.test_cli_runner().invoke
        type_(args=["lottery", "demo"])
        assert_told(type_(args=["db", "downgrade", "0003"]), "would lose what is stored in lotter")
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        for command in ("upgrade", "downgrade"):
            assert_told(type_(args=["db", command]), "is of a newer version")


def assert_told(done: Result, sentence: str) -> None:
    """See that a command ended with one line that says what is wrong, and nothing else."""
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit), done.exception
    assert sentence in done.output
    assert done.output.startswith("Error: ")
    assert done.output.count("\n") == 1
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE alembic_version SET version_num = '0004'", RUN_UPGRADE),
        ("UPDATE alembic_version SET version_num = '9999'", "is of a newer version"),
        ("ALTER TABLE users DROP COLUMN language", "lacks users.language"),
    ],
)
def test_the_start_refuses_a_database_of_another_version(
    empty_url: str, tmp_path: Path, statement: str, says: str
) -> None:
    keep_keys(tmp_path)
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade()
        with db.engine.begin() as connection:
            connection.execute(text(statement))

    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py"],
        cwd=ROOT,
        env=Gunicorn(empty_url, tmp_path).environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "Booting worker" not in done.stderr


def test_the_start_goes_on_where_no_database_can_be_asked(tmp_path: Path) -> None:
    server = Gunicorn(NOWHERE, tmp_path)
    server.start_up()
    try:
        wait_for(lambda: "Booting worker" in server.log(), "a worker starts")
    finally:
        server.kill()

    assert "start: connection " in server.log()
    assert "much-secret" not in server.log()
