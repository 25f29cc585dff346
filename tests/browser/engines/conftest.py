"""Browser engines: Chromium, Firefox and WebKit, each started once."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests.browser.engines.chromium import Chromium
from tests.browser.engines.firefox import Firefox
from tests.browser.engines.page import Engine
from tests.browser.engines.protocol import Refused
from tests.browser.engines.webkit import WebKit
from tests.stand_ins.programs import Missing

OTHERS: dict[str, Callable[[Path], AbstractContextManager[Engine]]] = {
    "firefox": Firefox,
    "webkit": WebKit,
}


def start(
    stack: ExitStack, browser: Callable[[Path], AbstractContextManager[Engine]], folder: Path
) -> Engine:
    """Start a browser, or skip the test."""
    try:
        return stack.enter_context(browser(folder))
    except Missing as error:
        pytest.skip(str(error))
    except (AssertionError, OSError, Refused) as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"it does not start: {error}")


@pytest.fixture(scope="package", params=["chromium", *OTHERS])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """Start a browser; skip what is not here, and in CI fail where it does not start."""
    name: str = request.param
    if name not in OTHERS:
        yield Chromium(request.getfixturevalue("chromium"))
        return
    with ExitStack() as stack:
        yield start(stack, OTHERS[name], tmp_path_factory.mktemp(name))
