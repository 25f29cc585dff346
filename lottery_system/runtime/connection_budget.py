"""Connection budget: how many of PostgreSQL's `max_connections` each worker's pool may use.

Asked once, at the start, by gunicorn's master. A restart without a pause (USR2) runs the old and
the new workers side by side for some seconds, so the budget counts every worker twice.
"""

from typing import NamedTuple

from sqlalchemy import Connection, text

from lottery_system.errors import LotteryError

#: connections that a worker makes use of; more do not make it faster
MOST = 25
#: connections without which a worker would wait for itself: see `split`
LEAST = 5
#: connections that are left to commands, backups and whoever looks at the database
SPARE = 5
#: servers that may run at once: the one that ends, and the one that takes over
SERVERS = 2

#: PostgreSQL 17 manual, 20.3.1; `reserved_connections` exists since PostgreSQL 16
_ALLOWED = text(
    "SELECT current_setting('max_connections')::int AS most,"
    " current_setting('superuser_reserved_connections')::int"
    " + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved"
)


class TooFewConnections(LotteryError):
    """PostgreSQL allows fewer connections than the workers of all hosts need."""


class Allowed(NamedTuple):
    """What PostgreSQL allows: its `max_connections`, and how many of them are not for us."""

    most: int
    reserved: int


#: what a PostgreSQL allows that nobody has configured
DEFAULT = Allowed(100, 3)


class Split(NamedTuple):
    """The sizes of a worker's two pools."""

    readers: int
    writers: int


def split(connections: int) -> Split:
    """Divide a worker's connections between its pools: a fifth writes, but at least three.

    The tick may use two that write at once, and the ballot box must never wait for it.
    """
    writers = max(3, connections // 5)
    return Split(connections - writers, writers)


def allowed_by(connection: Connection) -> Allowed | None:
    """Ask how many connections there may be; None for SQLite, which counts none."""
    if connection.dialect.name == "sqlite":
        return None
    return Allowed(*connection.execute(_ALLOWED).one())


def share_of(allowed: Allowed, *, workers: int, hosts: int) -> int:
    """Return how many connections a worker may have, at most `MOST`.

    Args:
        workers: of one host.
        hosts: with as many workers each.

    Raises:
        TooFewConnections: that is less than `LEAST`; with the arithmetic.
    """
    left = allowed.most - allowed.reserved - SPARE
    share = left // (SERVERS * workers * hosts)
    if share < LEAST:
        needed = LEAST * SERVERS * workers * hosts + allowed.reserved + SPARE
        raise TooFewConnections(
            f"PostgreSQL allows {allowed.most} connections (max_connections). Less "
            f"{allowed.reserved} reserved for superusers and {SPARE} for commands, that is "
            f"{max(left, 0)}, or {max(share, 0)} for each of {workers} workers on each of {hosts} "
            "hosts, twice, since a restart runs old and new workers at once. A worker needs "
            f"{LEAST}: raise max_connections to {needed}, lower LOTTERY_WORKERS or LOTTERY_HOSTS, "
            "or put pgbouncer in between (docs/operating.md, Connections)."
        )
    return min(share, MOST)


def assumed_share(*, workers: int, hosts: int) -> int:
    """Return how many connections a worker may have while PostgreSQL cannot be asked.

    That is a share of what it allows as it comes, and `LEAST` at least: it may allow more.

    Args:
        workers: of one host.
        hosts: with as many workers each.
    """
    try:
        return share_of(DEFAULT, workers=workers, hosts=hosts)
    except TooFewConnections:
        return LEAST
