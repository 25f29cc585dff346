"""Metrics of a real server: right over its workers, and read by a real Prometheus."""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.stand_ins.ports import free_port
from tests.stand_ins.processes import ROOT, Gunicorn, answer_of, wait_for
from tests.stand_ins.programs import running

FOLDER = ROOT / "config" / "monitoring"
#: what Prometheus makes itself
OF_PROMETHEUS = {"up"}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_figures_of_two_workers_are_one_and_stay_when_a_worker_dies(
    database_url: str, tmp_path: Path
) -> None:
    with Gunicorn(database_url, tmp_path, workers=2) as server:
        wait_for(lambda: server.figures().get("lottery_workers") == 2, "both workers count")
        ask(server, 40)
        counted = [server.figures()[HEALTH] for _ in range(10)]
        before = server.workers()
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda: len(set(server.workers()) - set(before)) == 1, "another worker")
        wait_for(lambda: server.figures().get("lottery_workers") == 2, "it counts")

        wait_for(lambda: server.figures()["lottery_ready"] == 1, "both could store a ballot")
        wait_for(lambda: server.figures()["lottery_last_tick_timestamp_seconds"], "both ticked")
        figures = server.figures()

        assert counted == 10 * [40]
        assert figures[HEALTH] == 40
        assert abs(figures['lottery_clock_skew_seconds{against="database"}']) < 5
        # a figure of one worker would go on being told once that worker has ended
        assert not [name for name in figures if re.search(r'\bpid="', name)]
        assert used_metrics() - names(figures) - OF_PROMETHEUS == set()
        if shutil.which("prometheus") is None:
            print("not tried with Prometheus: install the package prometheus")
            return
        with prometheus(server, tmp_path) as site:
            assert wait_for(lambda: result(site, "lottery_ready"), "a scrape")[0]["value"][1] == "1"
            rules = wait_for(lambda: rules_that_were_tried(site), "all rules were tried")
            assert {each["health"] for each in rules} == {"ok"}
            for expression in dashboard_expressions():
                result(site, expression)


HEALTH = 'lottery_requests_total{endpoint="monitoring.healthz",status="200"}'


def ask(server: Gunicorn, times: int) -> None:
    """Ask over many connections, so that both workers answer."""
    with ThreadPoolExecutor(10) as clients:
        answers = list(clients.map(answer_of, times * [f"{server.url}/healthz"]))
    assert answers == times * [(200, "alive\n")]


def names(figures: dict[str, float]) -> set[str]:
    return {name.partition("{")[0] for name in figures}


def used_metrics() -> set[str]:
    """Return the metrics that alarms and dashboard read."""
    rules = re.findall(r"expr: (.*)", (FOLDER / "alerts.yml").read_text(encoding="utf-8"))
    found = " ".join([*rules, *dashboard_expressions()])
    return set(re.findall(r"\blottery_\w+", found))


def dashboard_expressions() -> list[str]:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


@contextmanager
def prometheus(server: Gunicorn, folder: Path) -> Iterator[str]:
    """Run Prometheus by our files, but for the address and the pace, and yield its address."""
    given = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
    shutil.copy(FOLDER / "alerts.yml", folder)
    (folder / "prometheus.yml").write_text(
        given.replace("lottery:8080", f"127.0.0.1:{server.port}").replace("15s", "1s")
    )
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/prometheus",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    site = f"http://{address}"
    log = folder / "prometheus.log"
    with running(command, log, until=lambda: result(site, "vector(1)")):
        yield site


def result(site: str, expression: str) -> list[dict[str, list[str]]]:
    """Return what Prometheus finds by an expression; nothing while it starts."""
    try:
        status, text = answer_of(f"{site}/api/v1/query?query={quote(expression)}")
    except OSError:
        return []
    if status == 503:
        return []
    assert status == 200, text
    found: list[dict[str, list[str]]] = json.loads(text)["data"]["result"]
    return found


def rules_that_were_tried(site: str) -> list[dict[str, str]] | None:
    """Return what became of each rule, once all of them were evaluated."""
    _, text = answer_of(f"{site}/api/v1/rules")
    rules: list[dict[str, str]] = json.loads(text)["data"]["groups"][0]["rules"]
    return None if any(each["health"] == "unknown" for each in rules) else rules
