"""Hosts of the drill: network namespaces on one bridge, with services that are kept running.

All of it lies in namespaces of the drill itself (`tests/ha/__main__.py`), which vanish with it.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from tests.stand_ins.processes import wait_for

#: the address of the drill, and of its players, in the hosts' network
HERE = "10.77.0.1"
#: seconds after which a service that ended is started again, as systemd's RestartSec
RESTART = 2
#: seconds a service may take to end when it is asked to
STOPPING = 60


def run(*command: str) -> None:
    """Run a command of the system, and show what it says where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def make_network() -> None:
    """Make the bridge that joins the hosts; it has no way out."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "lan", "type", "bridge")
    run("ip", "address", "add", f"{HERE}/24", "dev", "lan")
    run("ip", "link", "set", "lan", "up")


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes, of which some may have ended."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class Service:
    """A program that a host runs, and starts again if it ends.

    Args:
        user: who runs it.
        mounts: folders that it finds elsewhere than they are, by where it finds them.
    """

    def __init__(
        self,
        name: str,
        *command: str,
        user: str = "root",
        environ: Mapping[str, str] | None = None,
        mounts: Mapping[str, Path] | None = None,
    ) -> None:
        self.name = name
        self.command = command
        self.user = user
        self.environ = dict(environ or {})
        self.mounts = dict(mounts or {})
        self.process: subprocess.Popen[bytes] | None = None
        #: whether it is to run while its host does
        self.is_wanted = True

    def start(self, within: tuple[str, ...], log: Path) -> None:
        bind = [f"mount --bind {source} {target}" for target, source in self.mounts.items()]
        script = " && ".join([*bind, 'exec setpriv --reuid "$0" --regid "$0" --init-groups "$@"'])
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*within, "unshare", "--mount", "sh", "-c", script, self.user, *self.command],
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/", **self.environ},
                cwd="/",
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


class Host:
    """A host: its network namespace, its folder, its services."""

    def __init__(self, name: str, address: str, folder: Path) -> None:
        self.name = name
        self.address = address
        self.folder = folder
        folder.mkdir(mode=0o755, exist_ok=True)
        #: a command that runs another one on this host
        self.within = ("nsenter", f"--net=/run/netns/{name}")
        self.services: dict[str, Service] = {}
        self.is_up = True
        self._link = f"to-{name}"
        self._lock = threading.Lock()
        run("ip", "netns", "add", name)
        run("ip", "link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", self._link, "master", "lan", "up")
        for command in (f"address add {address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            run("ip", "-n", name, *command.split())
        threading.Thread(target=self._keep_running, daemon=True, name=name).start()

    def serve(self, service: Service) -> None:
        """Start a service, and keep it running."""
        with self._lock:
            service.start(self.within, self.log(service.name))
            self.services[service.name] = service

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def cut(self) -> None:
        """Take the host's cable out: what is sent to it and by it is lost."""
        run("ip", "link", "set", self._link, "down")

    def mend(self) -> None:
        run("ip", "link", "set", self._link, "up")

    def kill(self) -> None:
        """Turn the host off: end all its processes at once."""
        with self._lock:
            self.is_up = False
            wait_for(self._kill_all, f"nothing runs on {self.name}")

    def boot(self) -> None:
        """Turn the host on again: its services start, with what they find on its disk."""
        with self._lock:
            for service in self.services.values():
                if service.is_wanted:
                    service.start(self.within, self.log(service.name))
            self.is_up = True

    def stop(self, name: str) -> None:
        """Ask a service to end, and wait."""
        service = self.services[name]
        service.is_wanted = False
        assert service.process is not None
        service.process.terminate()
        service.process.wait(STOPPING)

    def restart(self, name: str) -> None:
        """Start a service that was stopped."""
        with self._lock:
            self.services[name].start(self.within, self.log(name))
            self.services[name].is_wanted = True

    def pids(self) -> list[int]:
        listed = subprocess.run(
            ["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True
        )
        return [int(text) for text in listed.stdout.split()]

    def pids_of(self, program: str) -> list[int]:
        """List the processes of one program."""
        listed = subprocess.run(
            ["pgrep", "-x", program], capture_output=True, text=True, check=False
        )
        return sorted({*self.pids()} & {*map(int, listed.stdout.split())})

    def _kill_all(self) -> bool:
        signal_all(pids := self.pids(), signal.SIGKILL)
        for service in self.services.values():
            service.has_ended()
        return not pids

    def _keep_running(self) -> None:
        while True:
            time.sleep(0.2)
            ended = [each for each in list(self.services.values()) if each.has_ended()]
            if not (self.is_up and any(each.is_wanted for each in ended)):
                continue
            time.sleep(RESTART)
            with self._lock:
                for service in ended:
                    if self.is_up and service.is_wanted and service.has_ended():
                        service.start(self.within, self.log(service.name))
