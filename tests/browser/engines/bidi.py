"""Client of WebDriver BiDi, the standard's protocol over a WebSocket (w3.org/TR/webdriver-bidi)."""

import json
from itertools import count
from typing import Any

from websockets.sync.client import ClientConnection

from tests.browser.engines.protocol import Refused
from tests.stand_ins.processes import PATIENCE


class Bidi:
    """Commands and their answers, one after the other; events are kept as they come."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = count(1)
        self.events: list[dict[str, Any]] = []

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result.

        Raises:
            Refused: it was not carried out.
        """
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message: dict[str, Any] = json.loads(self._socket.recv(timeout=PATIENCE))
            if message["type"] == "event":
                self.events.append(message)
            elif message["type"] == "error":
                raise Refused(message["error"], message["message"])
            elif message["id"] == number:
                return dict(message["result"])
