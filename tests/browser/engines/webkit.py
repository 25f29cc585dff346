"""WebKit: the browser of WebKitGTK through its WebDriver, on a display that nobody sees."""

import os
from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError

from tests.browser.engines.page import HEIGHT, WIDTH, Gone
from tests.browser.engines.protocol import Actions, Refused, press, type_keys
from tests.browser.engines.webdriver import ELEMENT, ask
from tests.stand_ins.ports import free_port
from tests.stand_ins.processes import PATIENCE, wait_for
from tests.stand_ins.programs import Missing, program, running

#: where Debian has the browser, which is in nobody's path
LIBRARIES, BROWSER = Path("/usr/lib"), "*/webkit*gtk-*/MiniBrowser"
#: notes what goes wrong on a page from now on: an automated browser is private, and such a one
#: writes its console's messages nowhere
WATCH = """
if (!window.complaints) {
  window.complaints = [];
  const note = (text) => window.complaints.push(text);
  addEventListener("error", (event) => note(event.message ?? `no ${event.target.outerHTML}`), true);
  addEventListener("unhandledrejection", ({ reason }) => note(String(reason)));
  addEventListener("securitypolicyviolation", (event) => note(event.violatedDirective));
}
"""
#: opens a window without bars, which is what makes it as narrow as a phone
SMALL = f"return Boolean(open('about:blank', '', 'popup,width={WIDTH},height={HEIGHT}'))"


class WebKitTab:
    """A session of WebDriver, which has a browser of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._complaints: list[str] = []

    def go(self, url: str) -> None:
        self._ask("/url", {"url": url})
        self.run("null")  # and watch it

    def run(self, expression: str) -> Any:
        watched = f"{WATCH} return [({expression}), window.complaints.splice(0)]"
        found, complaints = self._execute(watched)
        self._complaints += complaints
        return found

    def press(self, element: str, times: int) -> None:
        self._perform(press(self._found(element), times))

    def type(self, keys: str) -> None:
        self._perform(type_keys(keys))

    def choose(self, element: str, file: Path) -> None:
        self._ask(f"/element/{self._found(element)[ELEMENT]}/value", {"text": str(file)})

    def screenshot(self) -> bytes:
        return b64decode(self._ask("/screenshot"))

    def complaints(self) -> list[str]:
        return self._complaints

    def move_to_small_window(self) -> None:
        """Go on in a window of the size of a phone."""
        first = self._ask("/window/handles")
        assert self._execute(SMALL), "no window was opened"
        (small,) = wait_for(
            lambda: [each for each in self._ask("/window/handles") if each not in first],
            "there is another window",
        )
        self._ask("/window", {"handle": small})
        size = f"innerWidth === {WIDTH} && innerHeight === {HEIGHT}"
        wait_for(lambda: self.run(size), f"its size is {WIDTH} by {HEIGHT}")

    def _perform(self, actions: Actions) -> None:
        self._ask("/actions", {"actions": actions})

    def _found(self, element: str) -> dict[str, str]:
        found = self.run(element)
        if found is None:
            raise Gone(element)
        return dict(found)

    def _execute(self, script: str) -> Any:
        return self._ask("/execute/sync", {"script": script, "args": []})

    def _ask(self, path: str, body: object = None) -> Any:
        try:
            return ask(self._url + path, body)
        except Refused as error:
            if error.code in {"stale element reference", "move target out of bounds"}:
                raise Gone(str(error)) from error
            raise


class WebKit:
    """A driver, and a display; a browser is started for each profile.

    Args:
        folder: an empty one, for its home.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._driver = program("webkit2gtk-driver", "WebKitWebDriver")
        self._display = program("xvfb", "Xvfb")
        found = next(LIBRARIES.glob(BROWSER), None)
        if found is None:
            raise Missing("no MiniBrowser here; install the package webkit2gtk-driver")
        self._browser = str(found)
        self._environ = {
            "HOME": str(folder),
            "GDK_BACKEND": "x11",
            "GSETTINGS_BACKEND": "memory",
            "NO_AT_BRIDGE": "1",
            "LIBGL_ALWAYS_SOFTWARE": "1",
        }
        self._stack = ExitStack()
        self._url = ""
        self.version = ""

    def __enter__(self) -> Self:
        with self._stack:
            self._environ["DISPLAY"] = self._show()
            port = free_port()
            driver = running(
                [self._driver, f"--port={port}"], self._folder / "driver.log", self._environ
            )
            self._stack.enter_context(driver)
            self._url = f"http://127.0.0.1:{port}"
            wait_for(self._is_ready, "WebKitWebDriver listens")
            with self.tab(with_script=True):
                pass  # it starts, or the fixture says why not
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def tab(self, *, with_script: bool) -> Iterator[WebKitTab]:
        options = {
            "binary": self._browser,
            "args": [
                "--automation",
                "--time-zone=Europe/Helsinki",
                "--javascript-can-open-windows-automatically=true",
                f"--enable-javascript={str(with_script).lower()}",
            ],
        }
        asked = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
        session = ask(f"{self._url}/session", {"capabilities": asked})
        self.version = session["capabilities"]["browserVersion"]
        url = f"{self._url}/session/{session['sessionId']}"
        try:
            tab = WebKitTab(url)
            tab.move_to_small_window()
            yield tab
        finally:
            ask(url, method="DELETE")

    def console_of(self, url: str) -> list[str]:
        """Return what the console of a browser that is not private says while a page loads."""
        log = self._folder / "console.log"
        log.write_bytes(b"")
        options = ("--enable-write-console-messages-to-stdout=true", "--exit-after-load")
        with running([self._browser, *options, url], log, self._environ) as browser:
            browser.wait(PATIENCE)
        return [line for line in log.read_text().splitlines() if " CONSOLE " in line]

    def _show(self) -> str:
        """Start a display, and return its name; the server picks a free number."""
        reading, writing = os.pipe()
        try:
            command = [self._display, "-displayfd", str(writing), "-screen", "0", "1280x1024x24"]
            server = running(
                [*command, "-nolisten", "tcp"], self._folder / "xvfb.log", {}, [writing]
            )
            self._stack.enter_context(server)
            os.close(writing)
            writing = -1
            with open(reading, closefd=False) as told:
                number = told.readline().strip()
        finally:
            os.close(reading)
            if writing >= 0:
                os.close(writing)
        assert number, "Xvfb did not start: " + (self._folder / "xvfb.log").read_text()
        return f":{number}"

    def _is_ready(self) -> bool:
        with suppress(URLError, ConnectionError):
            return bool(ask(f"{self._url}/status")["ready"])
        return False
