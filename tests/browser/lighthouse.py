"""Lighthouse as a process: the scores of a page on a phone, and what lowers them."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any, Self

from tests.browser.conftest import ARGUMENTS, BROWSERS
from tests.browser.floors import MODULES
from tests.stand_ins.processes import PATIENCE

#: what Lighthouse says where the browser gave it no record of the load, as on a busy machine; there
#: is nothing to judge then, and how often it is asked has no bearing on what it finds
NOT_RECORDED = "Please run Lighthouse again."
TRIES = 3
CHROME_FLAGS = (
    "--headless=new",
    *ARGUMENTS,
    # a Chrome that Lighthouse starts would ask for its maker's sites by itself
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
#: how many times slower than this machine a phone is, and the least BenchmarkIndex of machines of
#: which that is true (Lighthouse's page on throttling, "Calibrating the CPU slowdown")
SLOWDOWNS = ((1500, 4), (1000, 2), (0, 1))
SLOWDOWN = SLOWDOWNS[0][1]
PROGRAM = Path(__file__).with_suffix(".mjs")


@dataclass(frozen=True)
class Report:
    """What Lighthouse thinks of a page."""

    #: by category, of 100
    scores: dict[str, int]
    #: by category, the audits that cost points: their names, scores and titles
    costs: dict[str, list[str]]
    #: how far things move while the page loads
    layout_shift: float
    #: of this machine, with whatever runs beside: Lighthouse's BenchmarkIndex
    speed: float

    @property
    def slowdown(self) -> int:
        """How many times slower a phone is than this machine was."""
        return next(slowdown for least, slowdown in SLOWDOWNS if self.speed >= least)

    def below(self, floors: dict[str, int]) -> list[str]:
        """Return what falls short of the floors, by category, and why."""
        return [
            "\n  ".join([f"{name}: {self.scores[name]} of at least {floor}", *self.costs[name]])
            for name, floor in floors.items()
            if self.scores[name] < floor
        ]


class LighthouseFailed(Exception):
    """There is no such page, or Lighthouse could not judge it."""


class Lighthouse:
    """Lighthouse as a process that judges one page after another; see `lighthouse.mjs`."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["node", str(PROGRAM), str(MODULES), *CHROME_FLAGS],
            env={**os.environ, **browser_named()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=PATIENCE)

    def measure(
        self, url: str, categories: Iterable[str], cookies: str = "", slowdown: int = SLOWDOWN
    ) -> Report:
        """Let Lighthouse load a page as a phone with a slow line does, and judge it.

        Args:
            categories: performance among them.
            cookies: what the browser sends along, as the header Cookie.
            slowdown: how many times slower than this machine the phone is.

        Raises:
            ValueError: the page that was judged is not the one asked for.
            LighthouseFailed: nothing was judged.
        """
        categories = list(categories)
        headers = {"Cookie": cookies} if cookies else {}
        asked = json.dumps(
            {"url": url, "categories": categories, "headers": headers, "slowdown": slowdown}
        )
        for _ in range(TRIES):
            answer = json.loads(self._answer(asked))
            if NOT_RECORDED not in answer.get("error", ""):
                break
        if "error" in answer:
            raise LighthouseFailed(answer["error"])
        return read(answer["result"], url, categories)

    def _answer(self, asked: str) -> str:
        reads, writes = self._process.stdout, self._process.stdin
        assert reads is not None
        assert writes is not None
        writes.write(f"{asked}\n")
        writes.flush()
        with too_long_for(self._process, 2 * PATIENCE):
            return reads.readline() or '{"error": "Lighthouse ended"}'


@contextmanager
def too_long_for(process: subprocess.Popen[str], seconds: float) -> Iterator[None]:
    """End a process that is not done in time."""
    timer = Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def browser_named() -> dict[str, str]:
    """Return what tells Lighthouse which browser to take; it finds a Chrome by itself."""
    names = (os.environ.get("CHROMIUM", ""), *BROWSERS)
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    return {"CHROME_PATH": found} if found else {}


def read(result: dict[str, Any], url: str, categories: Iterable[str]) -> Report:
    """Read Lighthouse's result.

    Raises:
        ValueError: it is not of the page that was asked for.
    """
    if result["finalDisplayedUrl"] != url:
        raise ValueError(f"{url} leads to {result['finalDisplayedUrl']}")
    return Report(
        scores={name: round(100 * result["categories"][name]["score"]) for name in categories},
        costs={name: list(costs(result, name)) for name in categories},
        layout_shift=result["audits"]["cumulative-layout-shift"]["numericValue"],
        speed=result["environment"]["benchmarkIndex"],
    )


def costs(result: dict[str, Any], category: str) -> Iterable[str]:
    """Yield the audits of a category that cost points."""
    for reference in result["categories"][category]["auditRefs"]:
        audit = result["audits"][reference["id"]]
        if reference["weight"] and audit["score"] is not None and audit["score"] < 1:
            where = [
                item["node"].get("snippet", "")
                for item in audit.get("details", {}).get("items", [])
                if "node" in item
            ]
            yield " ".join([f"{audit['id']} ({audit['score']:g}): {audit['title']}", *where[:3]])
