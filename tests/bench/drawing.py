"""Benchmark of closing and drawing a day: time and memory, in a process of its own."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

STORY = """
import json, resource, sys
from datetime import datetime
from time import perf_counter
import config
from lottery_system.parts import parts_of
from lottery_system import create_app
from lottery_system.draws import run_due
from lottery_system.extensions import new_session

url, storage, now = sys.argv[1:]
app = create_app(config.load({"LOTTERY_DATABASE_URL": url, "LOTTERY_STORAGE": storage}))
with app.app_context(), new_session() as session:
    with session.begin():
        session.connection()
    log_keys = parts_of(app).keyring.log_keys()
    started_at = perf_counter()
    drawn = run_due(session, datetime.fromisoformat(now), 1, log_keys)
    taken = perf_counter() - started_at
assert len(drawn) == 1, drawn
print(json.dumps([taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def time_of_drawing(url: str, storage: Path, now: datetime) -> tuple[float, float]:
    """Close and draw the one day that is due, and return seconds and kilobytes at the peak."""
    done = subprocess.run(
        [sys.executable, "-c", STORY, url, str(storage), now.isoformat()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seconds, kilobytes = json.loads(done.stdout)
    return seconds, kilobytes
