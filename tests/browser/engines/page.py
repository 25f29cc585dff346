"""Page of a site, as a journey sees it in any browser: open, press, fill, read, wait."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urljoin

from tests.stand_ins.processes import wait_for

#: of the pages that players see: a small phone
WIDTH, HEIGHT = 390, 664
#: milliseconds for which a mouse's button is held down, and left alone
HOLD = 40

#: keys that are no letter, as WebDriver writes them
ENTER, SPACE = "\ue007", " "

#: a form's button comes before the link of the same name that leads to the form
PRESSED = ["button", "a[href], summary"]
FILLED = ["input, textarea, select"]

#: finds what is seen under a name: its label, or what it says
FIND = """((kinds, wanted) => {
  const plain = (text) => text.replace(/\\s+/g, " ").trim();
  const labels = (each) => Array.from(each.labels ?? [], (label) => label.textContent);
  const name = (each) => plain(
    each.getAttribute("aria-label") ?? (labels(each).join(" ") || each.textContent)
  );
  const found = kinds.flatMap((each) => Array.from(document.querySelectorAll(each)))
    .find((each) => each.checkVisibility() && name(each) === wanted);
  found?.scrollIntoView({ block: "nearest", behavior: "instant" });
  return found ?? null;
})"""

#: where something stands, and at which frame; a browser draws another one only where asked to
STAND = """((each) => {
  if (!each) return null;
  const { x, y } = each.getBoundingClientRect();
  requestAnimationFrame(() => {});
  return [document.timeline.currentTime, x, y];
})"""

#: for fields that take no letters, such as a date's, whose keys differ from browser to browser
SET = """((field, value) => {
  field.value = value;
  for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
})"""


class Gone(Exception):
    """What was asked for is not on the page, or the page is just being replaced."""


class Tab(Protocol):
    """What a browser must be able to do with the page that it shows.

    An `element` is an expression of JavaScript. Where there is none yet, or no longer, and nothing
    was done, the answer is Gone.
    """

    def go(self, url: str) -> None:
        """Load an address, and wait until it is there."""

    def run(self, expression: str) -> Any:
        """Return what an expression is worth, which must be worth saying in JSON."""

    def press(self, element: str, times: int) -> None:
        """Move a mouse there, and press and release its button so many times."""

    def type(self, keys: str) -> None:
        """Press keys, one after the other."""

    def choose(self, element: str, file: Path) -> None:
        """Choose a file in its field."""

    def screenshot(self) -> bytes:
        """Return what can be seen, as a PNG."""

    def complaints(self) -> list[str]:
        """Return what the browser found wrong: errors, messages, breaches of a policy."""


class Engine(Protocol):
    """A browser that has been started."""

    @property
    def version(self) -> str:
        """Return what it calls itself."""

    def tab(self, *, with_script: bool) -> AbstractContextManager[Tab]:
        """Open an empty profile of the size of a phone, far from UTC."""


class Page:
    """What a person does, and sees."""

    def __init__(self, tab: Tab, url: str) -> None:
        self.tab = tab
        self._url = url

    def open(self, address: str) -> None:
        """Go to an address of the site, or anywhere."""
        self.tab.go(urljoin(self._url, address))

    def press(self, name: str, times: int = 1) -> None:
        """Press a button or a link by the mouse, as soon as it is there."""
        self._press(find(PRESSED, name), name, times)

    def focus(self, name: str) -> None:
        """Move the focus to a button or a link."""
        focus = f"(each => each && (each.focus(), true))({find(PRESSED, name)})"
        wait_for(lambda: self.run(focus), f"“{name}” has the focus")

    def type(self, keys: str) -> None:
        """Press keys, one after the other."""
        self.tab.type(keys)

    def fill(self, label: str, text: str) -> None:
        """Type into a field, in place of what is there."""
        field = find(FILLED, label)
        kind = wait_for(lambda: self.run(f"{field}?.type"), f"there is a field “{label}”")
        if kind == "date":
            self.run(f"{SET}({field}, {json.dumps(text)})")
            return
        self._press(field, label)
        self.run(f"{field}.select()")
        self.type(text)
        filled = f"{field}?.value === {json.dumps(text)}"
        wait_for(lambda: self.run(filled), f"“{label}” has been filled in")

    def choose(self, label: str, file: Path) -> None:
        """Choose a file in its field."""
        self._do(lambda: self.tab.choose(find(FILLED, label), file), f"“{label}” takes a file")

    def address_of(self, link: str) -> str:
        """Return where a link leads."""
        address = f"{find(PRESSED, link)}?.href"
        return str(wait_for(lambda: self.run(address), f"there is a link “{link}”"))

    def text(self, part: str = "main") -> str:
        """Return what can be read in a part of the page, without its breaks."""
        said = self.run(f"document.querySelector({json.dumps(part)})?.innerText")
        return " ".join((said or "").split())

    def expect(self, *texts: str, part: str = "main") -> None:
        """Wait until texts can be read in a part of the page."""
        for text in texts:
            wait_for(lambda text=text: text in self.text(part), f"“{text}” in {part}")  # type: ignore[misc]

    def expect_none(self, part: str) -> None:
        """Wait until a part is not on the page."""
        gone = f"!document.querySelector({json.dumps(part)})"
        wait_for(lambda: self.run(gone), f"there is no {part}")

    def run(self, expression: str) -> Any:
        """Return what an expression is worth; None while the page is being replaced."""
        try:
            return self.tab.run(expression)
        except Gone:
            return None

    def _press(self, element: str, name: str, times: int = 1) -> None:
        """Press where something stands still: what was typed may be scrolled into view yet."""
        before: list[float] = []

        def stands() -> bool:
            nonlocal before
            at = self.run(f"{STAND}({element})") or []
            last, before = before, at
            return bool(at and last) and at[0] > last[0] and at[1:] == last[1:]

        wait_for(stands, f"“{name}” is there")
        self._do(lambda: self.tab.press(element, times), f"“{name}” was pressed")

    def _do(self, act: Callable[[], None], what: str) -> None:
        def done() -> bool:
            try:
                act()
            except Gone:
                return False
            return True

        wait_for(done, what)


def find(kinds: list[str], name: str) -> str:
    """Return the expression for the first that is seen under a name."""
    return f"{FIND}({json.dumps(kinds)}, {json.dumps(name)})"


@contextmanager
def browsing(engine: Engine, url: str, folder: Path, *, with_script: bool = True) -> Iterator[Page]:
    """Open a site, of which nothing may be found wrong; a picture shows where a test failed."""
    with engine.tab(with_script=with_script) as tab:
        page = Page(tab, url)
        try:
            yield page
        except BaseException:
            picture = folder / "page.png"
            print(f"... {page.run('location.href')}, {picture}:", page.text("body"), sep="\n")
            print(*tab.complaints(), sep="\n")
            picture.write_bytes(tab.screenshot())
            raise
        page.run("null")
        complaints = tab.complaints()
        tab.go("about:blank")  # and leave the server alone
    assert not complaints, "\n".join(complaints)
