"""Proxy headers, hosts and the public base URL."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.models import Throttle
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import Visitor, text_of

BEHIND_ONE = {"LOTTERY_TRUSTED_PROXIES": "1"}
BEHIND_TWO = {"LOTTERY_TRUSTED_PROXIES": "2"}


def keys(session: Session) -> list[str]:
    """Return whom the sign-ups are counted for."""
    with session.begin():
        return list(session.scalars(select(Throttle.key)))


@pytest.mark.parametrize("given_settings", [BEHIND_ONE])
@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:51234", "203.0.113.9"),
        ("[2001:db8::7]:443", "2001:db8::/64"),
        ("[2001:db8::7]", "2001:db8::/64"),
        ("2001:DB8:0:0:0::7", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
        ('"[2001:db8::7]:443"', "2001:db8::/64"),
        ("10.0.0.1, 203.0.113.9:1", "203.0.113.9"),
        ("unknown,203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9 ", "203.0.113.9"),
    ],
)
def test_a_client_is_counted_by_its_address_however_a_proxy_writes_it(
    clock: Clock, session: Session, stranger: Visitor, forwarded: str, client: str
) -> None:
    stranger.client.environ_base["HTTP_X_FORWARDED_FOR"] = forwarded

    answer = stranger.post("/signup", username="dana", password="correct horse")

    assert answer.status_code == 303
    assert any(client in key for key in keys(session))


@pytest.mark.parametrize("given_settings", [BEHIND_ONE])
@pytest.mark.parametrize(
    "forwarded",
    [
        "unknown",
        "_hidden",
        "203.0.113",
        "203.0.113.9:x",
        "[::1",
        "::1]:80",
        "1.2.3.4.5",
        "½",
        "0x7f.1",
    ],
)
def test_a_client_without_an_address_is_told_so_and_shares_nobodys_bound(
    clock: Clock, session: Session, stranger: Visitor, forwarded: str
) -> None:
    stranger.client.environ_base["HTTP_X_FORWARDED_FOR"] = forwarded

    assert stranger.get("/how-it-works").status_code == 200
    answer = stranger.post("/signup", username="dana", password="correct horse")

    assert answer.status_code == 400
    assert "hides your address" in text_of(answer)
    assert keys(session) == []
    assert stranger.get("/metrics").status_code == 403


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("::ffff:127.0.0.1", 200),
        ("::1", 200),
        ("127.0.0.1:51234", 200),
        ("10.0.0.1", 403),
        ("::ffff:10.0.0.1", 403),
        ("", 403),
        ("unknown", 403),
        ("ip:port", 403),
    ],
)
def test_metrics_know_an_operators_network_on_any_socket(
    clock: Clock, app: Flask, address: str, status: int
) -> None:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address

    assert client.get("/metrics").status_code == status


@pytest.fixture
def drawn(clock: Clock, session: Session, cast: Cast) -> None:
    """Let the first day be drawn."""
    run_due(session, FIRST_NOON)
    run_due(session, FIRST_NOON + timedelta(days=1))
    clock.set(FIRST_NOON + timedelta(days=1))


SHEET = f"/winners/{FIRST_DAY}/sheet"


@pytest.mark.parametrize("given_settings", [BEHIND_TWO])
@pytest.mark.parametrize("proto", ["https", "http, https", "https, https", "ftp, https, http"])
@pytest.mark.parametrize(
    "host", ["lottery.example", "lottery.example, inner", "evil, Lottery.Example., inner"]
)
def test_behind_two_proxies_one_word_of_them_is_enough(
    drawn: None, stranger: Visitor, proto: str, host: str
) -> None:
    page = stranger.get(SHEET, headers={"X-Forwarded-Proto": proto, "X-Forwarded-Host": host}).text

    scheme = "http" if proto == "http, https" else "https"
    assert f'href="{scheme}://lottery.example/draws/{FIRST_DAY}"' in page


@pytest.mark.parametrize("given_settings", [{"LOTTERY_URL": "https://Lottery.example:8443"}])
def test_absolute_addresses_begin_with_the_public_one(drawn: None, stranger: Visitor) -> None:
    for path in ("/", f"/winners/{FIRST_DAY}", SHEET, f"/draws/{FIRST_DAY}"):
        page = stranger.get(path, base_url="http://10.0.0.7:8080").text
        assert "10.0.0.7" not in page
    assert f"https://lottery.example:8443/draws/{FIRST_DAY}" in stranger.get(SHEET).text
    page = stranger.get(f"/winners/{FIRST_DAY}").text
    assert f'<link rel="canonical" href="https://lottery.example:8443/winners/{FIRST_DAY}">' in page
    assert 'content="https://lottery.example:8443/winners/' in page


@pytest.mark.parametrize("root", ["http://localhost", "http://127.0.0.1:8080", "http://[::1]:8080"])
def test_a_poster_says_that_its_code_leads_to_this_computer_alone(
    drawn: None, stranger: Visitor, root: str
) -> None:
    assert "The code only works on this computer" in text_of(stranger.get(SHEET, base_url=root))
    elsewhere = stranger.get(SHEET, base_url="http://lottery.example")
    assert "The code only works on this computer" not in text_of(elsewhere)


@pytest.mark.parametrize(
    "given_settings", [{"LOTTERY_TRUSTED_HOSTS": "lottery.example, .club.example"}]
)
def test_a_host_name_that_is_not_ours_is_refused(clock: Clock, stranger: Visitor) -> None:
    def asked(host: str, path: str = "/how-it-works") -> int:
        return stranger.client.get(path, headers={"Host": host}).status_code

    for host in ("lottery.example", "LOTTERY.example", "lottery.example.", "lottery.example:80",
                 "Lottery.Example.:8080", "a.club.example", "club.example"):  # fmt: skip
        assert asked(host) == 200, host
    for host in ("evil.example", "lottery.example.evil", "10.0.0.7", "notlottery.example"):
        assert asked(host) == 400, host
    refused = stranger.get("/how-it-works", base_url="http://evil.example")
    assert refused.text == "This site does not answer to that host name.\n"
    assert refused.headers["X-Content-Type-Options"] == "nosniff"
    for path in ("/healthz", "/readyz", "/metrics"):  # as load balancers ask
        assert asked("10.0.0.7:8080", path) in (200, 503)
        assert asked("my_lottery:8080", path) in (200, 503)
        assert asked("evil.example", path + "/") != 200


@pytest.mark.parametrize(
    "host",
    ["", " ", "/", "a b", "a/b", "a@b", "a:b", "a:99999", "a:0", "http://a", "[::1", "a..", "\xe9",
     "a\\b", "?x", ":80", "a,b", "[.:]", "[12.34]", "[1.2.3.4]", "a_b"],
)  # fmt: skip
def test_a_host_that_is_none_is_refused(clock: Clock, stranger: Visitor, host: str) -> None:
    answer = stranger.client.get("/how-it-works", headers={"Host": host})

    assert answer.status_code == 400
    assert answer.text == "This site does not answer to that host name.\n"
