"""Settings, read once from the environment.

Imports nothing of the house. A misspelt, missing or senseless setting stops the start with a
sentence that names it.
"""

import difflib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from config.files import made_once
from config.sets import SETS

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "LOTTERY_"
SECRET_KEY_BYTES = 32

Network = IPv4Network | IPv6Network


class SettingsError(SystemExit):
    """A setting is wrong; as a `SystemExit` it ends any program with its sentence alone."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the operator decides. Every field is the setting `LOTTERY_<FIELD>`."""

    #: the set of defaults: development, production or testing
    env: str
    #: any SQLAlchemy address
    database_url: str = field(repr=False)
    #: signs cookies; at least 32 bytes in production
    secret_key: str = field(repr=False)
    #: the lottery's name: origin and key name of its logs
    name: str
    #: the folder of the database file, keys and exports
    storage: Path
    #: the second place of the high-water mark; None for none
    mark: Path | None
    #: `off`: draws are made by the operator alone; `drand`: none without that beacon's number
    beacon: str
    #: relays of the beacon, asked in turn; an address may hold a password
    beacon_urls: tuple[str, ...] = field(repr=False)
    #: the beacon's chain hash, which fixes its key
    beacon_chain: bytes
    #: seconds from a day's closing to the time of its round
    beacon_gap: int
    #: seconds by which a host's clock may differ from others; None where it is not checked
    clock_tolerance: int | None
    #: winning ballots a day
    places: int
    #: ballots in one submission
    max_count: int
    host: str
    port: int
    #: gunicorn processes
    workers: int
    #: how many proxies in front may be believed about the client's address
    trusted_proxies: int
    #: host names that the site answers to; empty for all
    trusted_hosts: tuple[str, ...]
    #: networks that may read `/metrics`
    metrics_networks: tuple[Network, ...]

    @property
    def gap(self) -> int:
        """Return the seconds between the closing of a day and its draw."""
        return self.beacon_gap if self.beacon == "drand" else 0

    @property
    def marks(self) -> tuple[Path, ...]:
        """Return the files of the high-water mark."""
        own = self.storage / "mark"
        return (own, self.mark) if self.mark else (own,)

    @property
    def private_files(self) -> list[Path]:
        """Return the files that hold secrets: the database, keys, marks, whichever there are."""
        files = [*self.marks, self.storage / "secret_key", self.storage / "clock_offset"]
        for name in ("log_key", "chain_tip"):  # with those of journals that have ended
            files += self.storage.glob(f"{name}*")
        if self.database_url.startswith("sqlite:///"):
            database = self.database_url.removeprefix("sqlite:///").partition("?")[0]
            files += [Path(database + end) for end in ("", "-wal", "-shm")]
        return files

    @property
    def is_production(self) -> bool:
        """Tell whether people play here for real, behind TLS."""
        return self.env == "production"


def load(environ: Mapping[str, str]) -> Settings:
    """Read all settings, `X_FILE` standing for the text of a file.

    Raises:
        SettingsError: with a sentence for the operator.
    """
    given = _given(environ)
    env = given.get("LOTTERY_ENV", "development")
    if env not in SETS:
        raise SettingsError(f"LOTTERY_ENV is {env!r}; it must be one of {', '.join(SETS)}.")
    values = DEFAULTS | SETS[env] | given
    storage = Path(values["LOTTERY_STORAGE"])
    return Settings(
        env=env,
        database_url=_database_url(values["LOTTERY_DATABASE_URL"], storage),
        secret_key=_secret_key(values["LOTTERY_SECRET_KEY"], env, storage),
        name=_matching(values, "LOTTERY_NAME", r"[a-z0-9]([a-z0-9./-]{0,98}[a-z0-9])?"),
        storage=storage,
        mark=_second_mark(values["LOTTERY_MARK"], storage),
        beacon=_one_of(values, "LOTTERY_BEACON", ("off", "drand")),
        beacon_urls=_relays(values, "LOTTERY_BEACON_URLS"),
        beacon_chain=_chain_hash(values, "LOTTERY_BEACON_CHAIN"),
        # Never 0: every UTC midnight is a round's own time, so that number would be out while the
        # list of the day is still being closed, and a list could be chosen to suit it. A minute is
        # the least in which a busy closing and clocks that differ a little have room.
        beacon_gap=_number(values, "LOTTERY_BEACON_GAP", 60, 86_400),
        clock_tolerance=_tolerance(values, "LOTTERY_CLOCK_TOLERANCE"),
        places=_number(values, "LOTTERY_PLACES", 1, 1000),
        max_count=_number(values, "LOTTERY_MAX_COUNT", 1, 100_000),
        host=values["LOTTERY_HOST"],
        port=_number(values, "LOTTERY_PORT", 1, 65_535),
        workers=_number(values, "LOTTERY_WORKERS", 1, 256),
        trusted_proxies=_number(values, "LOTTERY_TRUSTED_PROXIES", 0, 10),
        trusted_hosts=tuple(values["LOTTERY_TRUSTED_HOSTS"].replace(",", " ").split()),
        metrics_networks=_networks(values, "LOTTERY_METRICS_NETWORKS"),
    )


