"""Players of the drill: they go by two proxies, and note how long each request took."""

import threading
from http import HTTPStatus
from http.client import HTTPConnection, HTTPMessage
from time import monotonic, sleep
from typing import NamedTuple

from tests.stand_ins.players import Player
from tests.stand_ins.processes import Gunicorn

#: seconds after which a player gives a request up, more than one may ever take
GIVE_UP = 60
#: what a proxy answers where the server it led to has ended meanwhile
FROM_THE_PROXY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
#: seconds between two tries
PAUSE = 0.2
#: seconds between two heartbeats, and by how much one may be late
BEAT, LATE = 0.1, 0.5


class Request(NamedTuple):
    """A request, when it ended by the monotonic clock, and how many seconds it took."""

    ended_at: float
    seconds: float
    what: str
    #: whether it was acknowledged that ballots are in
    is_receipt: bool


class TimedPlayer(Player):
    """A player who tries the next proxy where one does not answer, as browsers do.

    Args:
        proxies: their addresses, with port 80.
        server: one of those behind; not asked.
    """

    def __init__(self, proxies: list[str], server: Gunicorn, username: str) -> None:
        self._proxies = list(proxies)
        self.requests: list[Request] = []
        super().__init__(server, username)

    def play(self) -> None:
        """Add ballots, and look at them for a moment."""
        super().play()
        sleep(PAUSE)

    def _answer(self, method: str, path: str, **fields: str) -> tuple[int, str]:
        while not (found := self._try(method, path, fields)):
            sleep(PAUSE)
        return found

    def _try(self, method: str, path: str, fields: dict[str, str]) -> tuple[int, str] | None:
        unanswered, began = self.unanswered_count, monotonic()
        found = super()._try(method, path, fields)
        ended = monotonic()
        if found and found[0] in FROM_THE_PROXY:
            self.unanswered_count += 1
            status, found = found[0], None
        else:
            status = found[0] if found else 0
        is_receipt = method == "POST" and status == HTTPStatus.SEE_OTHER
        what = f"{method} {path}: {status or 'refused'}"
        self.requests.append(Request(ended, ended - began, what, is_receipt))
        if self.unanswered_count > unanswered:
            self._proxies.append(self._proxies.pop(0))
        return found

    def _connection(self) -> HTTPConnection:
        return HTTPConnection(self._proxies[0], 80, timeout=GIVE_UP)

    def _check_promise(self, headers: HTTPMessage, text: str, token: str | None) -> None:
        # the proxy's own, while no server answers, has no form
        is_proxys = headers.get_content_type() == "text/plain"
        super()._check_promise(headers, text, None if is_proxys else token)


class Heartbeat:
    """Notes when the machine itself stood still: a thread that sleeps, and wakes up late.

    Other work on the machine can keep all hosts of the drill from running at once, which hosts of
    their own never do.
    """

    def __init__(self) -> None:
        #: when it was to wake up, and when it did, by the monotonic clock
        self.stalls: list[tuple[float, float]] = []
        threading.Thread(target=self._beat, daemon=True, name="heartbeat").start()

    def _beat(self) -> None:
        while True:
            due = monotonic() + BEAT
            sleep(BEAT)
            if (woken := monotonic()) - due > LATE:
                self.stalls.append((due, woken))

    def within(self, request: Request) -> float:
        """Return for how many seconds of a request the machine stood still."""
        began, ended = request.ended_at - request.seconds, request.ended_at
        return sum(max(0.0, min(b, ended) - max(a, began)) for a, b in list(self.stalls))

    def since(self, began: float) -> float:
        """Return for how many seconds it stood still since then."""
        return sum(b - a for a, b in list(self.stalls) if a >= began)


def longest(players: list[TimedPlayer], since: float, heartbeat: Heartbeat) -> Request:
    """Return the request that took longest since then, less what the machine stood still."""
    found = [
        each._replace(seconds=each.seconds - heartbeat.within(each))
        for player in players
        for each in list(player.requests)
        if each.ended_at >= since
    ]
    return max(found, key=lambda request: request.seconds)


def outage(players: list[TimedPlayer], since: float) -> float:
    """Return the longest time, in seconds, in which no ballots of anybody were acknowledged."""
    times = sorted(
        each.ended_at
        for player in players
        for each in list(player.requests)
        if each.is_receipt and each.ended_at >= since
    )
    return max(b - a for a, b in zip([since, *times], times, strict=False))
