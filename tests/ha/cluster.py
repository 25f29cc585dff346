"""The drill's PostgreSQL: three hosts with etcd and Patroni, by the files of config/ha/."""

import base64
import json
import os
import re
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psycopg

from tests.ha.hosts import Host, Service, run
from tests.stand_ins.processes import ROOT, wait_for
from tests.stand_ins.small_disk import SmallDisk

FILES = ROOT / "config" / "ha"
PASSWORD = "of the drill alone"
#: megabytes of a database host's disk, and those that are taken from the start, so that it is
#: filled in a moment
DISK, TAKEN = 1000, 400
#: a file of WAL, the least that Patroni takes; less it takes for its default, 128 MB
LITTLE = "16MB"
#: seconds within which a cluster has found itself again, on a busy machine
RECOVERY = 180
#: seconds that a question to Patroni may take
ANSWER = 3


def example() -> dict[str, str]:
    """Return the environment of db1, as `database.env.example` has it."""
    text = (FILES / "database.env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^(\w+)=(.*)$", text))


class DatabaseHost(Host):
    """A host with etcd, Patroni and PostgreSQL, and a small disk for all three.

    Args:
        number: 1 to 3.
        servers: folders of PostgreSQL's minor versions, as Debian has them from `/` on.
    """

    def __init__(self, number: int, folder: Path, patroni: Path, server: Path) -> None:
        name, address = f"db{number}", f"10.77.0.1{number}"
        folder.mkdir(mode=0o755)
        run("mount", "-t", "tmpfs", "-o", f"size={DISK}m,mode=0755", "tmpfs", str(folder))
        super().__init__(name, address, folder)
        self.disk = SmallDisk(folder)
        self.disk.fill(TAKEN)
        for part in ("postgresql", "etcd", "run"):
            (folder / part).mkdir()
            run("chown", "postgres:postgres", str(folder / part))
        environ = example()
        # those of "this host" name it, those of all hosts name all
        ours = {
            name: value.replace("db1", self.name).replace("10.77.0.11", address)
            for name, value in environ.items()
            if "10.77.0.12" not in value
        }
        passwords = {key: PASSWORD for key in environ if key.endswith("_PASSWORD")}
        self.environ = environ | ours | passwords | {"HOME": "/var/lib/postgresql"}
        self.serve(
            Service(
                "etcd", "etcd", user="postgres", environ=self.environ,
                mounts={"/var/lib/etcd": folder / "etcd"},
            )
        )  # fmt: skip
        self._patroni = Service(
            "patroni",
            str(patroni),
            str(FILES / "patroni.yml"),
            user="postgres",
            environ=self.environ,
            mounts={
                "/var/lib/postgresql": folder / "postgresql",
                "/run/postgresql": folder / "run",
                **mounts_of(server),
            },
        )
        self.serve(self._patroni)
        self.serve(
            Service(
                "disk_guard",
                str(FILES / "disk_guard.sh"),
                environ={
                    **self.environ,
                    "PATRONI_CONFIG": str(FILES / "patroni.yml"),
                    "PATH": f"{patroni.parent}:{os.environ['PATH']}",
                },
                mounts={"/var/lib/postgresql": folder / "postgresql"},
            )
        )

    def log(self, name: str) -> Path:
        """Return a file beside the disk, which may be full."""
        return self.folder.with_name(f"{self.name}-{name}.log")

    def upgrade(self, server: Path) -> None:
        """Stop PostgreSQL, and start it again in another minor version, as `apt upgrade` does."""
        self.stop("patroni")
        self._patroni.mounts |= mounts_of(server)
        self.restart("patroni")

    def status(self, path: str) -> int:
        """Return the status with which Patroni answers; 0 if it does not."""
        return self.ask("GET", path)[0]

    def ask(self, method: str, path: str, **fields: object) -> tuple[int, Any]:
        token = base64.b64encode(
            f"{self.environ['PATRONI_RESTAPI_USERNAME']}:{PASSWORD}".encode()
        ).decode()
        request = Request(
            f"http://{self.address}:8008{path}",
            method=method,
            data=json.dumps(fields).encode() if fields else None,
            headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
        )
        try:
            with urlopen(request, timeout=ANSWER if method == "GET" else RECOVERY) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, HTTPException):
            return 0, ""


def mounts_of(server: Path) -> dict[str, Path]:
    """Return what takes the place of the system's PostgreSQL; nothing for the system's own."""
    folders = [path for path in server.glob("usr/*/postgresql/*") if path.is_dir()]
    return {f"/{folder.relative_to(server)}": folder for folder in folders}


