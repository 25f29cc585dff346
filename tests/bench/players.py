"""Prepared requests of logged-in users, so that sending them costs next to nothing."""

import re
from collections.abc import Callable, Iterator
from itertools import cycle
from random import getrandbits
from urllib.parse import urlencode
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from lottery_system.clock import utcnow
from lottery_system.extensions import transaction
from lottery_system.models import LoginSession, User
from lottery_system.passwords import hash_password

PLAYERS = 32
PASSWORD = "correct horse battery"


class Player:
    """A user with a browser's cookie and the CSRF token that belongs to it."""

    def __init__(self, app: Flask, user: User, token: str) -> None:
        self.id = user.id
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie["_user_id"] = token
        self.csrf_token = _csrf_token(client)
        found = client.get_cookie(app.config["SESSION_COOKIE_NAME"])
        assert found is not None
        self.cookie = f"{found.key}={found.value}"

    def get(self, path: str) -> bytes:
        """Write a request for a page."""
        return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {self.cookie}\r\n\r\n".encode()

    def post(self, path: str, **fields: str) -> bytes:
        """Write a request that sends a form."""
        body = urlencode({"csrf_token": self.csrf_token, **fields})
        return (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {self.cookie}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


def sign_up_all(app: Flask, name: str = "player") -> list[Player]:
    """Make players of one kind, logged in."""
    password_hash = hash_password(PASSWORD)
    with app.app_context(), transaction() as session:
        users = [
            _sign_up(session, f"{name}{number:02}", password_hash) for number in range(PLAYERS)
        ]
        tokens = [LoginSession.open(session, user, utcnow()) for user in users]
    return [Player(app, user, token) for user, token in zip(users, tokens, strict=True)]


def _sign_up(session: Session, username: str, password_hash: str) -> User:
    user = User.sign_up(username, password_hash, utcnow())
    session.add(user)
    session.flush()
    return user


def pages(players: list[Player], path: str) -> Callable[[], bytes]:
    """Return a function that asks for a page, as each player in turn."""
    return cycle([player.get(path) for player in players]).__next__


def stranger(path: str) -> Callable[[], bytes]:
    """Return a function that asks for a page as somebody who is not logged in."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    return lambda: request


def ballots(players: list[Player], lottery_id: int, count: int = 1) -> Callable[[], bytes]:
    """Return a function that submits ballots under a fresh token, as each player in turn."""
    blank = str(UUID(int=0))
    forms = [
        player.post(f"/lotteries/{lottery_id}/ballots", count=str(count), submission=blank)
        .split(blank.encode())
        for player in players
    ]  # fmt: skip

    def requests() -> Iterator[bytes]:
        for before, after in cycle(forms):
            yield before + str(UUID(int=getrandbits(128))).encode() + after

    return requests().__next__


def _csrf_token(client: FlaskClient) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/").text)
    assert found
    return found[1]
