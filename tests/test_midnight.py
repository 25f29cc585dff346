"""Midnight as it is served: four gunicorn workers, forms sent over HTTP, a clock that is moved."""

import os
import random
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.cookies import SimpleCookie
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from threading import Event
from typing import NamedTuple
from urllib.parse import urlencode
from urllib.request import urlopen
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY, closes_at, starts_at
from lottery_system.models import Lottery, Submission
from tests.audit import audit, receipt
from tests.conftest import FIRST_DAY, FIRST_NOON, PASSWORD
from tests.processes import PATIENCE, Gunicorn, wait_for

MIDNIGHT = closes_at(FIRST_DAY)
LATE = MIDNIGHT - timedelta(seconds=2)
#: seconds within which a draw is there without waiting for a second tick
AT_ONCE = 20
WORKERS = 4
PLAYERS = 6


class Form(NamedTuple):
    """A form as it stands on a page, its token with it."""

    path: str
    csrf_token: str
    token: str


class Player:
    """Somebody who plays by the forms of the pages, and keeps the receipts.

    Where no answer comes the same is sent again, as by reloading a page.
    """

    def __init__(self, server: Gunicorn, username: str) -> None:
        self._port = server.port
        self._cookies: dict[str, str] = {}
        self.receipts: list[str] = []
        self.retry_count = 0
        (csrf_token,) = _find(r'name="csrf_token" [^>]*value="(.+?)"', self._get("/signup"))
        self._post("/signup", csrf_token=csrf_token, username=username, password=PASSWORD)

    def form(self) -> Form:
        """Open the front page."""
        return Form(
            *_find(
                r'class="many" method="post" action="(.+?)".+?name="csrf_token" value="(.+?)"'
                r'.+?name="submission" value="(.+?)"',
                self._get("/"),
            )
        )

    def submit(self, form: Form, ballot_count: int) -> str:
        """Send a form, and return the receipt that the page after it shows."""
        self._post(
            form.path, csrf_token=form.csrf_token, submission=form.token, count=str(ballot_count)
        )
        first, last, day = _find(
            r'class="receipt".+?class="ticket">\s*([\d,]+)(?: to ([\d,]+))?.+?/winners/([\d-]+)',
            self._get("/"),
        )
        first_number, last_number = (int(text.replace(",", "")) for text in (first, last or first))
        assert last_number - first_number + 1 == ballot_count
        return receipt(
            Submission(
                token=UUID(form.token),
                lottery_id=int(form.path.split("/")[2]),
                ballot_count=ballot_count,
                day=date.fromisoformat(day),
                first_number=first_number,
            )
        )

    def play(self) -> None:
        self.receipts.append(self.submit(self.form(), random.randint(1, 20)))

    def days(self) -> set[str]:
        return {text.split()[3] for text in self.receipts}

    def _get(self, path: str) -> str:
        status, text = self._answer("GET", path)
        assert status == HTTPStatus.OK, text
        return text

    def _post(self, path: str, **fields: str) -> None:
        status, text = self._answer("POST", path, urlencode(fields))
        assert status == HTTPStatus.SEE_OTHER, text

    def _answer(self, method: str, path: str, body: str = "") -> tuple[int, str]:
        return wait_for(lambda: self._try(method, path, body), f"an answer to {method} {path}")

    def _try(self, method: str, path: str, body: str) -> tuple[int, str] | None:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items()),
        }
        connection = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, HTTPException):
            self.retry_count += 1
            return None
        finally:
            connection.close()
        # by hand, since the server's clock says when a cookie expires, and it is not ours
        for line in answer.headers.get_all("Set-Cookie", []):
            self._cookies |= {name: each.value for name, each in SimpleCookie(line).items()}
        return answer.status, text


def _find(pattern: str, text: str) -> tuple[str, ...]:
    found = re.search(pattern, text, re.DOTALL)
    assert found, f"{pattern} is not in {text}"
    return found.groups()


@pytest.fixture
def lottery(session: Session) -> None:
    with session.begin():
        closes_on = FIRST_DAY + 30 * ONE_DAY
        session.add(Lottery.create("Big Chance", "", closes_on, FIRST_NOON))


@pytest.fixture
def server(database_url: str, tmp_path: Path, lottery: None) -> Iterator[Gunicorn]:
    """Serve by a clock that stands still, shortly before midnight, until a test lets it run."""
    server = Gunicorn(database_url, tmp_path, workers=WORKERS, at=LATE)
    server.clock.stand_at(LATE)
    with server:
        yield server


