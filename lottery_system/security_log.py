"""The security log: one line for each log-in, each change of an account, and each refusal.

    log_in user=bob id=2 from=192.0.2.1 at=2026-11-26T01:02:03Z

Only usernames of existing accounts are logged: anything else that was typed may be a password.
"""

import logging
from typing import Protocol
from urllib.parse import quote

from flask import request

from lottery_system.clock import utcnow

log = logging.getLogger("lottery_system.security")

#: letters of a path that a line has at most
LONGEST = 100


class Account(Protocol):
    """Whoever has an account."""

    @property
    def id(self) -> int:
        """Return its number."""

    @property
    def username(self) -> str:
        """Return its name, as it was signed up."""


def note(event: str, account: Account | None, *, with_path: bool = False, reason: str = "") -> None:
    """Log an event of the current request.

    Args:
        event: a name in snake case.
        account: whose; None if that is not known.
        with_path: and at which address; never its query, nor what was typed.
        reason: in snake case, where an event has several.
    """
    who = f"user={quote(account.username)} id={account.id}" if account else "user=- id=-"
    path = f" path={request.method}:{quote(request.path)[:LONGEST]}" if with_path else ""
    why = f" reason={reason}" if reason else ""
    at = f"{utcnow():%Y-%m-%dT%H:%M:%SZ}"
    # a flood is summed up by what it is of, so that nobody's hides what others do
    kind = {"kind": (event, account and account.id)}
    log.info(
        "%s %s from=%s at=%s%s%s", event, who, request.remote_addr or "-", at, path, why, extra=kind
    )
