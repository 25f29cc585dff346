"""Alarms and dashboard: Prometheus takes them, and each alarm sounds when it should."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stand_ins.processes import PATIENCE, ROOT

FOLDER = ROOT / "config" / "monitoring"
TESTS = Path(__file__).with_name("alerts_test.yml")
ALERTS = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
NAMES = re.findall(r"- alert: (\w+)", ALERTS)


@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", FOLDER / "prometheus.yml"),
        ("check", "rules", FOLDER / "alerts.yml"),
        ("test", "rules", TESTS),
    ],
    ids=lambda command: " ".join(map(str, command[:2])),
)
def test_prometheus_takes_it(command: tuple[str | Path, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: install the package prometheus")

    done = subprocess.run(
        [promtool, *command], capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alarm_has_a_test_in_which_it_sounds_and_one_in_which_it_is_silent() -> None:
    tests = TESTS.read_text(encoding="utf-8")

    assert len(NAMES) == len(set(NAMES)) > 10
    for name in NAMES:
        assert {"sounds", "is silent"} <= set(re.findall(rf"name: {name} (.*)", tests))


def test_what_has_grown_is_told_for_longer_than_the_alarm_waits() -> None:
    """Otherwise a single burst would be forgotten before the alarm sounds."""
    grown = re.findall(r"expr: .*increase\(.*\[(\d+)m\]\).*\n +for: (\d+)m", ALERTS)

    assert len(grown) == ALERTS.count("increase(")
    for window, waits in grown:
        assert int(window) > int(waits)


def test_each_alarm_waits_and_says_how_bad_it_is_and_where_to_read_on() -> None:
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/operating.md").read_text("utf-8"), re.M)

    for rule in ALERTS.split("- alert: ")[1:]:
        assert re.search(r"^ +for: \d+m$", rule, re.MULTILINE), rule
        assert re.search(r"severity: (page|ticket)", rule), rule
        section = re.search(r"runbook: docs/operating\.md, (.+)", rule)
        assert section, rule
        assert section[1] in headings, rule


def test_each_alarm_is_in_the_table_of_the_operators_page() -> None:
    page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| `(Lottery\w+)` \|", page, re.MULTILINE) == NAMES
