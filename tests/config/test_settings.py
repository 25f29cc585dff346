"""Settings: an invalid one stops the start with a message."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from ipaddress import ip_network
from pathlib import Path

import pytest

import config
from config.mail_server import read_mail_server
from config.settings import ROOT
from lottery_system.fairness.beacon import QUICKNET
from tests.stand_ins.processes import PATIENCE


def load(**environ: str) -> config.Settings:
    return config.load({"LOTTERY_SECRET_KEY": "x", **environ})


def test_without_any_setting_there_are_defaults(tmp_path: Path) -> None:
    settings = config.load({"LOTTERY_STORAGE": str(tmp_path), "PATH": "/bin"})

    assert settings.env == "development"
    assert settings.database_url == f"sqlite:///{tmp_path}/lottery.db"
    assert (settings.host, settings.port, settings.places) == ("127.0.0.1", 8080, 1)
    assert settings.max_count == 1000
    assert settings.log_format == "text"
    assert settings.metrics_networks == (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("LOTTERY_PROT", "80", "not a setting of the lottery. Did you mean LOTTERY_PORT?"),
        ("LOTTERY_COLOUR", "red", "LOTTERY_COLOUR is not a setting of the lottery."),
        ("LOTTERY_ENV", "prod", "LOTTERY_ENV is 'prod'; it must be one of development, production"),
        ("LOTTERY_PORT", "eighty", "LOTTERY_PORT is 'eighty'; it must be a whole number"),
        ("LOTTERY_PORT", "70000", "LOTTERY_PORT is '70000'"),
        ("LOTTERY_PLACES", "0", "LOTTERY_PLACES is '0'"),
        ("LOTTERY_PLACES", "-1", "LOTTERY_PLACES is '-1'"),
        ("LOTTERY_MAX_COUNT", "１0", "LOTTERY_MAX_COUNT is"),
        ("LOTTERY_BEACON", "on", "LOTTERY_BEACON is 'on'; this version knows off, drand."),
        ("LOTTERY_BEACON_URLS", " , ", "LOTTERY_BEACON_URLS names no relay"),
        ("LOTTERY_BEACON_URLS", "https://a,b.org", "LOTTERY_BEACON_URLS: address 2 of 2 must look"),
        ("LOTTERY_TIMESTAMP_URLS", "http://a ftp://b", "URLS: address 2 of 2 must look like https"),
        ("LOTTERY_TIMESTAMP_URLS", "http://a http://a/", "must name up to 8 calendars, each once."),
        ("LOTTERY_TIMESTAMP_URLS", " ".join(f"http://c{n}" for n in range(9)), "up to 8 calendars"),
        ("LOTTERY_BEACON_CHAIN", "quicknet", "LOTTERY_BEACON_CHAIN is 'quicknet'; it must be a ch"),
        ("LOTTERY_BEACON_CHAIN", "AB" * 32, "LOTTERY_BEACON_CHAIN is 'ABAB"),
        ("LOTTERY_BEACON_GAP", "0", "LOTTERY_BEACON_GAP is '0'; it must be a whole number, 60 to"),
        ("LOTTERY_BEACON_GAP", "86401", "LOTTERY_BEACON_GAP is '86401'"),
        ("LOTTERY_CLOCK_TOLERANCE", "0", "LOTTERY_CLOCK_TOLERANCE is '0'; it must be a whole"),
        ("LOTTERY_CLOCK_TOLERANCE", "3601", "a whole number, 1 to 3600, or off."),
        ("LOTTERY_CLOCK_TOLERANCE", "no", "LOTTERY_CLOCK_TOLERANCE is 'no'"),
        ("LOTTERY_BALLOTS_PER_HOUR", "999", "whole number, 1000 to 999999999, or off."),
        ("LOTTERY_FREE_SPACE", "1GB", "LOTTERY_FREE_SPACE is '1GB'; it must be a whole number, 1"),
        ("LOTTERY_DATABASE_URL", "mysql://u:p@db/x", "must be an address of SQLite or PostgreSQL"),
        ("LOTTERY_DATABASE_URL", "sqlite://", "must be an address of SQLite or PostgreSQL"),
        ("LOTTERY_DATABASE_URL", "sqlite:///:memory:", "must be an address of SQLite or"),
        ("LOTTERY_NAME", "Our Lottery", "LOTTERY_NAME is 'Our Lottery'; it must look like a host"),
        ("LOTTERY_METRICS_NETWORKS", "10.0.0.1/8", "LOTTERY_METRICS_NETWORKS: 10.0.0.1/8 has host"),
        ("LOTTERY_SECRET_KEY_FILE", "x", "LOTTERY_SECRET_KEY and LOTTERY_SECRET_KEY_FILE are both"),
        ("LOTTERY_HOST", "127.0.0.1:80", "LOTTERY_HOST is '127.0.0.1:80'; it must be an address"),
        ("LOTTERY_HOST", "[localhost]", "LOTTERY_HOST is '[localhost]'; it must be an address"),
        ("LOTTERY_HOST", "http://x", "without a port, which LOTTERY_PORT sets."),
        ("LOTTERY_HOST_FILE", "/nowhere", "LOTTERY_HOST_FILE: cannot read '/nowhere'"),
        ("LOTTERY_MAIL_URL", "mail.example", "LOTTERY_MAIL_URL must look like smtp://user:passwo"),
        ("LOTTERY_MAIL_URL", "smtp://", "LOTTERY_MAIL_URL must look like smtp://user:password@"),
        ("LOTTERY_MAIL_URL", "smtp://mail.example:x", "LOTTERY_MAIL_URL must look like smtp://us"),
        ("LOTTERY_MAIL_URL", "smtp://mail.example/x", "LOTTERY_MAIL_URL must look like smtp://us"),
        ("LOTTERY_MAIL_URL", "smtp://bob@mail.example", "has a user without a password"),
        ("LOTTERY_MAIL_URL", "smtp://m.example", "is given, and LOTTERY_MAIL_FROM is not: give"),
        ("LOTTERY_MAIL_FROM", "L <l@x.example>", "LOTTERY_MAIL_FROM is 'L <l@x.example>'; it mu"),
        ("LOTTERY_MAIL_FROM", "l@x.example", "LOTTERY_MAIL_FROM is given, and LOTTERY_MAIL_URL"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_in_a_sentence(name: str, value: str, says: str) -> None:
    with pytest.raises(config.SettingsError) as error:
        load(**{name: value})

    assert says in str(error.value)


@pytest.mark.parametrize("key", ["", "short", "x" * 31])
def test_production_needs_a_key_of_its_own(key: str) -> None:
    with pytest.raises(config.SettingsError, match="at least 32 bytes") as error:
        config.load({"LOTTERY_ENV": "production", "LOTTERY_SECRET_KEY": key})

    assert not key or key not in str(error.value)


@pytest.mark.parametrize("given", [{}, {"LOTTERY_NAME": ""}])
def test_production_needs_a_technical_name_that_somebody_chose(given: dict[str, str]) -> None:
    production = {"LOTTERY_ENV": "production", "LOTTERY_SECRET_KEY": "k" * 32}

    with pytest.raises(config.SettingsError, match="LOTTERY_NAME must be given in production"):
        config.load({**production, **given})

    # one that was begun before there was this rule goes on under its own
    for name in ("lottery.example", "lottery.local"):
        assert config.load({**production, "LOTTERY_NAME": name}).name == name
    assert load().name == "lottery.local"


def test_an_empty_setting_is_as_good_as_none() -> None:
    assert load(LOTTERY_PORT="", LOTTERY_HOST_FILE="").port == 8080


def test_a_database_file_is_meant_from_where_the_program_was_started() -> None:
    assert load(LOTTERY_DATABASE_URL="sqlite:///a/b.db").database_url == (
        f"sqlite:///{Path.cwd()}/a/b.db"
    )


def test_the_beacon_is_off_and_otherwise_that_of_quicknet_and_its_public_relays() -> None:
    settings = load()

    assert settings.beacon == "off"
    assert settings.beacon_chain == QUICKNET.chain_hash
    assert settings.beacon_gap == 600
    assert settings.beacon_urls == (
        "https://api.drand.sh",
        "https://api2.drand.sh",
        "https://api3.drand.sh",
        "https://drand.cloudflare.com",
    )


def test_clocks_are_compared_unless_that_is_off() -> None:
    assert load().clock_tolerance == 60
    assert load(LOTTERY_CLOCK_TOLERANCE="3600").clock_tolerance == 3600
    assert load(LOTTERY_CLOCK_TOLERANCE="off").clock_tolerance is None


def test_relays_stand_with_spaces_or_commas_between() -> None:
    settings = load(
        LOTTERY_BEACON="drand",
        LOTTERY_BEACON_URLS="http://[::1]:8081/, https://bob:hunter2@relay.example/drand",
    )

    assert settings.beacon == "drand"
    assert settings.beacon_urls == (
        "http://[::1]:8081",
        "https://bob:hunter2@relay.example/drand",
    )


@pytest.mark.parametrize(
    "url",
    [
        "api.drand.sh",
        "ftp://relay.example",
        "https://",
        "https://:443",
        "https://relay.example:https",
        "https://relay.example:70000",
        "https://relay.example:0",
        "https://relay.example/?key=1",
        "https://relay.example/#drand",
        "https://[::1",
        "https://rélay.example",
        "https://relay.example\x00",
    ],
)
def test_a_relay_that_has_no_address_of_one_is_refused(url: str) -> None:
    with pytest.raises(config.SettingsError, match="LOTTERY_BEACON_URLS: address 1 of 1"):
        load(LOTTERY_BEACON_URLS=url)


def test_a_setting_can_be_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://lottery@db/lottery\n", encoding="utf-8")

    settings = load(LOTTERY_DATABASE_URL_FILE=str(file))

    assert settings.database_url == "postgresql://lottery@db/lottery"


def test_an_empty_setting_beside_its_file_is_none_whichever_comes_first(tmp_path: Path) -> None:
    """As in a container whose compose file passes every setting on, with or without a value."""
    file = tmp_path / "url"
    file.write_text("postgresql://lottery@db/lottery\n", encoding="utf-8")
    setting, of_file = {"LOTTERY_DATABASE_URL": ""}, {"LOTTERY_DATABASE_URL_FILE": str(file)}

    for environ in ({**setting, **of_file}, {**of_file, **setting}):
        assert load(**environ).database_url == "postgresql://lottery@db/lottery"


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    settings = load(
        LOTTERY_DATABASE_URL="postgresql://lottery:hunter2@db/lottery",
        LOTTERY_BEACON_URLS="https://bob:hunter2@relay.example",
        LOTTERY_TIMESTAMP_URLS="https://bob:hunter2@calendar.example",
    )

    assert "hunter2" not in repr(settings)
    assert "secret_key" not in repr(settings)


def test_a_secret_does_not_show_when_its_relay_is_refused() -> None:
    with pytest.raises(config.SettingsError) as error:
        load(LOTTERY_BEACON_URLS="https://bob:hunter2@relay.example:x")

    assert "hunter2" not in str(error.value)


def test_mails_need_the_address_of_the_site_for_their_links() -> None:
    with pytest.raises(config.SettingsError, match="LOTTERY_MAIL_URL is given, and LOTTERY_URL is"):
        load(LOTTERY_MAIL_URL="smtp://mail.example", LOTTERY_MAIL_FROM="l@x.example")


def test_a_mail_server_is_read_with_its_password_decoded_and_never_shown() -> None:
    settings = load(
        LOTTERY_MAIL_URL="smtps://bob%40x.example:hunter2%3A%2F%40@mail.example",
        LOTTERY_MAIL_FROM="lottery@x.example",
        LOTTERY_URL="https://x.example",
    )
    server = settings.mail_server

    assert server is not None
    assert (server.host, server.port, server.is_tls) == ("mail.example", 465, True)
    assert (server.user, server.password) == ("bob@x.example", "hunter2:/@")
    assert server.sender == "lottery@x.example"
    assert "hunter2" not in repr(settings) + repr(server)


@pytest.mark.parametrize(
    "url", ["smtp://bob:hunter2@mail.example:x", "smtp://:hunter2@mail.example", "x://b:hunter2@m"]
)
def test_a_password_does_not_show_when_its_mail_server_is_refused(url: str) -> None:
    with pytest.raises(config.SettingsError) as error:
        load(LOTTERY_MAIL_URL=url, LOTTERY_MAIL_FROM="l@x.example", LOTTERY_URL="https://x.example")

    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("host", "port", "is_loopback"),
    [
        ("mail.example", 587, False),
        ("localhost:25", 25, True),
        ("127.0.0.1", 587, True),
        ("[::1]:2525", 2525, True),
        ("localhost.example", 587, False),
    ],
)
def test_only_a_server_on_this_host_may_go_without_tls(
    host: str, port: int, is_loopback: bool
) -> None:
    server = read_mail_server(f"smtp://{host}", "l@x.example")

    assert (server.port, server.is_loopback, server.is_tls) == (port, is_loopback, False)


def key_made_in(storage: str) -> str:
    return config.load({"LOTTERY_STORAGE": storage}).secret_key


def test_in_development_a_key_is_made_once_however_many_processes_start(tmp_path: Path) -> None:
    with ProcessPoolExecutor(8) as processes:
        keys = set(processes.map(key_made_in, [str(tmp_path / "new")] * 8))

    assert len(keys) == 1
    (file,) = (tmp_path / "new").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(keys.pop()) == 64


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "flask", "--app", "lottery_system", "draw", "show"],
        ["-m", "gunicorn", "--config", "config/gunicorn.py"],
    ],
)
def test_any_program_ends_with_the_sentence_alone(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "LOTTERY_PLACES": "many"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode != 0
    assert done.stderr.strip() == (
        "LOTTERY_PLACES is 'many'; it must be a whole number, 1 to 1000."
    )


def test_a_storage_that_is_none_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(config.SettingsError, match="LOTTERY_STORAGE"):
        load(LOTTERY_STORAGE=str(tmp_path / "file" / "storage"))


@pytest.mark.parametrize(
    ("host", "bind", "reached_at"),
    [
        ("127.0.0.1", "127.0.0.1:80", "127.0.0.1:80"),
        ("0.0.0.0", "0.0.0.0:80", "127.0.0.1:80"),
        ("::", "[::]:80", "[::1]:80"),
        ("[::]", "[::]:80", "[::1]:80"),
        ("::1", "[::1]:80", "[::1]:80"),
        ("[2001:DB8::7]", "[2001:db8::7]:80", "[2001:db8::7]:80"),
        ("localhost", "localhost:80", "localhost:80"),
        ("db-1.example.org", "db-1.example.org:80", "db-1.example.org:80"),
    ],
)
def test_a_host_is_a_name_or_an_address_of_either_kind(
    host: str, bind: str, reached_at: str
) -> None:
    settings = load(LOTTERY_HOST=host, LOTTERY_PORT="80")

    assert (settings.bind, settings.reached_at) == (bind, reached_at)


def test_what_kubernetes_says_of_services_is_no_setting() -> None:
    """As it stands in a pod beside Services that are named lottery and lottery-db."""
    links = {
        f"{service}_{name}": value
        for service in ("LOTTERY", "LOTTERY_DB")
        for name, value in {
            "SERVICE_HOST": "10.96.0.7",
            "SERVICE_PORT": "80",
            "SERVICE_PORT_HTTP": "80",
            "PORT": "tcp://10.96.0.7:80",
            "PORT_80_TCP": "tcp://10.96.0.7:80",
            "PORT_80_TCP_PROTO": "tcp",
            "PORT_80_TCP_PORT": "80",
            "PORT_80_TCP_ADDR": "10.96.0.7",
        }.items()
    }

    assert load(**links) == load()
    assert load(**links | {"LOTTERY_PORT": "9000"}).port == 9000
