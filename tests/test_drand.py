"""drand client: whatever relays do, it returns a valid signature or none, and soon."""

import json
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lottery_system import drand
from lottery_system.fairness.beacon import QUICKNET
from tests.runtime.test_offload import run_under_gevent
from tests.stand_ins.processes import PATIENCE, wait_for
from tests.stand_ins.relay import (
    KINDS,
    RECORDED,
    SIGNATURES,
    Kind,
    Relay,
    always,
    answer,
    changed,
    chunked,
    slow_handshake,
    told,
)

ROUND = 1000
#: recorded of the network `default`, too
COMMON_ROUND = 3
#: seconds for a relay that dawdles; an honest one needs milliseconds
SHORT = 1.0
#: seconds for a relay that is to answer, on a machine that is busy
LONG = 30.0

LIARS = [kind for kind in KINDS if kind not in {"honest", "other chain"}]
SLOW = {"slow headers", "slow body", "silent"}


@pytest.fixture(autouse=True)
def no_conversation_goes_on() -> Iterator[None]:
    yield
    wait_for(lambda: not conversations(), "threads that were left with a relay have ended")


def conversations() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("beacon ")]


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Return the lines of the log, as they come; each is a warning without a traceback."""
    found: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert record.levelno == logging.WARNING
            assert record.exc_info is None
            found.append(record.getMessage())

    listener = Listener()
    drand.log.addHandler(listener)
    yield found
    drand.log.removeHandler(listener)


def test_a_relay_is_asked_for_the_round_and_its_signature_returned(lines: list[str]) -> None:
    with Relay() as relay:
        signature = drand.fetch_signature([relay.url], QUICKNET, ROUND, LONG)

    assert signature == SIGNATURES[ROUND]
    assert relay.paths == [f"/{QUICKNET.chain_hash.hex()}/public/{ROUND}"]
    assert lines == []


@pytest.mark.parametrize(
    "kind",
    [
        chunked,
        changed(latency=0.25, relay={"name": "r1", "since": [1, None]}),
        lambda path: iter([b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps(told(path)).encode()]),
        lambda path: iter([b"HTTP/1.1 100 Continue\r\n\r\n", *KINDS["honest"](path)]),
    ],
    ids=["in pieces", "more is told", "an old server", "a promise before"],
)
def test_relays_may_speak_in_their_own_way(kind: Kind, lines: list[str]) -> None:
    with Relay(kind) as relay:
        assert drand.fetch_signature([relay.url], QUICKNET, ROUND, LONG) == SIGNATURES[ROUND]
    assert lines == []


@pytest.mark.parametrize("kind", LIARS)
def test_after_a_liar_the_next_relay_is_asked(kind: str, lines: list[str]) -> None:
    with Relay(kind) as liar, Relay() as relay:
        patience = SHORT if kind in SLOW else LONG
        signature = drand.fetch_signature([liar.url, relay.url], QUICKNET, ROUND, patience)

    assert signature == SIGNATURES[ROUND]
    assert liar.paths == relay.paths
    (line,) = lines
    assert line.startswith(f"beacon: 127.0.0.1:{liar.port}: it")
    assert "\n" not in line
    assert "forged" not in line


def test_the_round_of_another_chain_does_not_count(lines: list[str]) -> None:
    with Relay("other chain") as liar, Relay() as relay:
        urls = [liar.url, relay.url]
        signature = drand.fetch_signature(urls, QUICKNET, COMMON_ROUND, LONG)

    assert signature == SIGNATURES[COMMON_ROUND]
    assert lines == [f"beacon: 127.0.0.1:{liar.port}: its answer has no signature that can be read"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("wrong round", "its answer is of another round"),
        ("wrong signature", "its signature is not the network's"),
        ("signature of nothing", "its signature is not the network's"),
        ("signature with spaces", "its answer has no signature that can be read"),
        ("not found", "it answered 404"),
        ("failing", "it answered 500"),
        ("cut off", "it cut its answer off"),
        ("hanging up", "it cut its answer off"),
        ("endless body", "it sent more than 64 KiB"),
        ("endless headers", "it sent more than 64 KiB"),
        ("endless promises", "it sent more than 64 KiB"),
        ("large in words", "it cut its answer off"),
        ("garbage", "its answer is not JSON"),
        ("deep", "its answer is not JSON"),
        ("a list", "its answer has no round that can be read"),
        ("repeated keys", "its answer has a key twice"),
        ("not HTTP", "it does not speak HTTP"),
    ],
)
def test_the_log_says_why_a_relay_was_not_believed(
    kind: str, reason: str, lines: list[str]
) -> None:
    with Relay(kind) as liar:
        assert drand.fetch_signature([liar.url], QUICKNET, ROUND, LONG) is None

    assert lines == [f"beacon: 127.0.0.1:{liar.port}: {reason}"]


def test_a_redirect_is_not_followed(lines: list[str]) -> None:
    with Relay() as relay:
        location = f"Location: {relay.url}/{QUICKNET.chain_hash.hex()}/public/{ROUND}"
        with Relay(always(answer(b"", "302 Found", location))) as liar:
            assert drand.fetch_signature([liar.url], QUICKNET, ROUND, LONG) is None

    assert relay.paths == []
    assert lines == [f"beacon: 127.0.0.1:{liar.port}: it answered 302"]


def test_a_round_that_no_relay_has_yet_is_none(lines: list[str]) -> None:
    with Relay() as one, Relay() as another:
        assert drand.fetch_signature([one.url, another.url], QUICKNET, 10**9, LONG) is None

    assert [line.rpartition(": ")[2] for line in lines] == ["it answered 404"] * 2


def test_a_proxy_in_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Relay() as relay, Relay("failing") as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert drand.fetch_signature([relay.url], QUICKNET, ROUND, LONG) == SIGNATURES[ROUND]
    assert proxy.requests == []


@pytest.mark.parametrize("kind", sorted(SLOW))
def test_relays_that_dawdle_cost_no_more_than_their_time_and_are_left(
    kind: str, lines: list[str]
) -> None:
    """Each of them would go on for a minute and more."""
    with Relay(kind) as one, Relay(kind) as another:
        begin = monotonic()
        assert drand.fetch_signature([one.url, another.url], QUICKNET, ROUND, SHORT) is None
        taken = monotonic() - begin

    assert taken < 15
    assert [line.rpartition(": ")[2] for line in lines] == [
        "it had not answered after 1 seconds"
    ] * 2
    if kind != "silent":  # which does not notice
        assert one.was_left.wait(PATIENCE)
        assert another.was_left.wait(PATIENCE)


def test_a_name_that_is_looked_up_for_ever_costs_no_more_than_its_time(
    monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    """Once it is found after all, nothing is asked there any more."""
    look_up, is_over = socket.getaddrinfo, Event()

    def dawdle(host: str, port: int, *rest: int) -> object:
        if host == "relay.invalid":
            is_over.wait(60)
            host = "127.0.0.1"
        return look_up(host, port, *rest)

    monkeypatch.setattr(socket, "getaddrinfo", dawdle)
    with Relay() as late, Relay() as relay:
        urls = [f"http://relay.invalid:{late.port}", relay.url]
        assert drand.fetch_signature(urls, QUICKNET, ROUND, SHORT) == SIGNATURES[ROUND]
        is_over.set()
        wait_for(lambda: not conversations(), "the late one has ended")

    assert lines == [f"beacon: relay.invalid:{late.port}: it had not answered after 1 seconds"]
    assert late.requests == []


def test_a_relay_that_is_not_there_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    def fail(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    with Relay() as gone:
        pass
    assert drand.fetch_signature([gone.url], QUICKNET, ROUND, LONG) is None
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert drand.fetch_signature(["https://relay.invalid"], QUICKNET, ROUND, LONG) is None

    assert lines == [
        f"beacon: 127.0.0.1:{gone.port}: it cannot be reached (Connection refused)",
        "beacon: relay.invalid: its name is not known",
    ]


def test_a_name_and_password_are_told_to_the_relay_and_not_to_the_log(lines: list[str]) -> None:
    with Relay() as relay, Relay("failing") as liar:
        urls = [each.url.replace("//", "//bob:hunter%202@") + "/drand/" for each in (liar, relay)]
        assert drand.fetch_signature(urls, QUICKNET, ROUND, LONG) is None

    # the relay knows nothing below /drand/
    assert relay.paths[0].startswith("/drand/52db")
    assert "Authorization: Basic Ym9iOmh1bnRlciAy\r\n" in relay.requests[0]
    assert f"Host: 127.0.0.1:{relay.port}\r\n" in relay.requests[0]
    assert lines == [
        f"beacon: 127.0.0.1:{liar.port}: it answered 500",
        f"beacon: 127.0.0.1:{relay.port}: it answered 404",
    ]


# --- TLS ---


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """Return what serves TLS as 127.0.0.1, with the certificate in `tmp_path / "certificate"`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a relay for tests")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "certificate").write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate")
    return context


