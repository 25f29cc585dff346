"""Faults of the drill, one at a time. Each does its harm, waits, and undoes it."""

import signal
import subprocess
import time
from collections.abc import Callable
from glob import glob
from pathlib import Path

from tests.ha.hosts import signal_all
from tests.ha.site import Site
from tests.stand_ins.processes import ROOT, wait_for

#: seconds for which a link stays cut
CUT = 40
#: seconds that a host which was turned off stays so
OFF = 10
#: seconds for which a disk stays full, unless another host takes over before
FULL = 40

Fault = Callable[[Site], str]


def kill_the_leader(site: Site) -> str:
    """Power cut of the leader's host: kill -9 of all that runs there."""
    before = site.cluster.wait_until_whole()
    before.kill()
    after = site.cluster.another_leader(before)
    time.sleep(OFF)
    before.boot()
    return f"kill -9 of everything on the leader's host: {before.name} to {after.name}"


def cut_the_leader(site: Site) -> str:
    """The leader's cable is out, for a while."""
    before = site.cluster.wait_until_whole()
    before.cut()
    time.sleep(CUT)
    after = site.cluster.another_leader(before)
    before.mend()
    return f"the leader's link cut for {CUT} s: {before.name} to {after.name}"


def freeze_the_leader(site: Site) -> str:
    """The leader's PostgreSQL hangs, as on a frozen disk; its kernel and Patroni go on."""
    before = site.cluster.wait_until_whole()
    processes = before.pids_of("postgres")
    signal_all(processes, signal.SIGSTOP)
    time.sleep(CUT)
    after = site.cluster.another_leader(before)
    signal_all(processes, signal.SIGCONT)
    return f"the leader's PostgreSQL frozen for {CUT} s: {before.name} to {after.name}"


def fill_the_leaders_disk(site: Site) -> str:
    """The leader's disk is full, under PostgreSQL and etcd."""
    before = site.cluster.wait_until_whole()
    began = time.monotonic()
    after = before
    while time.monotonic() - began < FULL:
        before.disk.fill()  # what is freed meanwhile, too
        if others := [
            h for h in site.cluster.hosts if h is not before and h.status("/primary") == 200
        ]:
            after = others[0]
        time.sleep(0.5)
    before.disk.free()
    if after is before:
        return f"the leader's disk full for {FULL} s: {before.name} stayed the leader"
    return f"the leader's disk full for {FULL} s: {before.name} to {after.name}"


def upgrade(site: Site) -> str:
    """Upgrade PostgreSQL's minor version, one host after the other; the leader is the last."""
    versions = server_versions()
    leader = site.cluster.wait_until_whole()
    before = site.cluster.version(leader)
    for host in [each for each in site.cluster.hosts if each is not leader]:
        host.upgrade(versions[-1])
        site.cluster.wait_until_whole()
    site.cluster.switch_over()
    site.cluster.wait_until_whole()
    leader.upgrade(versions[-1])
    after = {
        site.cluster.version(host) for host in site.cluster.hosts if site.cluster.wait_until_whole()
    }
    what = (
        "rolling upgrade of PostgreSQL"
        if len(versions) > 1
        else ("rolling restart of PostgreSQL (only one minor version can be had here)")
    )
    return f"{what}: {short(before)} to {', '.join(map(short, after))}"


def kill_the_proxy(site: Site) -> str:
    """kill -9 of a HAProxy; it is started again after two seconds."""
    app = site.apps[0]
    service = app.services["haproxy"]
    assert service.process is not None
    old = service.process
    children = subprocess.run(
        ["pgrep", "-P", str(old.pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    signal_all([old.pid, *map(int, children)], signal.SIGKILL)
    wait_for(lambda: service.process is not old and not service.has_ended(), "HAProxy runs again")
    time.sleep(OFF)
    return f"kill -9 of the proxy on {app.name}"


def kill_an_application_host(site: Site) -> str:
    """Power cut of a host that serves."""
    app = site.apps[1]
    app.kill()
    time.sleep(OFF)
    app.boot()
    wait_for(app.is_ready, f"{app.name} serves again", pause=0.5)
    return f"kill -9 of everything on {app.name}, for {OFF} s"


def cut_the_standby(site: Site) -> str:
    """The synchronous standby's cable is out, for a while: commits wait until another is."""
    leader = site.cluster.wait_until_whole()
    with site.cluster.connect(leader) as connection:
        row = connection.execute(
            "SELECT application_name FROM pg_stat_replication "
            "WHERE sync_state IN ('sync', 'quorum')"
        ).fetchone()
    assert row is not None
    standby = next(host for host in site.cluster.hosts if host.name == row[0])
    standby.cut()
    time.sleep(CUT)
    standby.mend()
    return f"the synchronous standby's link cut for {CUT} s: {standby.name}"


def lose_both_standbys(site: Site) -> str:
    """Both standbys are off for a while: nothing is acknowledged meanwhile."""
    leader = site.cluster.wait_until_whole()
    standbys = [host for host in site.cluster.hosts if host is not leader]
    for host in standbys:
        host.kill()
    time.sleep(CUT)
    for host in standbys:
        host.boot()
    return f"both standbys off for {CUT} s"


def switch_over(site: Site) -> str:
    """Planned work: hand the lead over."""
    before = site.cluster.wait_until_whole()
    after = site.cluster.switch_over()
    return f"switchover: {before.name} to {after.name}"


def server_versions() -> list[Path]:
    """List the folders with minor versions, the older first; else that of the system."""
    unpacked = sorted((ROOT / ".venv" / "ha" / "postgresql").glob("*"))
    return [
        folder for folder in unpacked if glob(f"{folder}/usr/lib/postgresql/*/bin/postgres")
    ] or [Path("/")]


def short(version: str) -> str:
    """Leave out what the distribution calls it."""
    return version.split(maxsplit=1)[0]


#: the drill's own, in this order
DRILL: tuple[Fault, ...] = (
    kill_the_leader, cut_the_leader, freeze_the_leader, fill_the_leaders_disk, upgrade,
    kill_the_proxy,
)  # fmt: skip
#: of which the week draws
WEEK: tuple[Fault, ...] = (
    kill_the_leader, cut_the_leader, freeze_the_leader, fill_the_leaders_disk, kill_the_proxy,
    kill_an_application_host, cut_the_standby, lose_both_standbys, switch_over,
)  # fmt: skip
