"""A PostgreSQL server for the tests."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from glob import glob
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from tests.stand_ins.ports import free_port
from tests.stand_ins.processes import wait_for


class NoServer(Exception):
    """There is no PostgreSQL on this machine."""


class Server:
    """A cluster in a new folder, on a free port of the loopback address."""

    def __init__(
        self, *, durable: bool, disk: Path | None = None, primary: "Server | None" = None
    ) -> None:
        """Make the cluster and start it.

        Args:
            durable: flush to disk, as servers do; what no fault strikes is faster without.
            disk: an existing folder to keep it in, sparing its space; the usual one if omitted.
            primary: the server that this one follows, as its standby.
        """
        self._bin = _bin()
        self.folder = Path(tempfile.mkdtemp(prefix="lottery-postgres-", dir=disk))
        self.port = free_port()
        self._durable = durable
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(self.folder, "postgres")
        if primary is None:
            size = ["--wal-segsize=1"] if disk else []
            self._run(
                "initdb", "-U", "lottery", "-A", "trust", "-E", "UTF8", "--no-sync", *size,
                "-D", "data",
            )  # fmt: skip
        else:
            self._run(
                "pg_basebackup", "-d", f"{primary.url('postgres')}?application_name=standby",
                "-c", "fast", "-R", "-D", "data",
            )  # fmt: skip
        self.start()

    def start(self, preload: Path | None = None) -> None:
        """Start, and wait until it serves.

        Args:
            preload: a library that takes the place of some of the system's calls.
        """
        flush = "on" if self._durable else "off"
        options = (
            f"-p {self.port} -k '' -c listen_addresses=127.0.0.1 -c fsync={flush} "
            f"-c full_page_writes={flush} -c max_connections=200"
        )
        self._run(
            "pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start", preload=preload
        )

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", "data", "-w", "-m", mode, "stop")

    def promote(self) -> None:
        """Let a standby take over."""
        self._run("pg_ctl", "-D", "data", "-w", "promote")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let no process of it run within the block, as on a disk that no longer answers.

        The kernel still keeps up its connections, and takes new ones.
        """
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGSTOP)  # first, so that it begets no others
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        processes = [postmaster, *map(int, children)]
        try:
            for process in processes:
                os.kill(process, signal.SIGSTOP)
            yield
        finally:
            for process in reversed(processes):
                with suppress(ProcessLookupError):  # one that was about to end
                    os.kill(process, signal.SIGCONT)

    def wait_for_standby(self, name: str) -> None:
        """Let commits wait for a standby, or with an empty name for none."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(
                SQL("ALTER SYSTEM SET synchronous_standby_names = {}").format(Literal(name))
            )
            connection.execute("SELECT pg_reload_conf()")

    def lose_standby(self) -> None:
        """Let commits wait for a standby that there is not; return once they do.

        They do so only when the checkpointer has read the new configuration.
        """
        self.wait_for_standby("nobody")
        wait_for(self._commits_wait, "commits wait for a standby")

    def _commits_wait(self) -> bool:
        url = self.url("postgres")
        with (
            psycopg.connect(url, autocommit=True) as administrator,
            psycopg.connect(url, autocommit=True) as connection,
            ThreadPoolExecutor(1) as pool,
        ):
            pid = connection.info.backend_pid
            commit = pool.submit(
                connection.execute, "SELECT pg_logical_emit_message(true, 'tried', '')"
            )

            def waits() -> bool:
                return bool(
                    administrator.execute(
                        "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'SyncRep'",
                        [pid],
                    ).fetchone()
                )

            wait_for(lambda: commit.done() or waits(), "a commit is over, or waits")
            if commit.done():
                return False
            administrator.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
            return True

    def is_up(self) -> bool:
        """Return whether it has not given up; it may be mending itself."""
        return (self.folder / "data" / "postmaster.pid").exists()

    def serves(self) -> bool:
        """Return whether it takes connections."""
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=5):
                return True
        except psycopg.OperationalError:
            return False

    def remove(self) -> None:
        if self.is_up():
            self.stop()
        shutil.rmtree(self.folder)

    def url(self, database: str) -> str:
        return f"postgresql://lottery@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(database)))
        return self.url(database)

    def _run(self, program: str, *arguments: str, preload: Path | None = None) -> None:
        environ = os.environ | ({"LD_PRELOAD": str(preload)} if preload else {})
        command = [str(self._bin / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # pg_ctl's server would inherit a pipe and keep it open for ever
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                command, cwd=self.folder, env=environ, stdout=output, stderr=output, check=False
            )
            output.seek(0)
            assert done.returncode == 0, f"{program}: {output.read()}"


def _bin() -> Path:
    # Debian keeps the server's programs off the PATH, a folder for each version
    servers = sorted(glob("/usr/lib/postgresql/*/bin/postgres"))
    found = servers[-1] if servers else shutil.which("postgres")
    if found is None:
        raise NoServer("no PostgreSQL server here; install Debian's package postgresql")
    if os.geteuid() == 0 and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        raise NoServer("PostgreSQL does not run as root and there is no user postgres")
    return Path(found).parent
