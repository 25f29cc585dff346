"""Fixtures of the page tests: users at their browsers."""

import html
import re
from collections.abc import Callable
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from config.settings import TESTING
from lottery_system.extensions import db
from lottery_system.web.cookies import tag_of
from tests.conftest import PASSWORD, Cast

TAG = tag_of(TESTING["LOTTERY_SECRET_KEY"])
#: the names of the cookies of a log-in, and of a browser that has had one
SESSION, KNOWN = f"session-{TAG}", f"known-{TAG}"


class Visitor:
    """Somebody with a browser: keeps cookies, takes tokens from the forms, follows nothing."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **options: object) -> TestResponse:
        return self.client.get(path, **options)

    def post(self, path: str, page: str | None = None, **fields: object) -> TestResponse:
        """Post a form with the CSRF token that stands on its page."""
        token = csrf_token(self.get(page or path))
        return self.client.post(path, data={"csrf_token": token, **fields})

    def log_in(self, username: str, password: str = PASSWORD, path: str = "/login") -> TestResponse:
        return self.post(path, username=username, password=password)

    def submit(self, lottery_id: int, **fields: object) -> TestResponse:
        """Submit by a form of the front page, with whatever is typed into it."""
        page = self.get("/")
        form = {"csrf_token": csrf_token(page), "submission": str(submission_token(page))}
        return self.client.post(f"/lotteries/{lottery_id}/ballots", data={**form, **fields})


def csrf_token(page: TestResponse) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert found, f"no form on the page: {page.status}"
    return found[1]


def submission_token(page: TestResponse) -> UUID:
    found = re.search(r'name="submission"[^>]*value="([^"]+)"', page.text)
    assert found, f"no lottery on the page: {page.status}"
    return UUID(found[1])


def text_of(page: TestResponse) -> str:
    """Return what a person reads of a page, in one line."""
    body = re.sub(r"<head>.*?</head>|<script.*?</script>", " ", page.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.fixture
def engines(app: Flask) -> list[Engine]:
    """Return the application's engines: the one that writes and the one that reads."""
    with app.app_context():
        return list(db.engines.values())


@pytest.fixture
def stranger(app: Flask) -> Visitor:
    """Return somebody who is not logged in."""
    return Visitor(app.test_client())


LogIn = Callable[[str], Visitor]


@pytest.fixture
def log_in(app: Flask, cast: Cast) -> LogIn:
    """Return a function that logs a member of the cast in at a new browser."""

    def log_in(username: str) -> Visitor:
        visitor = Visitor(app.test_client())
        assert visitor.log_in(username).status_code == 303
        return visitor

    return log_in


@pytest.fixture
def bob(log_in: LogIn) -> Visitor:
    """Return bob, logged in."""
    return log_in("bob")


@pytest.fixture
def alice(log_in: LogIn) -> Visitor:
    """Return alice, an organiser, logged in."""
    return log_in("alice")
