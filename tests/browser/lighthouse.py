"""Lighthouse, as a function: how a page scores on a phone, and what costs it points."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.browser.conftest import ARGUMENTS, BROWSERS
from tests.browser.floors import LIGHTHOUSE
from tests.processes import PATIENCE

#: what Lighthouse says where the browser gave it no record of the load, as on a busy machine; there
#: is nothing to judge then, and how often it is asked has no bearing on what it finds
NOT_RECORDED = "Please run Lighthouse again."
TRIES = 3
CHROME_FLAGS = (
    "--headless=new",
    *ARGUMENTS,
    # a Chrome that Lighthouse starts would ask for its maker's sites by itself
    "--host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'",
)


@dataclass(frozen=True)
class Report:
    """What Lighthouse thinks of a page."""

    #: by category, of 100
    scores: dict[str, int]
    #: by category, the audits that cost points: their names, scores and titles
    costs: dict[str, list[str]]
    #: how far things move while the page loads
    layout_shift: float

    def below(self, floors: dict[str, int]) -> list[str]:
        """Return what falls short of the floors, by category, and why."""
        return [
            "\n  ".join([f"{name}: {self.scores[name]} of at least {floor}", *self.costs[name]])
            for name, floor in floors.items()
            if self.scores[name] < floor
        ]


def measure(url: str, categories: Iterable[str], cookies: str = "") -> Report:
    """Let Lighthouse load a page as a phone with a slow line does, and judge it.

    Args:
        categories: performance among them.
        cookies: what the browser sends along, as the header Cookie.

    Raises:
        ValueError: the page that was judged is not the one asked for.
        subprocess.CalledProcessError: there is no page, or Lighthouse failed.
    """
    categories = list(categories)
    with TemporaryDirectory() as folder:
        headers = Path(folder) / "headers.json"
        # in a file, for all can read what a program is called with; a log-in is nobody else's
        headers.write_text(json.dumps({"Cookie": cookies} if cookies else {}))
        command = [
            *LIGHTHOUSE,
            url,
            "--output=json",
            "--output-path=stdout",
            "--quiet",
            "--no-enable-error-reporting",
            f"--only-categories={','.join(categories)}",
            f"--extra-headers={headers}",
            f"--chrome-flags={' '.join(CHROME_FLAGS)}",
        ]
        ran = _run(command)
        for _ in range(TRIES - 1):
            if ran.returncode == 0 or NOT_RECORDED not in ran.stderr:
                break
            ran = _run(command)
    print(ran.stderr)
    ran.check_returncode()
    return read(json.loads(ran.stdout), url, categories)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, **browser_named()},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )


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
