"""Database address: LOTTERY_DATABASE_URL after validation, or the default SQLite file.

Addresses are built from their parts, never by joining strings, since a folder's name may contain
characters with a meaning in an address (`?`, `%`, `#`).
"""

import re
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

#: the ways to tell which of several hosts can be written to (libpq's `target_session_attrs`)
WRITABLE = ("read-write", "primary")

#: the parameter of an address that says that a pooler answers there, and its one value: the mode in
#: which each transaction may have another connection
POOLER = "pooler"
BY_TRANSACTION = "transaction"

#: libpq's form for several hosts, `h1:5432,h2:5432`, which SQLAlchemy writes as options
_SEVERAL = re.compile(
    r"(?P<before>postgresql(?:\+psycopg)?://(?:[^/?]*@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<after>.*)"
)
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")


def file_address(path: Path) -> str:
    """Return the address of an SQLite file."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def checked_address(given: str) -> str:
    """Return an address in the form that SQLAlchemy takes.

    A file of SQLite is meant from where the program was started. PostgreSQL may have several hosts
    (PostgreSQL 17 manual, 32.1.1.3), where one that can be written to is asked for.

    Raises:
        ValueError: with what is wrong; never with the address itself, which may hold a password.
    """
    if given.startswith("sqlite:///"):
        return _of_file(given.removeprefix("sqlite:///"))
    if not re.match(r"postgresql(\+psycopg)?://", given):
        raise ValueError(
            "must be an address of SQLite or PostgreSQL, like sqlite:////var/lib/lottery/lottery.db"
            " or postgresql://user@host/lottery."
        )
    several = _SEVERAL.fullmatch(given)
    try:
        url = make_url(several["before"] + several["after"] if several else given)
    except (ArgumentError, ValueError):
        raise ValueError(
            "cannot be read as an address of PostgreSQL, like postgresql://user@host:5432/lottery;"
            " in a user's name and a password @ / : ? % are written %40 %2F %3A %3F %25."
        ) from None
    if several:
        if "host" in url.query:
            raise ValueError("names hosts both before and after the ?; keep one of them.")
        hosts = [_host(text) for text in several["hosts"].split(",")]
        url = url.update_query_dict(
            {
                "host": ",".join(name for name, _ in hosts),
                "port": ",".join(port for _, port in hosts),
            }
        )
    _demand_writable(url)
    if url.query.get(POOLER, BY_TRANSACTION) != BY_TRANSACTION:
        raise ValueError(
            "has a pooler that is not known; for pgbouncer in transaction mode write "
            "?pooler=transaction, and leave it out for one in session mode."
        )
    return url.render_as_string(hide_password=False) if several else given


def for_reading(address: str) -> str:
    """Return the address for connections that only read.

    Theirs are set to refuse writing, by which libpq would take the server itself for one that
    cannot be written to, and find none.
    """
    url = make_url(address)
    if url.query.get("target_session_attrs") != "read-write":
        return address
    return url.update_query_dict({"target_session_attrs": "primary"}).render_as_string(
        hide_password=False
    )


def _of_file(given: str) -> str:
    if not given or given.startswith(":") or "?" in given:
        raise ValueError(
            "must be an address of SQLite or PostgreSQL; of SQLite it is sqlite:/// and a file "
            "alone. A ? in a file's name is written %3F."
        )
    try:
        path = unquote(given, errors="strict")
    except UnicodeDecodeError:
        path = ""
    if not path or re.search(r"%(?![0-9A-Fa-f]{2})", given):
        raise ValueError("has a % that stands for no character; in a file's name it is %25.")
    return file_address(Path(path).resolve())


def _host(text: str) -> tuple[str, str]:
    match = _HOST.fullmatch(text)
    if not match or not 0 < int(match["port"] or 5432) <= 65_535:
        raise ValueError(
            "has a host that cannot be read; write host:port,host:port and IPv6 in brackets."
        )
    return match["name"].strip("[]"), match["port"] or ""


def _demand_writable(url: URL) -> None:
    asked = url.query.get("target_session_attrs", "any")
    if asked not in ("any", *WRITABLE):
        raise ValueError(
            "has a target_session_attrs that may choose a server which cannot be written to; the "
            f"lottery writes: use {' or '.join(WRITABLE)}."
        )
    hosts = url.query.get("host", ())
    count = len(hosts.split(",") if isinstance(hosts, str) else hosts)
    if count > 1 and asked == "any":
        raise ValueError(
            f"names {count} hosts, of which some may be standbys that cannot be written to; add "
            "?target_session_attrs=read-write."
        )
