"""Programs of others: each in a process group of its own, which ends with it."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from tests.stand_ins.processes import PATIENCE, wait_for

#: seconds in which a program may put things away before it is killed
FAREWELL = 10


class Missing(Exception):
    """A program is not installed; says which package has it."""


def program(package: str, *names: str) -> str:
    """Return where a program is, by the first of some names that is there.

    Raises:
        Missing: it is nowhere.
    """
    for name in names:
        if name and (found := shutil.which(name)):
            return found
    raise Missing(f"no {names[-1]} here; install the package {package}")


@contextmanager
def running(
    command: Sequence[str],
    log: Path,
    environ: Mapping[str, str] = MappingProxyType({}),
    pass_fds: Sequence[int] = (),
    *,
    until: Callable[[], object] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program; end it, and all that it started, whatever happens.

    Args:
        log: a file for what it says, shown where a test fails.
        environ: what its environment has beside ours.
        until: whether it does what it is for, to be waited for.
    """
    with log.open("ab") as output:
        started = subprocess.Popen(
            command,
            env=os.environ | dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    try:
        if until is not None:
            _wait(command[0], started, until)
        yield started
    finally:
        _signal(started.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            started.wait(FAREWELL)
        _signal(started.pid, signal.SIGKILL)  # whatever is left of its group
        started.wait(PATIENCE)
        print(f"... {log}:", log.read_text(errors="replace")[-3000:], sep="\n")


def _wait(name: str, started: subprocess.Popen[bytes], until: Callable[[], object]) -> None:
    def look() -> object:
        assert started.poll() is None, f"{name} has ended: {started.returncode}"
        return until()

    wait_for(look, f"{name} is ready")


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # nobody is left
        os.killpg(group, number)
