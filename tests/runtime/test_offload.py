"""Under gevent, blocking calls let the other greenlets of the worker run.

Each test runs in a process of its own, since gevent patches the whole process.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.stand_ins.processes import PATIENCE

ROOT = Path(__file__).resolve().parents[2]


def run_under_gevent(story: str, *arguments: str) -> str:
    """Run a program under gevent; one that stands still is ended after a minute."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from gevent import monkey\nmonkey.patch_all()\n{story}",
            *arguments,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_greenlets_run_while_a_call_blocks() -> None:
    """The call waits for a pipe that only another greenlet writes to."""
    run_under_gevent("""
import gevent, os
from gevent.monkey import get_original
from lottery_system.runtime.offload import Offload

reading, writing = os.pipe()
answer = gevent.spawn(Offload(threads=1), get_original("os", "read"), reading, 1)
gevent.sleep(0)
os.write(writing, b"x")
assert answer.get() == b"x"
""")


@pytest.mark.skipif(sys.platform != "linux", reason="niceness is each thread's own on Linux only")
@pytest.mark.parametrize("module", ["passwords", "pictures"])
def test_what_takes_long_stands_back_behind_pages(module: str) -> None:
    run_under_gevent(f"""
import os
from lottery_system import {module} as module

assert module._offload(os.getpriority, os.PRIO_PROCESS, 0) == 10
assert os.getpriority(os.PRIO_PROCESS, 0) == 0
""")


def test_where_threads_may_not_stand_back_they_work_all_the_same() -> None:
    """A sandbox of the kernel's (seccomp) may refuse it."""
    run_under_gevent("""
import os
from lottery_system import passwords

def refused(*_):
    raise PermissionError("refused")

os.setpriority = refused
assert passwords.hash_password("three random words").startswith("$argon2")
""")


def test_pages_are_served_while_a_picture_is_decoded_and_one_at_a_time_is() -> None:
    run_under_gevent("""
import gevent
from gevent.monkey import get_original
from lottery_system import pictures

Event = get_original("threading", "Event")
decoding, at_once, go_on = [0], [], Event()

def decode(data, sides):
    decoding[0] += 1
    at_once.append(decoding[0])
    go_on.wait()
    decoding[0] -= 1
    return data

pictures._encoded = decode
waiting = [gevent.spawn(pictures.encoded, b"x") for _ in range(5)]
while not at_once:
    gevent.sleep(0)  # which comes back while one is decoded
go_on.set()
gevent.joinall(waiting, raise_error=True)
assert at_once == [1] * 5, at_once
""")


def test_an_error_comes_back_and_nothing_is_printed() -> None:
    printed = run_under_gevent("""
from lottery_system.runtime.offload import Offload
try:
    Offload(threads=1)(int, "x")
except ValueError:
    print("refused")
""")

    assert printed == "refused\n"


TRANSACTIONS = """
import gevent, sys
from lottery_system import create_app
from lottery_system.extensions import db, transaction
from lottery_system.models import Throttle
from lottery_system.clock import utcnow
from tests.conftest import settings_for

app = create_app(settings_for(sys.argv[1]))
def write(number):
    with app.app_context(), transaction() as session:
        session.add(Throttle(key=str(number), attempt_count=1, expires_at=utcnow()))
        session.flush()
        gevent.sleep(0)  # others want to begin while this one holds the lock
"""


def test_many_greenlets_may_write_to_sqlite_at_once(sqlite_file: Path, tmp_path: Path) -> None:
    """Were `BEGIN IMMEDIATE` to block the loop, the holder of the lock could never commit."""
    url = f"sqlite:///{tmp_path}/lottery.db"
    (tmp_path / "lottery.db").write_bytes(sqlite_file.read_bytes())

    run_under_gevent(
        TRANSACTIONS
        + """
gevent.joinall([gevent.spawn(write, number) for number in range(15)], raise_error=True)
with app.app_context():
    assert db.session.query(Throttle).count() == 15
""",
        url,
    )


@pytest.mark.parametrize("url", ["sqlite", "postgresql"])
def test_pages_are_served_while_another_process_holds_the_lock(
    request: pytest.FixtureRequest, sqlite_file: Path, tmp_path: Path, url: str
) -> None:
    """The one who holds the lock lets go only once a page has been served here."""
    if url == "sqlite":
        (tmp_path / "lottery.db").write_bytes(sqlite_file.read_bytes())
        address = f"sqlite:///{tmp_path}/lottery.db"
    else:
        address = request.getfixturevalue("postgres_url")

    run_under_gevent(
        TRANSACTIONS
        + """
import subprocess
holder = subprocess.Popen([sys.executable, "-c", '''
import sys
from sqlalchemy import create_engine, text
with create_engine(sys.argv[1]).connect() as connection:
    if connection.dialect.name == "sqlite":
        connection.connection.execute("BEGIN IMMEDIATE")
    else:
        connection.execute(text("LOCK TABLE throttles IN EXCLUSIVE MODE"))
    print("held", flush=True)
    sys.stdin.readline()
''', sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
assert holder.stdout.readline() == b"held\\n"
writer = gevent.spawn(write, 99)
gevent.sleep(0.01)
assert app.test_client().get("/winners").status_code == 200
assert not writer.ready()
holder.communicate(b"let go\\n")
writer.get()
""",
        address,
    )


def test_who_waits_long_for_sqlite_is_not_overtaken_for_ever(
    sqlite_file: Path, tmp_path: Path
) -> None:
    """Two processes write without a pause; each gets a fair part of the turns.

    By SQLite's own way to wait, whoever has waited asks ten times a second and the other, who has
    just finished, at once.
    """
    (tmp_path / "lottery.db").write_bytes(sqlite_file.read_bytes())
    story = (
        TRANSACTIONS
        + """
import time
print("ready", flush=True)
sys.stdin.readline()
count, until = 0, time.monotonic() + 3
while time.monotonic() < until:
    write(f"{sys.argv[2]} {count}")
    count += 1
print(count)
"""
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", story, f"sqlite:///{tmp_path}/lottery.db", name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "other")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"

    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    counts = [int(writer.communicate(timeout=PATIENCE)[0]) for writer in writers]

    assert min(counts) * 5 > max(counts), counts
