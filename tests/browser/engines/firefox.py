"""Firefox, through WebDriver BiDi, which it speaks itself."""

import json
import os
import re
from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import connect

from tests.browser.conftest import IS_FASTER
from tests.browser.engines.bidi import Bidi
from tests.browser.engines.page import HEIGHT, WIDTH, Gone
from tests.browser.engines.protocol import Actions, Refused, press, type_keys
from tests.stand_ins.processes import PATIENCE, wait_for
from tests.stand_ins.programs import program, running

LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
#: a stream of news ends with its page, and Firefox says so; it may not have been answered yet
END_OF_NEWS = re.compile(
    r"connection to \S+/live was interrupted while the page was loading"
    r"|can’t establish a connection to the server at \S+/live\.$"
)


class FirefoxTab:
    """A browsing context, in a user context of its own."""

    def __init__(self, bidi: Bidi, context: str) -> None:
        self._bidi = bidi
        self._context = context

    def go(self, url: str) -> None:
        self._bidi.ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def run(self, expression: str) -> Any:
        told = self._evaluate(f"JSON.stringify({expression})")
        return json.loads(told["value"]) if told["type"] == "string" else None

    def press(self, element: str, times: int) -> None:
        self._perform(press({"sharedId": self._found(element)}, times))

    def type(self, keys: str) -> None:
        self._perform(type_keys(keys))

    def choose(self, element: str, file: Path) -> None:
        shared = {"sharedId": self._found(element)}
        self._ask("input.setFiles", element=shared, files=[str(file)])

    def screenshot(self) -> bytes:
        return b64decode(self._ask("browsingContext.captureScreenshot")["data"])

    def complaints(self) -> list[str]:
        entries = [event["params"] for event in self._bidi.events]
        return [
            f"{entry['level']}: {entry['text']}"
            for entry in entries
            if entry["source"].get("context") == self._context
            and not END_OF_NEWS.search(entry["text"])
            and not entry["text"].startswith(IS_FASTER)
        ]

    def _perform(self, actions: Actions) -> None:
        self._ask("input.performActions", actions=actions)

    def _found(self, element: str) -> str:
        found = self._evaluate(element)
        if "sharedId" not in found:
            raise Gone(element)
        return str(found["sharedId"])

    def _evaluate(self, expression: str) -> dict[str, Any]:
        try:
            answer = self._bidi.ask(
                "script.evaluate",
                expression=expression,
                target={"context": self._context},
                awaitPromise=True,
                serializationOptions={"maxDomDepth": 0},
            )
        except Refused as error:
            raise Gone(str(error)) from error
        assert answer["type"] == "success", answer
        return dict(answer["result"])

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        try:
            return self._bidi.ask(method, context=self._context, **params)
        except Refused as error:
            if error.code in {"no such node", "no such element", "move target out of bounds"}:
                raise Gone(str(error)) from error
            raise


class Firefox:
    """Firefox with scripts and, once it is asked for, another one without: there is one switch.

    Args:
        folder: an empty one, for its profiles.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = program(
            "firefox-esr", os.environ.get("FIREFOX", ""), "firefox-esr", "firefox"
        )
        self._stack = ExitStack()
        self._started: dict[bool, Bidi] = {}
        self.version = ""

    def __enter__(self) -> Self:
        with self._stack:
            self._of(with_script=True)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def tab(self, *, with_script: bool) -> Iterator[FirefoxTab]:
        bidi = self._of(with_script=with_script)
        user: str = bidi.ask("browser.createUserContext")["userContext"]
        size = {"width": WIDTH, "height": HEIGHT}
        bidi.ask("browsingContext.setViewport", viewport=size, userContexts=[user])
        context = bidi.ask("browsingContext.create", type="tab", userContext=user)["context"]
        try:
            yield FirefoxTab(bidi, context)
        finally:
            bidi.ask("browser.removeUserContext", userContext=user)
            bidi.events.clear()

    def _of(self, *, with_script: bool) -> Bidi:
        if with_script not in self._started:
            self._started[with_script] = self._start(with_script=with_script)
        return self._started[with_script]

    def _start(self, *, with_script: bool) -> Bidi:
        home = self._folder / ("scripted" if with_script else "unscripted")
        profile, log = home / "profile", home / "firefox.log"
        profile.mkdir(parents=True)
        preferences = {
            "javascript.enabled": with_script,
            "intl.accept_languages": "en-GB",
            "ui.useOverlayScrollbars": 1,  # as on a phone: they take no room
        }
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in preferences.items()]
        (profile / "user.js").write_text("\n".join(lines))
        command = [self._program, "--headless", "--no-remote", "--profile", str(profile)]
        # not by WebDriver's emulation, which Firefox 140 does not have
        surroundings = {"HOME": str(home), "TZ": "Europe/Helsinki"}
        started = self._stack.enter_context(
            running([*command, "--remote-debugging-port", "0"], log, surroundings)
        )

        def listening() -> re.Match[str] | None:
            said = log.read_text(errors="replace")
            assert started.poll() is None, f"Firefox ended:\n{said}"
            return LISTENING.search(said)

        found = wait_for(listening, "Firefox listens")
        socket = connect(f"{found[1]}/session", max_size=None, open_timeout=PATIENCE)
        bidi = Bidi(self._stack.enter_context(socket))
        asked = {"alwaysMatch": {"acceptInsecureCerts": False}}
        session = bidi.ask("session.new", capabilities=asked)
        self.version = session["capabilities"]["browserVersion"]
        bidi.ask("session.subscribe", events=["log.entryAdded"])
        return bidi
