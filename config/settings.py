"""Settings: read once from the environment.

Imports nothing of `lottery_system`. If a setting is misspelt, missing or invalid, the server does
not start, and a message names it.
"""

import difflib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url

from config import demo
from config.database_address import checked_address, file_address
from config.files import made_once
from config.mail_server import MailServer, is_mailbox, read_mail_server

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "LOTTERY_"
SECRET_KEY_BYTES = 32
ENVIRONMENTS = ("development", "production", "testing")
#: bytes of a body; larger ones are refused unread
LONGEST_BODY = 64 * 1024
#: bytes of a form with a picture of 5 MB and the site's texts
LONGEST_UPLOAD = 6_000_000
#: calendars that may be named, so that a file with the proofs of all stays small
MOST_CALENDARS = 8
#: wildcard addresses, each with its loopback address
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104

Network = IPv4Network | IPv6Network


class SettingsError(SystemExit):
    """A setting is wrong; as a `SystemExit` it ends any program with its sentence alone."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The operator's settings. Every field is the setting `LOTTERY_<FIELD>`."""

    #: development, production or testing
    env: str
    #: whether this is a demo, in which nothing counts and anyone may enter as somebody
    demo: bool
    #: any SQLAlchemy address
    database_url: str = field(repr=False)
    #: signs cookies; at least 32 bytes in production
    secret_key: str = field(repr=False)
    #: the technical name: origin and key name of the logs; the title that people read is another
    name: str
    #: the folder of the database file, keys and exports
    storage: Path
    #: the second place of the high-water mark; None for none
    mark: Path | None
    #: the policy that names the witnesses; None for no witnesses
    witnesses: Path | None
    #: `off`: draws are made by the operator alone; `drand`: none without that beacon's number
    beacon: str
    #: relays of the beacon, asked in turn; an address may hold a password
    beacon_urls: tuple[str, ...] = field(repr=False)
    #: the beacon's chain hash, which fixes its key
    beacon_chain: bytes
    #: seconds from a day's closing to the time of its round
    beacon_gap: int
    #: calendars that stamp each closing; an address may hold a password
    timestamp_urls: tuple[str, ...] = field(repr=False)
    #: seconds by which a host's clock may differ from others; None if it is not checked
    clock_tolerance: int | None
    #: winning ballots a day
    places: int
    #: days after a draw on which its prize can be claimed; None for any number
    claim_days: int | None
    #: whether organisers may add ballots, too
    organisers_play: bool
    #: whether organisers' pages need a passkey, or a code after the password
    organisers_second_factor: bool
    #: ballots in one submission
    max_count: int
    #: ballots that a participant may add for each hour of a day; None for any number
    ballots_per_hour: int | None
    #: who may sign up: everybody (`open`), whoever has an invitation (`invited`), nobody (`closed`)
    sign_up: str
    #: accounts that may be made from one address in an hour; None for any number
    sign_ups_per_hour: int | None
    #: megabytes that must be free on disk for ballots to be taken; None for no check
    free_space: int | None
    host: str
    port: int
    #: gunicorn processes
    workers: int
    #: machines with so many workers each that share the database
    hosts: int
    #: public base URL, with a slash at its end; empty to take it from the request
    url: str
    #: how many proxies in front may be believed about the client's address
    trusted_proxies: int
    #: host names that the site answers to; empty for all
    trusted_hosts: tuple[str, ...]
    #: networks that may read `/metrics`
    metrics_networks: tuple[Network, ...]
    #: how the server writes its log: a line of text or of JSON for each event
    log_format: str
    #: an address that may hold a password; empty for no mails
    mail_url: str = field(repr=False)
    #: the address that mails are from
    mail_from: str

    @property
    def gap(self) -> int:
        """Return the seconds between the closing of a day and its draw."""
        return self.beacon_gap if self.beacon == "drand" else 0

    @property
    def bind(self) -> str:
        """Return where gunicorn listens, IPv6 in brackets (RFC 3986, 3.2.2)."""
        return _host_and_port(self.host, self.port)

    @property
    def reached_at(self) -> str:
        """Return where this machine itself reaches the server, `host:port`."""
        return _host_and_port(EVERYWHERE.get(self.host, self.host), self.port)

    @property
    def mail_server(self) -> MailServer | None:
        """Return where mails are handed in; None if this lottery sends none."""
        return read_mail_server(self.mail_url, self.mail_from) if self.mail_url else None

    @property
    def marks(self) -> tuple[Path, ...]:
        """Return the files of the high-water mark."""
        own = self.storage / "mark"
        return (own, self.mark) if self.mark else (own,)

    @property
    def database_file(self) -> Path | None:
        """Return the file of SQLite; None for PostgreSQL."""
        return _file_of(self.database_url)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Return the folders that are written to: that of the keys, and that of a database file."""
        file = self.database_file
        return (self.storage, file.parent) if file else (self.storage,)

    @property
    def private_files(self) -> list[Path]:
        """Return the files that hold secrets: the database, keys, marks, whichever there are."""
        files = [*self.marks, self.storage / "secret_key", self.storage / "clock_offset"]
        for name in ("log_key", "chain_tip"):  # with those of journals that have ended
            files += self.storage.glob(f"{name}*")
        file = self.database_file
        if file:
            files += [file.with_name(file.name + end) for end in ("", "-wal", "-shm")]
        return files

    @property
    def is_production(self) -> bool:
        """Return whether this is a production site, behind TLS."""
        return self.env == "production"


def load(environ: Mapping[str, str]) -> Settings:
    """Read all settings, `X_FILE` standing for the text of a file.

    Raises:
        SettingsError: with a sentence for the operator.
    """
    given = _given(environ)
    env = given.get("LOTTERY_ENV", "development")
    if env not in ENVIRONMENTS:
        raise SettingsError(f"LOTTERY_ENV is {env!r}; it must be one of {', '.join(ENVIRONMENTS)}.")
    values = DEFAULTS | (TESTING if env == "testing" else {}) | given
    is_demo = _one_of(values, "LOTTERY_DEMO", ("off", "on")) == "on"
    if is_demo:
        values = values | DEMO | given
        _demand_demo(values, env, given)
    storage = Path(values["LOTTERY_STORAGE"])
    database_url = _database_url(values["LOTTERY_DATABASE_URL"], storage)
    mark = _second_mark(values["LOTTERY_MARK"], storage)
    if not is_demo:
        _demand_no_demo(values["LOTTERY_NAME"], storage, database_url, mark)
    max_count = _number(values, "LOTTERY_MAX_COUNT", 1, 100_000)
    return Settings(
        env=env,
        demo=is_demo,
        database_url=database_url,
        secret_key=_secret_key(values["LOTTERY_SECRET_KEY"], env, storage),
        name=_technical_name(values, env, given),
        storage=storage,
        mark=mark,
        witnesses=_file(values, "LOTTERY_WITNESSES"),
        beacon=_one_of(values, "LOTTERY_BEACON", ("off", "drand")),
        beacon_urls=_relays(values, "LOTTERY_BEACON_URLS"),
        beacon_chain=_chain_hash(values, "LOTTERY_BEACON_CHAIN"),
        # Never 0: every UTC midnight is a round's own time, so that number would be out while the
        # list of the day is still being closed, and a list could be chosen to suit it. A minute is
        # the least in which a busy closing and clocks that differ a little have room.
        beacon_gap=_number(values, "LOTTERY_BEACON_GAP", 60, 86_400),
        timestamp_urls=_calendars(values, "LOTTERY_TIMESTAMP_URLS"),
        clock_tolerance=_number_or_off(values, "LOTTERY_CLOCK_TOLERANCE", 1, 3600),
        places=_number(values, "LOTTERY_PLACES", 1, 1000),
        claim_days=_number_or_off(values, "LOTTERY_CLAIM_DAYS", 1, 3650),
        organisers_play=_one_of(values, "LOTTERY_ORGANISERS_PLAY", ("off", "on")) == "on",
        organisers_second_factor=(
            _one_of(values, "LOTTERY_ORGANISERS_SECOND_FACTOR", ("off", "on")) == "on"
        ),
        max_count=max_count,
        # at least what a single submission may be, which could not be stored at any hour
        ballots_per_hour=_number_or_off(values, "LOTTERY_BALLOTS_PER_HOUR", max_count, 999_999_999),
        sign_up=_one_of(values, "LOTTERY_SIGN_UP", ("open", "invited", "closed")),
        sign_ups_per_hour=_number_or_off(values, "LOTTERY_SIGN_UPS_PER_HOUR", 1, 999_999_999),
        free_space=_number_or_off(values, "LOTTERY_FREE_SPACE", 1, 999_999_999),
        host=_host(values, "LOTTERY_HOST"),
        port=_number(values, "LOTTERY_PORT", 1, 65_535),
        workers=_number(values, "LOTTERY_WORKERS", 1, 256),
        hosts=_number(values, "LOTTERY_HOSTS", 1, 1000),
        url=_public_root(values, "LOTTERY_URL"),
        trusted_proxies=_number(values, "LOTTERY_TRUSTED_PROXIES", 0, 10),
        trusted_hosts=tuple(values["LOTTERY_TRUSTED_HOSTS"].replace(",", " ").split()),
        metrics_networks=_networks(values, "LOTTERY_METRICS_NETWORKS"),
        log_format=_one_of(values, "LOTTERY_LOG_FORMAT", ("text", "json")),
        mail_url=_mail_url(values),
        mail_from=_mail_from(values),
    )


DEFAULTS: dict[str, str] = {
    "LOTTERY_ENV": "development",
    "LOTTERY_DEMO": "off",
    "LOTTERY_DATABASE_URL": "",
    "LOTTERY_SECRET_KEY": "",
    "LOTTERY_NAME": "lottery.local",
    "LOTTERY_STORAGE": str(ROOT / "storage"),
    "LOTTERY_MARK": "",
    "LOTTERY_WITNESSES": "",
    "LOTTERY_BEACON": "off",
    "LOTTERY_BEACON_URLS": (
        "https://api.drand.sh https://api2.drand.sh https://api3.drand.sh "
        "https://drand.cloudflare.com"
    ),
    # quicknet, drand's mainnet of three-second rounds
    "LOTTERY_BEACON_CHAIN": "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
    "LOTTERY_BEACON_GAP": "600",
    "LOTTERY_TIMESTAMP_URLS": "",
    "LOTTERY_CLOCK_TOLERANCE": "60",
    "LOTTERY_PLACES": "1",
    "LOTTERY_CLAIM_DAYS": "off",
    "LOTTERY_ORGANISERS_PLAY": "off",
    "LOTTERY_ORGANISERS_SECOND_FACTOR": "off",
    "LOTTERY_MAX_COUNT": "1000",
    "LOTTERY_BALLOTS_PER_HOUR": "100000",
    "LOTTERY_SIGN_UP": "open",
    "LOTTERY_SIGN_UPS_PER_HOUR": "200",
    "LOTTERY_FREE_SPACE": "256",
    "LOTTERY_HOST": "127.0.0.1",
    "LOTTERY_PORT": "8080",
    "LOTTERY_WORKERS": str(os.cpu_count() or 1),
    "LOTTERY_HOSTS": "1",
    "LOTTERY_URL": "",
    "LOTTERY_TRUSTED_PROXIES": "0",
    "LOTTERY_TRUSTED_HOSTS": "",
    "LOTTERY_METRICS_NETWORKS": "127.0.0.0/8 ::1/128",
    "LOTTERY_LOG_FORMAT": "text",
    "LOTTERY_MAIL_URL": "",
    "LOTTERY_MAIL_FROM": "",
}

#: What tests have in place of defaults: a fixed key, so that a test needs no storage to sign a
#: cookie; tests set the clock as they like, and PostgreSQL's goes on by the real time.
TESTING: dict[str, str] = {
    "LOTTERY_CLOCK_TOLERANCE": "off",
    "LOTTERY_SECRET_KEY": "a-key-for-tests-that-signs-nothing-of-value",
    "LOTTERY_WORKERS": "1",
}

#: what a demo has in place of defaults
DEMO: dict[str, str] = {"LOTTERY_STORAGE": str(ROOT / "storage" / "demo"), **demo.DEFAULTS}


def _given(environ: Mapping[str, str]) -> dict[str, str]:
    """Pick our settings out of the environment, files read, unknown names refused."""
    given: dict[str, str] = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or _is_service_link(name, text):
            continue
        setting = name.removesuffix("_FILE")
        if setting not in DEFAULTS:
            close = difflib.get_close_matches(setting, DEFAULTS, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise SettingsError(f"{name} is not a setting of the lottery.{hint}")
        if not text:
            continue
        if setting in given:
            raise SettingsError(f"{setting} and {setting}_FILE are both given; keep one of them.")
        value = _text_of(name, text) if name.endswith("_FILE") else text
        if value:
            given[setting] = value
    return given


def _demand_demo(values: Mapping[str, str], env: str, given: Mapping[str, str]) -> None:
    """Mark the storage as a demo's, before anything is written there, unless it is another's."""
    storage = Path(values["LOTTERY_STORAGE"])
    try:
        demo.demand_demo(given, env, values["LOTTERY_NAME"])
        demo.mark_folder(storage)
    except demo.NotADemo as error:
        raise SettingsError(str(error)) from None
    except OSError as error:
        raise SettingsError(f"LOTTERY_STORAGE: cannot use {storage} ({error.strerror}).") from None


def _demand_no_demo(name: str, storage: Path, database_url: str, mark: Path | None) -> None:
    """Refuse what is a demo's, before anything is written there."""
    files = [file.resolve() for file in (_file_of(database_url), mark) if file]
    try:
        demo.demand_no_demo(name, [storage, *(file.parent for file in files)])
    except demo.NotADemo as error:
        raise SettingsError(str(error)) from None


