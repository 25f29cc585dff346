"""Players: users who play by the pages' forms and keep every receipt."""

import random
import re
import socket
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPMessage
from http.cookies import SimpleCookie
from threading import Event
from typing import NamedTuple
from urllib.parse import urlencode
from urllib.request import urlopen
from uuid import UUID

from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import Lottery
from tests.conftest import FIRST_DAY, FIRST_NOON, PASSWORD
from tests.stand_ins.audit import written
from tests.stand_ins.log_keys import begin
from tests.stand_ins.processes import PATIENCE, Gunicorn, wait_for

#: the socket option by which a connection that is closed is cut, not ended
CUT = struct.pack("ii", 1, 0)


class Form(NamedTuple):
    """A form as it stands on a page, its token with it."""

    path: str
    csrf_token: str
    token: str

    def filled_in(self, ballot_count: int) -> dict[str, str]:
        return {
            "csrf_token": self.csrf_token,
            "submission": self.token,
            "count": str(ballot_count),
        }


class Player:
    """Somebody who plays by the forms of the pages, and keeps the receipts.

    Where no answer comes, or one that says to try again, the same is sent again, as by reloading
    a page.

    Args:
        server: where one plays; may be changed at any time, as load balancers do.
    """

    def __init__(self, server: Gunicorn, username: str) -> None:
        self.server = server
        self._cookies: dict[str, str] = {}
        self.receipts: list[str] = []
        #: tries that got no answer, or half of one
        self.unanswered_count = 0
        #: tries that were answered with 503
        self.turned_away_count = 0
        #: whether something was not as it must be
        self.has_given_up = False
        (csrf_token,) = _find(r'name="csrf_token" [^>]*value="(.+?)"', self._get("/signup"))
        self._post("/signup", csrf_token=csrf_token, username=username, password=PASSWORD)

    def form(self) -> Form:
        """Open the front page."""
        return Form(
            *_find(
                r'class="many" method="post" action="([^"#]+).+?name="csrf_token" value="(.+?)"'
                r'.+?name="submission" value="(.+?)"',
                self._get("/"),
            )
        )

    def submit(self, form: Form, ballot_count: int) -> str:
        """Send a form, and return the receipt that the page after it shows."""
        self._post(form.path, **form.filled_in(ballot_count))
        first, last, day = _find(
            r'class="receipt".+?class="ticket">\s*([\d,]+)(?: to ([\d,]+))?.+?/winners/([\d-]+)',
            self._get("/"),
        )
        first_number, last_number = (int(text.replace(",", "")) for text in (first, last or first))
        assert last_number - first_number + 1 == ballot_count
        return written(
            UUID(form.token),
            int(form.path.split("/")[2]),
            ballot_count,
            date.fromisoformat(day),
            first_number,
        )

    def try_once(self, form: Form, ballot_count: int) -> int | None:
        """Send a form once, and return the status of the answer; None if that is 503."""
        found = self._try("POST", form.path, form.filled_in(ballot_count))
        return found[0] if found else None

    def log_out_once(self, form: Form) -> int | None:
        """Log out once, with the token of any form; as `try_once`."""
        found = self._try("POST", "/logout", {"csrf_token": form.csrf_token})
        return found[0] if found else None

    def play(self) -> None:
        self.receipts.append(self.submit(self.form(), random.randint(1, 20)))

    def request(self, form: Form, ballot_count: int) -> bytes:
        """Return what a browser sends for a form."""
        body = urlencode(form.filled_in(ballot_count)).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in self._headers().items())
        return (
            f"POST {form.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def hang_up(self, form: Form, ballot_count: int, *, part: float = 1) -> None:
        """Send a form, or the first part of it, and be gone before the answer comes."""
        request = self.request(form, ballot_count)
        with socket.create_connection(("127.0.0.1", self.server.port)) as connection:
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, random.choice([CUT, bytes(8)])
            )
            connection.sendall(request[: max(1, round(part * len(request)))])

    def days(self) -> set[str]:
        return {text.split()[3] for text in self.receipts}

    def _get(self, path: str) -> str:
        status, text = self._answer("GET", path)
        assert status == HTTPStatus.OK, text
        return text

    def _post(self, path: str, **fields: str) -> None:
        status, text = self._answer("POST", path, **fields)
        assert status == HTTPStatus.SEE_OTHER, text

    def _answer(self, method: str, path: str, **fields: str) -> tuple[int, str]:
        return wait_for(
            lambda: self._try(method, path, fields),
            f"an answer to {method} {path}",
            seconds=3 * PATIENCE,  # more than one that is the slowest of all
        )

    def _try(self, method: str, path: str, fields: dict[str, str]) -> tuple[int, str] | None:
        connection = self._connection()
        try:
            connection.request(method, path, urlencode(fields), self._headers())
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, HTTPException):
            self.unanswered_count += 1
            return None
        finally:
            connection.close()
        # by hand, since the server's clock says when a cookie expires, and it is not ours
        for line in answer.headers.get_all("Set-Cookie", []):
            self._cookies |= {name: each.value for name, each in SimpleCookie(line).items()}
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            self._check_promise(answer.headers, text, fields.get("submission"))
            self.turned_away_count += 1
            return None
        return answer.status, text

    def _connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.server.port, timeout=2 * PATIENCE)

    def _check_promise(self, headers: HTTPMessage, text: str, token: str | None) -> None:
        """Whoever is refused is told when to come again, what counts and that it is safe."""
        assert headers["Retry-After"].isdigit()
        if "The lottery is paused" in text:
            assert "ballots only count if you see a receipt" in text
        else:
            assert "only count if you see a receipt" in text
            assert "It’s safe to try again" in text
        assert "Traceback" not in text
        if token is not None:
            assert f'name="submission" value="{token}"' in text

    def _headers(self) -> dict[str, str]:
        return {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
        }


