"""A pgbouncer in transaction mode before the tests' PostgreSQL, as config/pgbouncer.ini has it."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from tests.stand_ins.ports import free_port
from tests.stand_ins.processes import ROOT
from tests.stand_ins.programs import running

CONFIG = ROOT / "config" / "pgbouncer.ini"


class NoPgbouncer(Exception):
    """There is no pgbouncer on this machine."""


@contextmanager
def pgbouncer(url: str, **changes: str) -> Iterator[str]:
    """Run it, and yield the address at which a lottery reaches the database of `url`.

    Args:
        url: of the tests' PostgreSQL, without a password.
        changes: lines of the configuration that differ, by their names.
    """
    program = shutil.which("pgbouncer")
    if program is None:
        raise NoPgbouncer("no pgbouncer here; install Debian's package pgbouncer")
    folder = Path(tempfile.mkdtemp(prefix="lottery-pgbouncer-"))
    behind, port = make_url(url), free_port()
    text = CONFIG.read_text(encoding="utf-8").replace(
        "port=5432 dbname=lottery", f"port={behind.port} dbname={behind.database}"
    )
    for name, value in {"listen_port": str(port), "auth_type": "any", **changes}.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert count == 1, name
    # of these tests: who may connect, and no socket outside their folder
    text = text.replace(" connect_query=", " user=lottery connect_query=")
    text = re.sub(r"(?m)^auth_file = .*$", "unix_socket_dir =", text)
    file = folder / "pgbouncer.ini"
    file.write_text(text, encoding="utf-8")
    command = [program, str(file)]
    if os.geteuid() == 0:  # it refuses to run as root
        shutil.chown(folder, "postgres")
        shutil.chown(file, "postgres")
        command = ["runuser", "-u", "postgres", "--", *command]

    def serves() -> bool:
        try:
            with psycopg.connect(f"{at}/lottery", connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False

    at = f"postgresql://lottery@127.0.0.1:{port}"
    try:
        with running(command, folder / "log", until=serves):
            yield f"{at}/lottery?pooler=transaction"
    finally:
        shutil.rmtree(folder)
