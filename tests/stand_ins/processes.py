"""The served lottery: gunicorn in processes of its own, with a wall clock that tests set."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import libfaketime

from tests.stand_ins.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
#: how the lottery is served
CONFIG = ROOT / "config" / "gunicorn.py"
#: seconds after which what was to happen is taken not to happen; the disk of a busy machine was
#: seen to answer nobody for more than one minute
PATIENCE = 180

#: whether coverage.py measures what processes run, which they write down when they end well
IS_MEASURED = "COVERAGE_PROCESS_CONFIG" in os.environ

Found = TypeVar("Found")


def wait_for(
    look: Callable[[], Found | None], what: str, seconds: float = PATIENCE, pause: float = 0.05
) -> Found:
    """Look again and again until something is found, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} seconds: {what}"
        time.sleep(pause)
    return found


class MovedClock:
    """A wall clock for other processes. It may be set, and may stand, while they look at it.

    Only the time of day is moved: what measures how long something takes is left alone.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stands_at: datetime | None = None
        self._ahead = timedelta()

    @property
    def environ(self) -> dict[str, str]:
        """Return what a process must find in its environment to go by this clock."""
        _, environ = libfaketime.get_reload_information()
        return {
            **environ,
            "TZ": "UTC",
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            # gunicorn keeps the uptime of its workers in files' times
            "NO_FAKE_STAT": "1",
        }

    def now(self) -> datetime:
        return self._stands_at or datetime.now(UTC) + self._ahead

    def run_from(self, instant: datetime) -> None:
        """Set the clock and let it run, at its usual speed."""
        self._stands_at, self._ahead = None, instant - datetime.now(UTC)
        self._show(f"{self._ahead.total_seconds():+f}")

    def stand_at(self, instant: datetime) -> None:
        """Set the clock and keep it from running."""
        self._stands_at = instant
        self._show(f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}")

    def _show(self, text: str) -> None:
        draft = self._file.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(self._file)  # nobody reads half of it


class Gunicorn:
    """The lottery, served by `config/gunicorn.py`, on a free port of the loopback address.

    Args:
        database_url: of a database with the newest schema.
        storage: an existing folder; the log is kept there too.
        at: what the clock shows now. It runs on while the server is down, as clocks do; to set it
            again, or stop it, there is `clock`. The usual clock if omitted.
        config: for gunicorn, another one than that of `make run`.
        preload: a library that takes the place of some of the system's calls.
        within: a command that runs another one elsewhere, such as in a network namespace.
        settings: further ones, by their names in the environment.
    """

    def __init__(
        self,
        database_url: str,
        storage: Path,
        *,
        workers: int = 1,
        at: datetime | None = None,
        config: Path = CONFIG,
        preload: Path | None = None,
        within: Sequence[str] = (),
        **settings: str,
    ) -> None:
        self.port = int(settings.get("LOTTERY_PORT") or free_port())
        self.url = f"http://{settings.get('LOTTERY_HOST', '127.0.0.1')}:{self.port}"
        self._within = within
        self._config = config
        self.log_file = storage / "gunicorn.log"
        self.log_file.touch()
        self.clock = MovedClock(storage / "clock")
        self.environ = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith("LOTTERY_")
            },
            "LOTTERY_DATABASE_URL": database_url,
            "LOTTERY_STORAGE": str(storage),
            "LOTTERY_PORT": str(self.port),
            "LOTTERY_WORKERS": str(workers),
            **settings,
        }
        if at is not None:
            self.clock.run_from(at)
            # PostgreSQL goes on by the usual clock, and tests make midnight come
            unchecked = {"LOTTERY_CLOCK_TOLERANCE": "off"}
            self.environ = unchecked | self.environ | self.clock.environ
        if preload is not None:
            others = self.environ.get("LD_PRELOAD", "")
            self.environ["LD_PRELOAD"] = f"{others} {preload}".strip()
        self._master: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # how it stops by itself, some tests ask for: it takes a second or more
        if IS_MEASURED:
            self.stop()
        self.kill()
        self._show_log()

    def start(self, until: str = "/readyz") -> None:
        """Start, and wait until a worker could store a ballot and no draw is overdue.

        Args:
            until: the address that must answer well; `/healthz` does while the lottery is paused,
                and then nothing is waited for but that.
        """
        self.start_up()
        try:
            wait_for(lambda: self._answers(until), "gunicorn is ready")
            if until == "/readyz":
                wait_for(
                    lambda: self.figures().get("lottery_draws_overdue") == 0, "no draw is late"
                )
        except BaseException:
            self.kill()
            self._show_log()
            raise

    def start_up(self) -> None:
        """Start, and wait for nothing."""
        assert self._master is None, "runs already"
        with self.log_file.open("ab") as log:
            self._master = subprocess.Popen(
                # not `python -m`, which after USR2 would find gunicorn's own `http` first
                [
                    *self._within,
                    Path(sys.executable).with_name("gunicorn"),
                    "--config",
                    str(self._config),
                ],
                cwd=ROOT,
                env=self.environ,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a process group of its own
            )

    def stop(self) -> int | None:
        """Ask to end, wait, and return the exit code; without a server running, do nothing."""
        if self._master is None:
            return None
        self._master.terminate()
        try:
            return self._master.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.kill()

    def exit_code(self) -> int | None:
        """Return by what code it ended by itself; None while it runs, and for success."""
        return self._master.poll() if self._master else None

    def kill(self) -> None:
        """End whatever is left, as a power cut does."""
        if self._master is not None:
            with suppress(ProcessLookupError):  # nobody is left
                self.signal(signal.SIGKILL)
            self._master.wait()
            self._master = None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the master and all of its workers."""
        assert self._master is not None, "does not run"
        os.killpg(self._master.pid, number)

    def workers(self) -> list[int]:
        """List the workers that run, by process number."""
        booted = re.findall(r"Booting worker with pid: (\d+)", self.log())
        return [int(pid) for pid in booted if _is_alive(int(pid))]

    def log(self) -> str:
        """Return what was logged since this server was made."""
        return self.log_file.read_text(encoding="utf-8")

    def _show_log(self) -> None:
        """Print the end of the log; pytest shows it where a test failed."""
        print(f"... {self.log_file}:", self.log()[-20_000:], sep="\n")

    def figures(self) -> dict[str, float]:
        """Return what `/metrics` says, by name and labels; nothing if it does not answer."""
        assert self._master is not None
        assert self._master.poll() is None, "gunicorn ended"
        try:
            status, text = answer_of(f"{self.url}/metrics")
        except (URLError, HTTPException, OSError):
            return {}
        lines = text.splitlines() if status == HTTPStatus.OK else []
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def readyz(self) -> str:
        """Return what `/readyz` says, or nothing if nobody answers."""
        assert self._master is not None
        assert self._master.poll() is None, "gunicorn ended"
        try:
            return answer_of(f"{self.url}/readyz")[1]
        except (URLError, HTTPException, OSError):
            return ""

    def _answers(self, path: str) -> bool:
        assert self._master is not None
        assert self._master.poll() is None, "gunicorn ended"
        try:
            return answer_of(f"{self.url}{path}")[0] == HTTPStatus.OK
        except (URLError, HTTPException, OSError):
            return False


def answer_of(url: str) -> tuple[int, str]:
    """Return the status and the text of an address, whatever they are."""
    try:
        with urlopen(url, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
