"""Drill of high availability, `make ha`: real faults on five hosts in network namespaces.

Everything runs in namespaces of its own (network, processes, mounts, memory), so that nothing is
left however it ends: the kernel ends all that is in them with the first process.
"""

import os
import shutil
import signal
import subprocess
import sys
from glob import glob

from tests.stand_ins.processes import ROOT

#: what `tests/ha/setup.sh` installs into
HA = ROOT / ".venv" / "ha"
PATRONI = HA / "patroni" / "bin" / "patroni"
APART = [
    "unshare", "--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc",
]  # fmt: skip


def obstacles() -> list[str]:
    """List why the drill cannot run here, a sentence each."""
    if os.geteuid() != 0:
        return ["it makes network namespaces, which takes root."]
    found = [
        f"there is no {name}; install Debian's package {package}."
        for name, package in {
            "unshare": "util-linux",
            "nsenter": "util-linux",
            "setpriv": "util-linux",
            "ip": "iproute2",
            "etcd": "etcd-server",
            "haproxy": "haproxy",
        }.items()
        if shutil.which(name) is None
    ]
    if not glob("/usr/lib/postgresql/*/bin/postgres"):
        found.append("there is no PostgreSQL server; install Debian's package postgresql.")
    if not PATRONI.exists():
        found.append("there is no Patroni; tests/ha/setup.sh installs it.")
    if found:
        return found
    program = str(PATRONI)
    for command, why in (
        ([*APART, "true"], "no namespaces can be made here"),
        (["runuser", "-u", "postgres", "--", program, "--version"], "postgres cannot run Patroni"),
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            found.append(f"{why}: {done.stderr.strip().splitlines()[-1:]}")
    return found


def main() -> int:
    """Run the drill apart from all else, or say why not; return its exit code."""
    if reasons := obstacles():
        print("skipped: the drill of high availability cannot run here:", *reasons, sep="\n  ")
        return 0
    # a shell as the first process waits for those that others leave behind, as a system's does
    drill = '"$0" -m tests.ha.drill "$@"; exit $?'
    apart = subprocess.Popen(
        # whoever ends this process ends it all
        [
            "setpriv",
            "--pdeathsig",
            "KILL",
            *APART,
            "sh",
            "-c",
            drill,
            sys.executable,
            *sys.argv[1:],
        ],
        cwd=ROOT,
    )
    try:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        return apart.wait()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        apart.kill()
        apart.wait()


if __name__ == "__main__":
    sys.exit(main())
