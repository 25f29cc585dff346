"""Backup script: pg_dump gets every address that the lottery takes, without its password."""

import os
import subprocess
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.stand_ins.processes import PATIENCE, ROOT

PG_DUMP = """#!/bin/sh
printf %s "${PGPASSWORD-none}" >password
for each; do case $each in
--file=*) : >"${each#--file=}" ;;
--dbname=*) printf %s "${each#--dbname=}" >address ;;
esac; done
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder in which a script that takes notes stands for pg_dump."""
    program = tmp_path / "pg_dump"
    program.write_text(PG_DUMP)
    program.chmod(0o700)
    return tmp_path


def back_up(folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", str(ROOT / "config" / "backup.sh"), "backups"],
        cwd=folder, env={"PATH": f"{folder}:{os.environ['PATH']}", **environ},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("url", "password", "user"),
    [
        ("postgresql://lottery:a%40b%25c%2f@db:5433/lottery", "a@b%c/", "lottery"),
        ("postgresql://lottery:a\\x41:b%C3%A9%zz@db:5433/lottery", "a\\x41:bé%zz", "lottery"),
        ("postgresql+psycopg://lottery:secret@db:5433/lottery", "secret", "lottery"),
        ("postgresql+psycopg://lottery@db:5433/lottery", "none", "lottery"),
        ("postgresql+psycopg://db:5433/lottery", "none", None),
        ("postgresql://lottery:secret@db:5433/lottery?sslmode=require", "secret", "lottery"),
    ],
)
def test_pg_dump_gets_the_address_and_apart_from_it_the_password(
    folder: Path, url: str, password: str, user: str | None
) -> None:
    done = back_up(folder, LOTTERY_DATABASE_URL=url)

    assert done.returncode == 0, done.stderr
    assert (folder / "password").read_text(encoding="utf-8") == password
    given = conninfo_to_dict((folder / "address").read_text())
    assert "password" not in given
    assert [given.get(key) for key in ("user", "host", "port", "dbname")] == [
        user, "db", "5433", "lottery",
    ]  # fmt: skip


def test_a_pooler_is_left_alone_and_the_servers_own_address_taken(folder: Path) -> None:
    """pg_dump would leave an empty search_path to the pooler's next client."""
    pooled = "postgresql://lottery:secret@127.0.0.1:6432/lottery?pooler=transaction"

    refused = back_up(folder, LOTTERY_DATABASE_URL=pooled)
    own = "postgresql://lottery:secret@db:5432/lottery"
    done = back_up(folder, LOTTERY_DATABASE_URL=pooled, BACKUP_DATABASE_URL=own)

    assert refused.returncode == 1
    assert "set BACKUP_DATABASE_URL to PostgreSQL's own address" in refused.stderr
    assert "secret" not in refused.stderr
    assert done.returncode == 0, done.stderr
    assert conninfo_to_dict((folder / "address").read_text())["port"] == "5432"