class Cluster:
    """The three database hosts."""

    def __init__(self, folder: Path, patroni: Path, server: Path) -> None:
        self.hosts = [DatabaseHost(n, folder / f"db{n}", patroni, server) for n in (1, 2, 3)]
        addresses = ",".join(f"{host.address}:5432" for host in self.hosts)
        self.url = (
            f"postgresql://lottery:lottery@{addresses}/lottery?target_session_attrs=read-write"
        )

    def leader(self) -> DatabaseHost | None:
        """Return the host that says that it leads; None if there is none, or more than one."""
        leaders = [host for host in self.hosts if host.status("/primary") == 200]
        return leaders[0] if len(leaders) == 1 else None

    def another_leader(self, before: DatabaseHost) -> DatabaseHost:
        """Wait until another host leads, and return it."""

        def look() -> DatabaseHost | None:
            # whom the old one's Patroni cannot reach, it may still call itself a leader for a while
            others = [host for host in self.hosts if host is not before]
            return next((host for host in others if host.status("/primary") == 200), None)

        return wait_for(look, f"another leader than {before.name}", RECOVERY, 0.3)

    def wait_until_whole(self) -> DatabaseHost:
        """Wait until one leads, the others follow, and one of them is synchronous."""

        def look() -> DatabaseHost | None:
            leader = self.leader()
            if leader is None:
                return None
            status, text = leader.ask("GET", "/cluster")
            if status != 200:
                return None
            members = json.loads(text)["members"]
            states = sorted((each["role"], each["state"]) for each in members)
            followers = {state for role, state in states if role != "leader"}
            roles = [role for role, _ in states]
            is_whole = (
                len(members) == len(self.hosts)
                and followers == {"streaming"}
                and any(role in ("sync_standby", "quorum_standby") for role in roles)
            )
            return leader if is_whole else None

        return wait_for(look, "the cluster is whole", RECOVERY, 0.5)

    def switch_over(self) -> DatabaseHost:
        """Hand the lead over to the synchronous standby, as planned work does."""
        leader = self.wait_until_whole()
        status, text = leader.ask("POST", "/switchover", leader=leader.name)
        assert status == 200, text
        return self.another_leader(leader)

    def configure(self, **settings: object) -> None:
        """Change what all hosts share of Patroni's configuration."""
        status, text = self.wait_until_whole().ask("PATCH", "/config", **settings)
        assert status == 200, text

    def keep_no_spare_wal(self) -> None:
        """Let standbys find what they missed in their slots alone (Patroni keeps 128 MB beside)."""
        self.configure(postgresql={"parameters": {"wal_keep_size": LITTLE}})

        def look() -> bool:
            return {self.shown(host, "wal_keep_size") for host in self.hosts} == {LITTLE}

        wait_for(look, "no host keeps spare WAL", RECOVERY, 0.5)

    def checkpoint(self) -> None:
        """Let all hosts remove old WAL, as they do every five minutes.

        Each new leader begins a file of 16 MB, and the drill changes leaders more often than that.
        """
        leader = self.wait_until_whole()
        with self.connect(leader) as connection:
            connection.execute("SELECT pg_switch_wal()")
        for host in sorted(self.hosts, key=lambda host: host is not leader):
            with self.connect(host) as connection:
                connection.execute("CHECKPOINT")

    def set_mode(self, mode: str) -> None:
        """Set how commits wait for standbys (Patroni's `synchronous_mode`)."""
        self.configure(synchronous_mode=mode)

        def look() -> bool:
            names = self.names_waited_for()
            return names.startswith("ANY 1") == (mode == "quorum")

        wait_for(look, f"commits wait as {mode} has it", RECOVERY, 0.5)

    def names_waited_for(self) -> str:
        """Return which standbys commits wait for, as PostgreSQL writes it."""
        return self.shown(self.wait_until_whole(), "synchronous_standby_names")

    def shown(self, host: DatabaseHost, setting: str) -> str:
        """Return a setting of one host's PostgreSQL."""
        with self.connect(host) as connection:
            row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
        return str(row[0]) if row else ""

    def version(self, host: DatabaseHost) -> str:
        with self.connect(host) as connection:
            return connection.info.parameter_status("server_version") or ""

    def create_database(self) -> None:
        """Create the lottery's database and its role, as `config/database.sh` does."""
        with self.connect(self.wait_until_whole()) as connection:
            connection.execute("CREATE ROLE lottery LOGIN PASSWORD 'lottery'")
            connection.execute("CREATE DATABASE lottery OWNER lottery")

    def connect(self, host: DatabaseHost) -> psycopg.Connection[Any]:
        """Connect to one host as its superuser."""
        return psycopg.connect(
            host=host.address, user="postgres", password=PASSWORD, dbname="postgres",
            connect_timeout=5, autocommit=True,
        )  # fmt: skip

    def say(self) -> str:
        """Return what Patroni says of its members, for whoever looks for a fault."""
        for host in self.hosts:
            with suppress(ValueError):
                status, text = host.ask("GET", "/cluster")
                if status == 200:
                    members = json.loads(text)["members"]
                    return ", ".join(f"{m['name']} {m['role']} {m['state']}" for m in members)
        return "no Patroni answers"
