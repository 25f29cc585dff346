"""What each lottery was called, and gave, when a day closed.

Results show this from now on, and no longer what is said of a lottery today. For the days that are
closed already it is found in the log of changes: the newest one by then of each lottery that had
ballots, or its first, where there was none yet. The log stays when this is taken back.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "offers",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("lottery_id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["day"], ["draws.day"], name=op.f("fk_offers_day_draws")),
        sa.ForeignKeyConstraint(
            ["lottery_id"], ["lotteries.id"], name=op.f("fk_offers_lottery_id_lotteries")
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["lottery_changes.id"], name=op.f("fk_offers_change_id_lottery_changes")
        ),
        sa.PrimaryKeyConstraint("day", "lottery_id", name=op.f("pk_offers")),
        sqlite_with_rowid=False,
    )
    if _on_postgresql():  # which holdings there are is read once, however many
        op.execute("SET LOCAL statement_timeout = 0")
    op.execute("""
        INSERT INTO offers (day, lottery_id, change_id)
        SELECT played.day, played.lottery_id, coalesce(
            (SELECT max(id) FROM lottery_changes
             WHERE lottery_id = played.lottery_id AND changed_at <= draws.closed_at),
            (SELECT min(id) FROM lottery_changes WHERE lottery_id = played.lottery_id))
        FROM (SELECT DISTINCT day, lottery_id FROM holdings) AS played
        JOIN draws ON draws.day = played.day
        WHERE draws.status <> 'open'
    """)
    for event in ("UPDATE", "DELETE"):
        _refuse("offers", event)


def downgrade() -> None:
    op.drop_table("offers")


def _refuse(table: str, event: str) -> None:
    if _on_postgresql():
        body = "EXECUTE FUNCTION refuse_to_forget()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{table} is kept for ever'); END"
    name = f"{table}_kept_on_{event.lower()}"
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {body}")


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
