"""gunicorn with slow or lying clients, and clients that fill its log."""

import os
import re
import socket
import stat
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from select import select
from typing import Any

import pytest
from sqlalchemy.orm import Session

from config import connections
from config.log_lines import MOST_OF_KIND
from tests.conftest import FIRST_NOON
from tests.stand_ins.attackers import ADDRESS, SLOW_FORM, Attack
from tests.stand_ins.log_keys import keep_keys
from tests.stand_ins.players import Player, open_lottery
from tests.stand_ins.processes import PATIENCE, Gunicorn, wait_for
from tests.stand_ins.streams import REQUEST as LIVE
from tests.stand_ins.streams import streams

#: a server with a tenth of the room, so that tests are quick
SMALL = """
connections.MOST_OF_ONE, connections.MOST_WAITING = 60, 200
connections.MOST_STREAMS, live.MOST_LISTENERS = 30, 200
"""
OF_CONNECTIONS, WAITING, OF_STREAMS = 60, 200, 30
#: more connections than that server has room for
CROWD = 620
#: the tabs of a tenth of a school
TABS = 12
#: a server with seconds instead of minutes
QUICK = "connections.FIRST_BYTE, connections.HEAD, connections.REQUEST = 1, 1, 2"
CONFIG = """
from gevent import monkey
monkey.patch_all()
from config import connections
from lottery_system.web.pages import live
{}
exec(compile(open("config/gunicorn.py").read(), "config/gunicorn.py", "exec"))
worker_connections //= 10
"""

Serve = Callable[..., Gunicorn]


@pytest.fixture
def serve(database_url: str, tmp_path: Path, session: Session) -> Serve:
    """Return a function that serves with other bounds."""
    keep_keys(tmp_path)
    open_lottery(session)

    def serve(bounds: str = SMALL, **settings: Any) -> Gunicorn:
        config = tmp_path / "config.py"
        config.write_text(CONFIG.format(bounds))
        return Gunicorn(database_url, tmp_path, at=FIRST_NOON, config=config, **settings)

    return serve


ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def plays(player: Player) -> None:
    """See to it that a ballot gets in, and that nothing had to be sent twice."""
    before = player.unanswered_count
    player.submit(player.form(), 1)
    assert player.unanswered_count == before


def can_listen(server: Gunicorn) -> bool:
    """Return whether a client has a stream left; takes all in that comes at once, and goes."""
    with closing(
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    ) as connection:
        connection.sendall(LIVE)
        received = b""
        while part := connection.recv(4096):
            received += part
            if b"data: " in received:
                return True
        return False


def is_over(attack: Attack, count: int) -> bool:
    attack.go_on(0.1)
    return attack.over.total() >= count


def answer_to(port: int, *parts: bytes, pause: float = 0) -> bytes:
    """Send a request in parts, and return all that comes until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: lottery.example", "Connection: close", *headers)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def test_others_play_while_a_client_holds_all_that_it_can(serve: Serve) -> None:
    with serve() as server:
        player = Player(server, "player")
        for begin, most in ((SLOW_FORM, OF_CONNECTIONS), (LIVE, OF_STREAMS)):
            with closing(Attack(server.port, begin)) as attack:
                attack.connect(CROWD)
                wait_for(partial(is_over, attack, CROWD - most), "what is too much is refused")
                assert attack.over["429"] > 0
                assert 0 < attack.held <= most

                plays(player)
                with streams(server.port, TABS) as opened:
                    assert len({stream.socket.getsockname()[0] for stream in opened.all}) == 1

        for _ in range(2 * OF_STREAMS):  # as who goes from page to page does
            wait_for(lambda: can_listen(server), "streams that were closed count no more", 5)

        odd = LIVE.replace(b"/live", b"//%6Cive")
        with closing(Attack(server.port, odd, address="127.0.0.10")) as attack:
            attack.connect(OF_STREAMS + TABS)
            wait_for(partial(is_over, attack, TABS), "a stream is one, however it is asked for")
            assert attack.over["429"] == TABS

        log = server.log()
        assert "Traceback" not in log
        assert 1 <= log.count(f"connection of {ADDRESS} closed") <= MOST_OF_KIND


@ON_SQLITE
def test_behind_a_proxy_clients_are_told_apart_once_their_head_is_read(serve: Serve) -> None:
    """The proxy's connections all come from one address."""
    with serve(LOTTERY_TRUSTED_PROXIES="1") as server:
        player = Player(server, "player")
        with closing(Attack(server.port, SLOW_FORM, forwarded_for="198.51.100.7")) as attack:
            attack.connect(CROWD)
            wait_for(partial(is_over, attack, CROWD - OF_CONNECTIONS), "most are refused")
            assert attack.over["429"] >= CROWD - WAITING
            plays(player)

        slow_head = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow:"  # whose it is, nobody knows
        with closing(Attack(server.port, slow_head)) as attack:
            attack.connect(WAITING)
            attack.go_on(connections.LEAST_WAIT + 0.5)
            attack.connect(50)
            soon = connections.HEAD / 2  # before their own time is over
            wait_for(partial(is_over, attack, 50), "those that waited longest are cut", soon)
            assert set(attack.over) == {"408"}
            plays(player)

        answer = answer_to(server.port, get(PAGE, *LIES))
        assert b'"https://evil.example/card.png' in answer  # the name by which it was asked
        assert b"/evil/" not in answer
        assert b'="//evil.example' not in answer
        assert answer_to(server.port, get("/metrics", *LIES)).startswith(b"HTTP/1.1 403 ")


