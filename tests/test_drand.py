"""The client of the beacon believes no relay, waits for none too long, and gets the number."""

import logging
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from lottery_system.drand import fetch_info, fetch_signature
from lottery_system.fairness.beacon import QUICKNET
from tests.processes import ROOT
from tests.relay import (
    DAWDLERS,
    LIARS,
    Answer,
    Request,
    another_chain,
    garbage,
    honest,
    nothing_yet,
    relay,
)  # fmt: skip
from tests.rounds import BEACON_ROUND, SIGNATURES

#: seconds that a relay has in these tests, and after which nobody can say that it was kept to
PATIENCE, TOO_LONG = 1.0, 20.0
SIGNATURE = SIGNATURES[BEACON_ROUND]


def fetch(*urls: str) -> bytes | None:
    return fetch_signature(urls, QUICKNET, BEACON_ROUND, PATIENCE)


def test_an_honest_relay_gives_the_signature() -> None:
    with relay() as url:
        assert fetch(url) == SIGNATURE


def test_a_relay_may_have_a_path_and_a_password(caplog: pytest.LogCaptureFixture) -> None:
    with relay(honest_below) as url:
        assert fetch(url.replace("//", "//me:secret@") + "/drand") == SIGNATURE
    with relay(nothing_yet) as url:
        assert fetch(url.replace("//", "//me:secret@")) is None
    assert "secret" not in caplog.text


def honest_below(request: Request) -> None:
    assert request.path.startswith("/drand/")
    request.path = request.path.removeprefix("/drand")
    honest(request)


@pytest.mark.parametrize("answer", [*LIARS, *DAWDLERS], ids=lambda answer: answer.__name__)
def test_whatever_a_relay_does_the_next_one_is_asked_and_a_line_logged(
    answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    began_at = time.monotonic()
    with relay(answer) as bad, relay() as good, caplog.at_level(logging.WARNING):
        assert fetch(bad, good) == SIGNATURE

    assert time.monotonic() - began_at < TOO_LONG
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"beacon: {bad.removeprefix('http://')}: ")
    assert "Traceback" not in caplog.text


def test_where_every_relay_fails_there_is_no_signature(caplog: pytest.LogCaptureFixture) -> None:
    with ExitStack() as stack:
        urls = [stack.enter_context(relay(answer)) for answer in LIARS]

        assert fetch(*urls) is None

    assert len(caplog.records) == len(LIARS)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "http://relay.invalid", "https://127.0.0.1:9"]
)
def test_a_relay_that_is_not_there_costs_a_line(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with relay() as good:
        assert fetch(url, good) == SIGNATURE
    assert len(caplog.records) == 1


def test_a_relay_that_speaks_no_tls_is_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    with relay() as url:
        assert fetch(url.replace("http:", "https:")) is None
    assert "TLS with it failed" in caplog.text


def test_the_info_of_a_chain_is_the_one_that_its_hash_names() -> None:
    with relay(another_chain) as liar, relay(garbage) as broken, relay() as good:
        assert fetch_info([liar, broken, good], QUICKNET.chain_hash, PATIENCE) == QUICKNET
        assert fetch_info([liar, broken], QUICKNET.chain_hash, PATIENCE) is None


def test_under_gevent_the_others_go_on_while_a_relay_dawdles() -> None:
    """In a process of its own, patched as gunicorn's workers are."""
    script = f"""
from gevent import monkey
monkey.patch_all()
import time
import gevent
from lottery_system.drand import fetch_signature
from lottery_system.fairness.beacon import QUICKNET
from tests.relay import relay, dripping

turns = 0
def go_on():
    global turns
    while True:
        turns += 1
        gevent.sleep(0.01)

gevent.spawn(go_on)
with relay(dripping) as bad, relay() as good:
    found = fetch_signature([bad, good], QUICKNET, {BEACON_ROUND}, {PATIENCE})
assert found.hex() == {SIGNATURE.hex()!r}
assert turns > 20, turns
print("went on")
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.stdout == "went on\n", done.stderr