def test_a_relay_is_asked_over_tls(
    tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))

    with Relay(tls=tls) as relay:
        assert drand.fetch_signature([relay.url], QUICKNET, ROUND, LONG) == SIGNATURES[ROUND]


def test_a_certificate_that_nobody_vouches_for_is_refused(
    tls: ssl.SSLContext, lines: list[str]
) -> None:
    with Relay(tls=tls) as relay:
        assert drand.fetch_signature([relay.url], QUICKNET, ROUND, LONG) is None

    assert relay.requests == []
    assert "its certificate does not hold (self-signed certificate)" in lines[0]


def test_a_certificate_of_another_host_is_refused(
    tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))

    with Relay(tls=tls) as relay:
        url = f"https://localhost:{relay.port}"
        assert drand.fetch_signature([url], QUICKNET, ROUND, LONG) is None

    assert relay.requests == []
    assert "its certificate does not hold (Hostname mismatch" in lines[0]


@pytest.mark.parametrize("kind", ["slow headers", "slow body", "endless body", "cut off"])
def test_over_tls_a_liar_is_left_as_well(
    kind: str,
    tls: ssl.SSLContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[str],
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))

    with Relay(kind, tls) as liar, Relay(tls=tls) as relay:
        patience = SHORT if kind in SLOW else LONG
        signature = drand.fetch_signature([liar.url, relay.url], QUICKNET, ROUND, patience)

    assert signature == SIGNATURES[ROUND]
    assert len(lines) == 1
    assert kind == "cut off" or liar.was_left.wait(PATIENCE)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("not HTTP", "TLS with it failed"),
        (slow_handshake, "it had not answered after 1 seconds"),
    ],
)
def test_a_relay_that_does_not_get_through_with_tls_is_passed_over(
    kind: str | Kind, reason: str, lines: list[str]
) -> None:
    patience = SHORT if kind is slow_handshake else LONG
    with Relay(kind) as liar:
        url = liar.url.replace("http:", "https:")
        assert drand.fetch_signature([url], QUICKNET, ROUND, patience) is None

    assert lines == [f"beacon: 127.0.0.1:{liar.port}: {reason}"]
    assert kind == "not HTTP" or liar.was_left.wait(PATIENCE)