@ON_SQLITE
def test_a_request_comes_in_time_and_whole_or_counts_for_nothing(serve: Serve) -> None:
    with serve(QUICK) as server:
        player, port = Player(server, "player"), server.port
        head, body = player.request(player.form(), 12).split(b"\r\n\r\n")
        head = head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + b"\r\n\r\n"
        with streams(port, 1) as opened:
            (stream,) = opened.all

            assert waits_for_end(port, b"") == b""
            assert waits_for_end(port, head[:50]).startswith(b"HTTP/1.1 408 ")
            assert waits_for_end(port, head + body[:-1]).startswith(b"HTTP/1.1 408 ")
            assert answer_while_sending(port, head, body).startswith(b"HTTP/1.1 408 ")
            assert answer_to(port, head + body[:-1]) == b""  # a 1 is not a 12
            opened.read_for(0.1)
            assert stream.told["ballots"] == 0

            slow = answer_to(port, head[:30], head[30:], body[:50], body[50:], pause=0.4)
            assert slow.startswith(b"HTTP/1.1 303 ")
            opened.wait_until_all(lambda stream: stream.told["ballots"] == 12)

            expecting = head.replace(b"\r\n", b"\r\nExpect: 100-continue\r\n", 1)
            again = answer_to(port, expecting, body)
            assert again.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 303 ")
            length = re.compile(rb"Content-Length: \d+")
            chunked = length.sub(b"Transfer-Encoding: chunked", head)
            parts = b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (body[:5], len(body) - 5, body[5:])
            assert answer_to(port, chunked + parts).startswith(b"HTTP/1.1 303 ")
            endless = b"10000\r\n%b\r\n" % (b"x" * 0x10000) + b"1\r\nx\r\n"
            assert answer_to(port, chunked + endless).startswith(b"HTTP/1.1 413 ")
            too_long = length.sub(b"Content-Length: 100000", head)
            assert answer_to(port, too_long).startswith(b"HTTP/1.1 413 ")

            opened.read_for(0.1)
            assert stream.told["ballots"] == 12
            assert not stream.is_over
        assert "Traceback" not in server.log()


#: a form with a picture of which little comes, and one that comes whole
SLOW_UPLOAD = SLOW_FORM.replace(b"/login", b"/organiser/site").replace(b"10000", b"5000000")
UPLOAD = SLOW_UPLOAD.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + b"x" * 4_999_991


