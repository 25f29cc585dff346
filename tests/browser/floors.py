"""What pages are measured with, and how they are come by: programs of npm, pages of STATES."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.test_accessibility import STATES, LogIns, held_after_log_in
from tests.processes import PATIENCE, Gunicorn

#: where tests/setup.sh has npm install into
MODULES = Path(sys.prefix) / "floors" / "node_modules"
LIGHTHOUSE = ("node", str(MODULES / "lighthouse" / "cli" / "index.js"))
NU_CHECKER = ("java", "-jar", str(MODULES / "vnu-jar" / "build" / "dist" / "vnu.jar"))

#: the states that are had by looking alone
AT_ONCE = [
    name for name, state in STATES.items() if state.act is type(state)._field_defaults["act"]
]


@cache
def starts(program: tuple[str, ...]) -> bool:
    """Tell whether a program is here and runs on the Node.js or the Java that is here."""
    if shutil.which(program[0]) is None:
        return False
    asked = subprocess.run(
        [*program, "--version"], capture_output=True, timeout=PATIENCE, check=False
    )
    return asked.returncode == 0


def skip_without(program: tuple[str, ...]) -> None:
    """Skip a test that needs a program which does not start."""
    if not starts(program):
        pytest.skip(f"{Path(program[-1]).name} does not start; see what tests/setup.sh says")


class Visitors:
    """Somebody or nobody before a browser; whoever must log in does so once a site."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._log_ins: LogIns = {}

    def options(self, server: Gunicorn, who: str) -> dict[str, Any]:
        """Return what makes a browser's profile somebody's; nobody's where `who` is empty."""
        if not who:
            return {}
        key = (server.url, who)
        if key not in self._log_ins:
            self._log_ins[key] = held_after_log_in(self._browser, *key)
        return {"storage_state": self._log_ins[key]}

    def cookies(self, server: Gunicorn, who: str) -> str:
        """Return somebody's cookies as a browser sends them."""
        state = self.options(server, who)
        held = state["storage_state"]["cookies"] if state else []
        return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in held)