def _file_of(database_url: str) -> Path | None:
    """Return the file of SQLite; None for PostgreSQL."""
    url = make_url(database_url)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def _public_root(values: Mapping[str, str], name: str) -> str:
    text = values[name]
    found = re.fullmatch(
        r"https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?/?", text.lower()
    )
    if text and not found:
        raise SettingsError(
            f"{name} is {text!r}; it must be the site's address, like https://lottery.example, "
            "without a path."
        )
    return f"{text.lower().rstrip('/')}/" if text else ""


def _mail_url(values: Mapping[str, str]) -> str:
    url = values["LOTTERY_MAIL_URL"]
    if not url:
        return ""
    try:
        read_mail_server(url, "")
    except ValueError as error:
        raise SettingsError(f"LOTTERY_MAIL_URL {error}") from None
    for name, why in (
        ("LOTTERY_MAIL_FROM", "the address that mails are from, such as lottery@example.org"),
        ("LOTTERY_URL", "the site's address, such as https://lottery.example, for their links"),
    ):
        if not values[name]:
            raise SettingsError(f"LOTTERY_MAIL_URL is given, and {name} is not: give {why}.")
    return url


def _mail_from(values: Mapping[str, str]) -> str:
    address = values["LOTTERY_MAIL_FROM"]
    if address and not is_mailbox(address):
        raise SettingsError(
            f"LOTTERY_MAIL_FROM is {address!r}; it must be a plain address like "
            "lottery@example.org, without a name before it."
        )
    if address and not values["LOTTERY_MAIL_URL"]:
        raise SettingsError("LOTTERY_MAIL_FROM is given, and LOTTERY_MAIL_URL is not: give both.")
    return address


