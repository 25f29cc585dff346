"""What WebDriver and WebDriver BiDi have in common: refusals, and actions of mouse and keys."""

from typing import Any

from tests.browser.engines.page import HOLD

Actions = list[dict[str, Any]]


class Refused(Exception):
    """A command that the browser did not carry out; `code` is the standard's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def press(element: dict[str, str], times: int) -> Actions:
    """Return presses of a mouse in the middle of an element."""
    origin = {"type": "element", "element": element} if "sharedId" in element else element
    pause = {"type": "pause", "duration": HOLD}
    one = [{"type": "pointerDown", "button": 0}, pause, {"type": "pointerUp", "button": 0}, pause]
    move = {"type": "pointerMove", "x": 0, "y": 0, "origin": origin}
    parameters = {"pointerType": "mouse"}
    actions = [move, *times * one][:-1]  # nothing to wait for after the last
    return [{"type": "pointer", "id": "mouse", "parameters": parameters, "actions": actions}]


def type_keys(keys: str) -> Actions:
    """Return presses of keys, one after the other."""
    presses = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
    return [{"type": "key", "id": "keys", "actions": presses}]
