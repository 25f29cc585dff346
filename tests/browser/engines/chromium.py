"""Chromium, through Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ElementHandle, Error
from playwright.sync_api import Page as PlaywrightPage

from tests.browser import conftest
from tests.browser.engines.page import ENTER, HEIGHT, HOLD, WIDTH, Gone


class ChromiumTab:
    """A page of Playwright; the fixture of all browser tests gathers its complaints."""

    def __init__(self, page: PlaywrightPage) -> None:
        self._page = page

    def go(self, url: str) -> None:
        self._page.goto(url)

    def run(self, expression: str) -> Any:
        try:
            return self._page.evaluate(expression)
        except Error as error:
            raise Gone(str(error)) from error

    def press(self, element: str, times: int) -> None:
        try:
            self._found(element).hover()
        except Error as error:
            if "not attached to the DOM" in str(error):  # the page was just replacing it
                raise Gone(str(error)) from error
            raise
        for _ in range(times):
            self._page.mouse.down()
            self._page.wait_for_timeout(HOLD)
            self._page.mouse.up()

    def type(self, keys: str) -> None:
        self._page.keyboard.type(keys.replace(ENTER, "\n"))

    def choose(self, element: str, file: Path) -> None:
        self._found(element).set_input_files(file)

    def screenshot(self) -> bytes:
        return self._page.screenshot()

    def complaints(self) -> list[str]:
        return []

    def _found(self, element: str) -> ElementHandle:
        try:
            found = self._page.evaluate_handle(element).as_element()
        except Error as error:
            raise Gone(str(error)) from error
        if found is None:
            raise Gone(element)
        return found


class Chromium:
    """The Chromium of all browser tests."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    @property
    def version(self) -> str:
        return self._browser.version

    @contextmanager
    def tab(self, *, with_script: bool) -> Iterator[ChromiumTab]:
        size: Any = {"width": WIDTH, "height": HEIGHT}
        with conftest.browsing(
            self._browser, "about:blank", viewport=size, java_script_enabled=with_script
        ) as page:
            yield ChromiumTab(page)
