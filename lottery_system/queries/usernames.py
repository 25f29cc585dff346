"""Usernames by user id."""

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, select

from lottery_system.models import User
from lottery_system.models.base import table_of


def usernames_of(connection: Connection, ids: Collection[int]) -> dict[int, str]:
    """Return the usernames of some users."""
    rows = connection.execute(_USERNAMES, {"ids": list(ids)})
    return {row.id: row.username for row in rows}


_user = table_of(User).c
_USERNAMES = select(_user.id, _user.username).where(_user.id.in_(bindparam("ids", expanding=True)))
