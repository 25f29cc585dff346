"""Search keys of lotteries, and names that are one however their letters are encoded.

Names that exist and differ in that alone all stay: whichever came later gets a key with its number
behind it, which no name can have, since it has a line feed.
"""

import sqlalchemy as sa
from alembic import op

from lottery_system.name_keys import name_key, search_key

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

LOTTERIES = sa.table(
    "lotteries", sa.column("id", sa.Integer), sa.column("name"), sa.column("name_key"),
    sa.column("search_key"),
)  # fmt: skip


def upgrade() -> None:
    for name in ("name_key", "search_key"):
        op.add_column("lotteries", sa.Column(name, sa.Text(), nullable=True))
    connection, taken = op.get_bind(), set[str]()
    for row in connection.execute(sa.select(LOTTERIES).order_by(LOTTERIES.c.id)).all():
        key = name_key(row.name)
        if key in taken:
            key = f"{key}\n{row.id}"
        taken.add(key)
        connection.execute(
            sa.update(LOTTERIES)
            .where(LOTTERIES.c.id == row.id)
            .values(name_key=key, search_key=search_key(row.name))
        )
    op.create_index(op.f("ix_lotteries_name_key"), "lotteries", ["name_key"], unique=True)


def downgrade() -> None:
    op.drop_index(op.f("ix_lotteries_name_key"), "lotteries")
    for name in ("search_key", "name_key"):
        op.drop_column("lotteries", name)
