"""Look-alike keys of usernames, by the table of UTS 39 that the lottery brings along.

They were made by that of a library, without the characters that show nothing being left out. Two
usernames that both exist may have one key now: both stay, and whoever came later gets a key with
the user's number behind it, which no other username can have, since it has a space.
"""

import sqlalchemy as sa
from alembic import op

from lottery_system.usernames import look_alike_key

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

USERS = sa.table(
    "users", sa.column("id", sa.Integer), sa.column("username"), sa.column("look_alike_key")
)


def upgrade() -> None:
    taken: set[str] = set()
    changed = []
    rows = op.get_bind().execute(sa.select(USERS).order_by(USERS.c.id)).all()
    for row in rows:
        key = look_alike_key(row.username)
        if key in taken:
            key = f"{key} {row.id}"
        taken.add(key)
        if key != row.look_alike_key:
            changed.append({"number": row.id, "key": key})
    # not at once: the new key of one may be the old one of another
    _write([{**each, "key": f" {each['number']}"} for each in changed])
    _write(changed)


def downgrade() -> None:
    """Leave the keys: they are unique, which is all that is asked of them."""


def _write(keys: list[dict[str, object]]) -> None:
    if keys:
        op.get_bind().execute(
            sa.update(USERS)
            .where(USERS.c.id == sa.bindparam("number"))
            .values(look_alike_key=sa.bindparam("key")),
            keys,
        )