def _find(pattern: str, text: str) -> tuple[str, ...]:
    found = re.search(pattern, text, re.DOTALL)
    assert found, f"{pattern} is not in {text}"
    return found.groups()


def open_lottery(session: Session, *, begins: bool = True) -> None:
    """Open a lottery to play in, for a month.

    Args:
        begins: its journal begins now, by the tests' own keys.
    """
    with session.begin():
        closes_on = FIRST_DAY + 30 * ONE_DAY
        session.add(Lottery.create("Big Chance", "", closes_on, FIRST_NOON))
    if begins:
        begin(session, FIRST_NOON)


@contextmanager
def playing(players: Sequence[Player]) -> Iterator[None]:
    """Let all players play all the time; at the end everyone has an answer to everything."""
    enough = Event()

    def play_on(player: Player) -> None:
        try:
            while not enough.is_set():
                player.play()
        except BaseException:
            player.has_given_up = True
            raise

    with ThreadPoolExecutor(len(players)) as pool:
        games = [pool.submit(play_on, player) for player in players]
        try:
            yield
        finally:
            enough.set()
            for game in games:
                game.result()


def let_play(players: Sequence[Player], rounds: int = 1) -> None:
    """Wait until everybody has got so many more receipts."""
    counts = [len(player.receipts) for player in players]

    def all_have_played() -> bool:
        assert not any(player.has_given_up for player in players)
        return all(
            len(player.receipts) >= count + rounds
            for player, count in zip(players, counts, strict=True)
        )

    wait_for(all_have_played, "everybody has played", seconds=3 * PATIENCE)


def receipts(players: Sequence[Player]) -> list[str]:
    return [text for player in players for text in player.receipts]


def has_winner(server: Gunicorn, day: date) -> bool:
    with urlopen(f"{server.url}/winners/{day}") as answer:
        return 'aria-label="Winning ballot"' in answer.read().decode()


def drawn(server: Gunicorn) -> list[str]:
    """List the days that any worker says it drew."""
    return re.findall(r"draw of (\S+): drawn", server.log())