@ON_SQLITE
def test_a_form_with_a_picture_may_be_large_and_nobody_fills_the_memory_with_them(
    serve: Serve,
) -> None:
    def status_of(upload: bytes) -> bytes:
        return answer_to(server.port, upload).split(b" ")[1]

    def is_taken() -> bool:
        return status_of(UPLOAD) == b"413"  # by the application, for a field of that length

    with serve("", LOTTERY_WORKERS="1") as server:
        player = Player(server, "player")
        wait_for(is_taken, "a form with a picture is read")
        assert b"X-Content-Type-Options" in answer_to(server.port, UPLOAD)
        longer = answer_to(server.port, UPLOAD.replace(b"5000000", b"9000000"), b"x" * 4_000_000)
        assert longer.startswith(b"HTTP/1.1 413 ")
        assert b"A picture can be up to 5 MB" in longer  # which a browser comes to see
        head = UPLOAD.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        assert status_of(head.replace(b"5000000", b"50000001")) == b"413"
        in_chunks = head.replace(b"Content-Length: 5000000", b"Transfer-Encoding: chunked")
        endless = b"10000\r\n%b\r\n" % (b"x" * 0x10000) + b"1\r\nx\r\n"
        assert status_of(in_chunks + endless) == b"413"

        with closing(Attack(server.port, SLOW_UPLOAD)) as attack:
            attack.connect(20)
            wait_for(partial(is_over, attack, 16), "a client has four and no more")
            assert (attack.held, attack.over["429"]) == (4, 16)
            assert is_taken()
            with closing(Attack(server.port, SLOW_UPLOAD, address="127.0.1.10")) as other:
                other.connect(20)
                wait_for(partial(is_over, other, 16), "a worker has eight and no more")
                assert status_of(head) == b"429"
                plays(player)
        wait_for(is_taken, "those that have gone leave their places")
        assert "Traceback" not in server.log()


def waits_for_end(port: int, begin: bytes) -> bytes:
    """Send the beginning of a request, and return what comes until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(begin)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def answer_while_sending(port: int, head: bytes, body: bytes) -> bytes:
    """Send a body byte by byte, and return what comes before the last."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(head)
        for at in range(len(body) - 1):
            if select([connection], [], [], 0.1)[0]:
                return connection.recv(1 << 16)
            connection.sendall(body[at : at + 1])
    return b""


LIES = (
    "SCRIPT_NAME: //evil.example", "PATH_INFO: /metrics", "REMOTE_USER: alice",
    "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example", "X-Forwarded-Prefix: /evil",
    "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Ssl: on", "X-Forwarded-Protocol: ssl",
    "Forwarded: for=203.0.113.9;proto=https;host=evil.example",
)  # fmt: skip
PAGE = "/how-it-works"


@ON_SQLITE
def test_what_a_server_keeps_to_itself(serve: Serve, tmp_path: Path) -> None:
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    usual = os.umask(0o022)
    try:
        server = serve()
        ours = {"gunicorn.log", "config.py", "clock"}
        with server:
            believes_nobody(server)
            bounds_its_log(server)
            Player(server, "player").form()
            modes = {
                file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()
                if file.is_file() and file.name not in ours
            }  # fmt: skip
    finally:
        os.umask(usual)
    assert set(modes) >= {"lottery.db", "lottery.db-wal", "lottery.db-shm", "mark", "log_key"}
    assert set(modes.values()) == {0o600}


def believes_nobody(server: Gunicorn) -> None:
    def body(answer: bytes) -> bytes:
        return answer.partition(b"\r\n\r\n")[2]

    plain = answer_to(server.port, get(PAGE))
    assert b'"http://lottery.example/card.png' in plain
    for lie in (*LIES, "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https"):
        assert body(answer_to(server.port, get(PAGE, lie))) == body(plain), lie
    assert answer_to(server.port, get("/", *LIES)).count(b"evil") == 0
    for host in (b"[::::]", b"[1:2]", b"xn--a"):  # which the test client of Werkzeug cannot ask by
        asked = get(PAGE).replace(b"lottery.example", host)
        assert answer_to(server.port, asked).startswith(b"HTTP/1.1 400 "), host
    # asked from this machine, which may read it, unless it speaks for somebody else
    assert answer_to(server.port, get("/metrics")).startswith(b"HTTP/1.1 200 ")
    assert answer_to(server.port, get("/metrics", *LIES)).startswith(b"HTTP/1.1 403 ")
    assert body(answer_to(server.port, get("/live", method="HEAD"))) == b""


def bounds_its_log(server: Gunicorn) -> None:
    before = len(server.log())
    for _ in range(MOST_OF_KIND + 20):
        answer = answer_to(server.port, get("/" + "%ff" * 1300))
        assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer_to(server.port, get("/live", method="POST")).startswith(b"HTTP/1.1 4")
    lines = server.log()[before:].splitlines()
    assert 1 <= len(lines) <= MOST_OF_KIND + 1
    assert max(map(len, lines)) < 400
    assert "POST /live: 4" in lines[-1]  # of another kind