def _is_service_link(name: str, text: str) -> bool:
    """Return whether Kubernetes set this, of a Service whose name begins with `lottery`.

    Those have the form of Docker's links (Kubernetes, "Service": environment variables).
    """
    if re.fullmatch(r"[A-Z0-9_]+_PORT", name) and re.match(r"(tcp|udp|sctp)://", text):
        return True
    return name not in DEFAULTS and bool(
        re.fullmatch(
            r"LOTTERY_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?"
            r"|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)",
            name,
        )
    )


def _text_of(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}: cannot read {path!r} ({error}).") from None


def _number(values: Mapping[str, str], name: str, least: int, most: int) -> int:
    text = values[name]
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise SettingsError(f"{name} is {text!r}; it must be a whole number, {least} to {most}.")
    return int(text)


def _host_and_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _host(values: Mapping[str, str], name: str) -> str:
    """Return a name or an address without brackets; the port has a setting of its own."""
    text = values[name]
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ip_address(inner))
    except ValueError:
        if text == inner and re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?", text):
            return text
        raise SettingsError(
            f"{name} is {text!r}; it must be an address to listen at, like 127.0.0.1, ::1 or :: "
            "for all, without a port, which LOTTERY_PORT sets."
        ) from None


def _number_or_off(values: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    if values[name] == "off":
        return None
    try:
        return _number(values, name, least, most)
    except SettingsError as error:
        raise SettingsError(f"{str(error).rstrip('.')}, or off.") from None


def _one_of(values: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    if values[name] not in words:
        raise SettingsError(f"{name} is {values[name]!r}; this version knows {', '.join(words)}.")
    return values[name]


def _relays(values: Mapping[str, str], name: str) -> tuple[str, ...]:
    urls = _urls(values, name, "https://api.drand.sh")
    if not urls:
        raise SettingsError(f"{name} names no relay; leave it out for the public ones.")
    return urls


def _calendars(values: Mapping[str, str], name: str) -> tuple[str, ...]:
    urls = _urls(values, name, "https://alice.btc.calendar.opentimestamps.org")
    if len(set(urls)) < len(urls) or len(urls) > MOST_CALENDARS:
        raise SettingsError(f"{name} must name up to {MOST_CALENDARS} calendars, each once.")
    return urls


def _urls(values: Mapping[str, str], name: str, example: str) -> tuple[str, ...]:
    urls = tuple(url.rstrip("/") for url in values[name].replace(",", " ").split())
    for place, url in enumerate(urls, 1):
        if not _is_url(url):
            # told by its place, since the address itself may hold a password
            raise SettingsError(
                f"{name}: address {place} of {len(urls)} must look like {example}: "
                "http:// or https://, a host, and a port and a path if need be."
            )
    return urls


def _is_url(url: str) -> bool:
    # the characters of an address (RFC 3986) without those that begin a query or a fragment
    if not re.fullmatch(r"https?://[A-Za-z0-9._~:/@!$&'()*+;=%\[\]-]+", url):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, brackets without an address of IPv6
        return False


def _chain_hash(values: Mapping[str, str], name: str) -> bytes:
    if not re.fullmatch(r"[0-9a-f]{64}", values[name]):
        raise SettingsError(
            f"{name} is {values[name]!r}; it must be a chain hash of drand, 64 characters of "
            "0 to 9 and a to f."
        )
    return bytes.fromhex(values[name])


def _technical_name(values: Mapping[str, str], env: str, given: Mapping[str, str]) -> str:
    """Read the name of the logs; in production nobody gets one that they did not choose.

    The journal and its key keep it for ever.
    """
    name = values["LOTTERY_NAME"]
    if env == "production" and "LOTTERY_NAME" not in given:
        raise SettingsError(
            "LOTTERY_NAME must be given in production. It is the technical name of this lottery, "
            "which its logs and keys have for ever: choose one before the first start, such as the "
            "site's host name. A lottery that has begun without keeps the one that it has: "
            f"LOTTERY_NAME={DEFAULTS['LOTTERY_NAME']}."
        )
    if not re.fullmatch(r"[a-z0-9]([a-z0-9./-]{0,98}[a-z0-9])?", name):
        raise SettingsError(
            f"LOTTERY_NAME is {name!r}; it must look like a host name, at most 100 characters of "
            "a to z, 0 to 9, dot, hyphen and slash. The title that people read is set in the "
            "browser, under Organise."
        )
    return name


def _networks(values: Mapping[str, str], name: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(text) for text in values[name].replace(",", " ").split())
    except ValueError as error:
        raise SettingsError(f"{name}: {error}; write networks like 10.0.0.0/8.") from None


def _database_url(given: str, storage: Path) -> str:
    if not given:
        _make_folder(storage)
        return file_address(storage.resolve() / "lottery.db")
    try:
        return checked_address(given)
    except ValueError as error:
        raise SettingsError(f"LOTTERY_DATABASE_URL {error}") from None


def _second_mark(given: str, storage: Path) -> Path | None:
    if not given:
        return None
    path = Path(given)
    if path.is_dir() or given.endswith("/"):
        path /= "mark"
    if path.resolve() == (storage / "mark").resolve():
        raise SettingsError(
            f"LOTTERY_MARK is {given!r}, where the first mark is kept already; name a file on "
            "another disk, which no restore of LOTTERY_STORAGE takes back."
        )
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise SettingsError(f"LOTTERY_MARK: {path.parent} is not a writable folder.")
    return path


def _file(values: Mapping[str, str], name: str) -> Path | None:
    path = Path(values[name])
    if not values[name]:
        return None
    if not path.is_file() or not os.access(path, os.R_OK):
        raise SettingsError(f"{name}: {path} is not a file that can be read.")
    return path


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"LOTTERY_STORAGE: cannot make {path} ({error.strerror}).") from None
    if not os.access(path, os.W_OK):
        raise SettingsError(f"LOTTERY_STORAGE: {path} cannot be written to.")


def _secret_key(given: str, env: str, storage: Path) -> str:
    if env != "production":
        return given or _own_secret_key(storage / "secret_key")
    if len(given.encode()) < SECRET_KEY_BYTES:
        raise SettingsError(
            f"LOTTERY_SECRET_KEY must be given in production, at least {SECRET_KEY_BYTES} bytes; "
            "`python3 -c 'import secrets; print(secrets.token_hex(32))'` makes one."
        )
    return given


def _own_secret_key(path: Path) -> str:
    try:
        return made_once(path, lambda: secrets.token_hex(SECRET_KEY_BYTES))
    except OSError as error:
        raise SettingsError(
            f"LOTTERY_STORAGE: cannot write {path.name} in {path.parent} ({error.strerror})."
        ) from None