DEFAULTS: dict[str, str] = {
    "LOTTERY_ENV": "development",
    "LOTTERY_DATABASE_URL": "",
    "LOTTERY_SECRET_KEY": "",
    "LOTTERY_NAME": "lottery.local",
    "LOTTERY_STORAGE": str(ROOT / "storage"),
    "LOTTERY_MARK": "",
    "LOTTERY_BEACON": "off",
    "LOTTERY_BEACON_URLS": (
        "https://api.drand.sh https://api2.drand.sh https://api3.drand.sh "
        "https://drand.cloudflare.com"
    ),
    # quicknet, drand's mainnet of three-second rounds
    "LOTTERY_BEACON_CHAIN": "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
    "LOTTERY_BEACON_GAP": "600",
    "LOTTERY_CLOCK_TOLERANCE": "60",
    "LOTTERY_PLACES": "1",
    "LOTTERY_MAX_COUNT": "1000",
    "LOTTERY_HOST": "127.0.0.1",
    "LOTTERY_PORT": "8080",
    "LOTTERY_WORKERS": str(os.cpu_count() or 1),
    "LOTTERY_TRUSTED_PROXIES": "0",
    "LOTTERY_TRUSTED_HOSTS": "",
    "LOTTERY_METRICS_NETWORKS": "127.0.0.0/8 ::1/128",
}


def _given(environ: Mapping[str, str]) -> dict[str, str]:
    """Pick our settings out of the environment, files read, unknown names refused."""
    given: dict[str, str] = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX):
            continue
        setting = name.removesuffix("_FILE")
        if setting not in DEFAULTS:
            close = difflib.get_close_matches(setting, DEFAULTS, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise SettingsError(f"{name} is not a setting of the lottery.{hint}")
        if setting in given:
            raise SettingsError(f"{setting} and {setting}_FILE are both given; keep one of them.")
        value = _text_of(name, text) if name.endswith("_FILE") and text else text
        if value:
            given[setting] = value
    return given


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


def _tolerance(values: Mapping[str, str], name: str) -> int | None:
    if values[name] == "off":
        return None
    try:
        return _number(values, name, 1, 3600)
    except SettingsError as error:
        raise SettingsError(f"{str(error).rstrip('.')}, or off.") from None


def _one_of(values: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    if values[name] not in words:
        raise SettingsError(f"{name} is {values[name]!r}; this version knows {', '.join(words)}.")
    return values[name]


def _relays(values: Mapping[str, str], name: str) -> tuple[str, ...]:
    urls = tuple(url.rstrip("/") for url in values[name].replace(",", " ").split())
    if not urls:
        raise SettingsError(f"{name} names no relay; leave it out for the public ones.")
    for place, url in enumerate(urls, 1):
        if not _is_relay(url):
            # told by its place, since the address itself may hold a password
            raise SettingsError(
                f"{name}: address {place} of {len(urls)} must look like https://api.drand.sh: "
                "http:// or https://, a host, and a port and a path if need be."
            )
    return urls


def _is_relay(url: str) -> bool:
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


def _matching(values: Mapping[str, str], name: str, pattern: str) -> str:
    if not re.fullmatch(pattern, values[name]):
        raise SettingsError(
            f"{name} is {values[name]!r}; it must look like a host name, at most 100 characters of "
            "a to z, 0 to 9, dot, hyphen and slash."
        )
    return values[name]


def _networks(values: Mapping[str, str], name: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(text) for text in values[name].replace(",", " ").split())
    except ValueError as error:
        raise SettingsError(f"{name}: {error}; write networks like 10.0.0.0/8.") from None


def _database_url(given: str, storage: Path) -> str:
    if given and not re.match(r"sqlite:///[^?:]|postgresql(\+psycopg)?://", given):
        # the address itself may hold a password
        raise SettingsError(
            "LOTTERY_DATABASE_URL must be an address of SQLite or PostgreSQL, like "
            "sqlite:////var/lib/lottery/lottery.db or postgresql://user@host/lottery."
        )
    if not given:
        _make_folder(storage)
        return f"sqlite:///{storage.resolve()}/lottery.db"
    # a file of SQLite is meant from where the program was started
    return re.sub(
        r"^sqlite:///([^/].*)", lambda found: f"sqlite:///{Path(found[1]).resolve()}", given
    )


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
        raise SettingsError(f"LOTTERY_MARK: {path.parent} is no folder that can be written to.")
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