@pytest.fixture
def players(server: Gunicorn) -> list[Player]:
    return [Player(server, f"player{n}") for n in range(PLAYERS)]


@contextmanager
def playing(players: Sequence[Player]) -> Iterator[None]:
    """Let all players play all the time; at the end everyone has an answer to everything."""
    enough = Event()

    def play_on(player: Player) -> None:
        while not enough.is_set():
            player.play()

    with ThreadPoolExecutor(len(players)) as pool:
        games = [pool.submit(play_on, player) for player in players]
        try:
            yield
        finally:
            enough.set()
            for game in games:
                game.result()


def let_play(players: Sequence[Player]) -> None:
    """Wait until everybody has got another receipt."""
    counts = [len(player.receipts) for player in players]
    wait_for(
        lambda: all(
            len(player.receipts) > count for player, count in zip(players, counts, strict=True)
        ),
        "everybody has played",
    )


def receipts(players: Sequence[Player]) -> list[str]:
    return [text for player in players for text in player.receipts]


def has_winner(server: Gunicorn, day: date) -> bool:
    with urlopen(f"{server.url}/winners/{day}") as answer:
        return "Winning ballot" in answer.read().decode()


def drawn(server: Gunicorn) -> list[str]:
    """List the days that any worker says it drew."""
    return re.findall(r"draw of (\S+): drawn", server.log())


def check(server: Gunicorn, players: Sequence[Player], session: Session) -> None:
    """Hold the receipts against the database, and see that nothing had to be tried again."""
    assert "ERROR lottery_system" not in server.log()
    with session.begin():
        audit(session, receipts(players))


def test_at_midnight_one_of_four_workers_draws_while_ballots_pour_in(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    with playing(players):
        let_play(players)
        server.clock.run_from(LATE)
        wait_for(lambda: has_winner(server, FIRST_DAY) and drawn(server), "a winner", AT_ONCE)

    assert len(server.workers()) == WORKERS
    assert drawn(server) == [str(FIRST_DAY)]
    days = set().union(*(player.days() for player in players))
    assert days == {str(FIRST_DAY), str(FIRST_DAY + ONE_DAY)}
    check(server, players, session)


@pytest.mark.parametrize("midnights", [1, 3])
def test_what_was_missed_while_down_is_drawn_at_start(
    server: Gunicorn, players: list[Player], session: Session, midnights: int
) -> None:
    players[0].play()
    # gunicorn measures its patience by the wall clock: one that stands would never end it
    server.clock.run_from(LATE - timedelta(hours=1))
    assert server.stop() == 0
    today = FIRST_DAY + midnights * ONE_DAY
    server.clock.run_from(starts_at(today) + timedelta(hours=9))

    server.start()
    wait_for(lambda: has_winner(server, FIRST_DAY) and drawn(server), "a winner", AT_ONCE)
    players[0].play()

    assert drawn(server) == [str(FIRST_DAY + n * ONE_DAY) for n in range(midnights)]
    assert players[0].days() == {str(FIRST_DAY), str(today)}
    check(server, players, session)


def test_a_server_that_hangs_over_midnight_draws_when_it_goes_on(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    players[0].play()
    server.signal(SIGSTOP)
    server.clock.run_from(LATE)
    wait_for(lambda: server.clock.now() > MIDNIGHT + timedelta(seconds=3), "past midnight")

    server.signal(SIGCONT)
    wait_for(lambda: has_winner(server, FIRST_DAY) and drawn(server), "a winner", AT_ONCE)

    assert drawn(server) == [str(FIRST_DAY)]
    check(server, players, session)


def test_what_is_acknowledged_is_stored_when_the_server_is_told_to_stop(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    with playing(players):
        let_play(players)
        server.clock.run_from(LATE)  # as above
        assert server.stop() == 0
        server.start()

    check(server, players, session)


def test_what_is_acknowledged_is_stored_when_workers_are_killed(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    def kill_one() -> bool:
        os.kill(random.choice(server.workers()), SIGKILL)
        let_play(players)
        return sum(player.retry_count for player in players) >= 3

    with playing(players):
        wait_for(kill_one, "kills that leave players without an answer")

    check(server, players, session)


def test_a_form_sent_again_after_its_worker_was_killed_gives_the_same_receipt(
    server: Gunicorn, players: list[Player], session: Session
) -> None:
    player = players[0]
    form = player.form()
    player.receipts = [player.submit(form, 10)]

    for worker in server.workers():
        os.kill(worker, SIGKILL)

    assert player.submit(form, 10) == player.receipts[0]
    check(server, players, session)
