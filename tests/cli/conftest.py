"""Fixtures of the command tests: a terminal to type commands into."""

from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask

from tests.conftest import Clock

Type = Callable[..., Result]


@pytest.fixture
def type_(app: Flask, clock: Clock) -> Type:
    """Return a function that runs a command with what is typed after it."""
    runner = app.test_cli_runner()

    def type_(command: str, typed: str = "") -> Result:
        return runner.invoke(args=command.split(), input=typed)

    return type_