# --- what the chain is ---


def test_what_a_chain_is_comes_from_a_relay(lines: list[str]) -> None:
    with Relay() as relay:
        assert drand.fetch_info([relay.url], QUICKNET.chain_hash, LONG) == QUICKNET

    assert relay.paths == [f"/{QUICKNET.chain_hash.hex()}/info"]
    assert lines == []


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("other chain", "its chain's scheme is not known here"),
        ("not found", "it answered 404"),
        (changed(schemeID="pedersen-bls-unchained"), "its chain's scheme is not known here"),
        (changed(period=30), "its chain is another one"),
        (changed(period=-3), "its chain is another one"),
        (changed(genesis_time=10**30), "its chain is another one"),
        (changed(public_key="ab" * 96), "its chain is another one"),
        (changed(groupHash="ab" * 32), "its chain is another one"),
        (changed(metadata={"beaconID": "quicknet2"}), "its chain is another one"),
        (changed(metadata={"beaconID": "\ud800"}), "its chain is another one"),
        (changed(metadata=None), "its answer has no metadata that can be read"),
        (changed(metadata={}), "its answer has no beaconID that can be read"),
        (changed(period=True), "its answer has no period that can be read"),
        (changed(public_key="ab" * 48), "its answer has no public_key that can be read"),
    ],
)
def test_a_chain_is_the_one_that_has_the_hash_or_none(
    kind: str | Kind, reason: str, lines: list[str]
) -> None:
    with Relay(kind) as liar, Relay() as relay:
        assert drand.fetch_info([liar.url], QUICKNET.chain_hash, LONG) is None
        urls = [liar.url, relay.url]
        assert drand.fetch_info(urls, QUICKNET.chain_hash, LONG) == QUICKNET

    assert lines == [f"beacon: 127.0.0.1:{liar.port}: {reason}"] * 2


def test_what_a_relay_says_the_hash_to_be_counts_for_nothing() -> None:
    with Relay(changed(hash="ab" * 32)) as relay:
        assert drand.fetch_info([relay.url], QUICKNET.chain_hash, LONG) == QUICKNET
    with Relay(changed(period=30, hash=RECORDED["quicknet"]["info"]["hash"])) as liar:
        assert drand.fetch_info([liar.url], QUICKNET.chain_hash, LONG) is None


# --- under gevent ---


def test_greenlets_run_while_relays_are_asked() -> None:
    """The relays are greenlets of the same process: were they held up, none could answer."""
    run_under_gevent("""
import gevent
from lottery_system import drand
from lottery_system.fairness.beacon import QUICKNET
from tests.stand_ins.processes import PATIENCE
from tests.stand_ins.relay import SIGNATURES, Relay, slow_handshake

def count():
    while True:
        gevent.sleep(0.01)
        counted.append(1)

counted = []
gevent.spawn(count)
slow = [Relay(kind) for kind in ("slow headers", "slow body", slow_handshake)]
urls = [relay.url for relay in slow] + [Relay().url]
urls[2] = urls[2].replace("http:", "https:")
assert drand.fetch_signature(urls[:3], QUICKNET, 1000, 0.5) is None
assert len(counted) > 10, counted
for relay in slow:
    assert relay.was_left.wait(PATIENCE), relay.url
assert drand.fetch_signature(urls[3:], QUICKNET, 1000, 30) == SIGNATURES[1000]
""")
