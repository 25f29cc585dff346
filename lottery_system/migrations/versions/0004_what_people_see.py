"""What the pages need of people, and who changed which lottery.

Somebody has a language, has seen results up to a day, and may have closed the account. Whatever is
said of a lottery, and was said of it before, is written down by the database itself, whichever way
it is changed; by whom, where whoever changes it says so. Of lotteries from before nobody knows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WRITE_DOWN = """
    INSERT INTO lottery_changes (lottery_id, changed_at, changed_by, name, prize, closes_on)
    VALUES (NEW.id, NEW.changed_at, NEW.changed_by, NEW.name, NEW.prize, NEW.closes_on)
"""
IS_CHANGED = "OLD.name <> NEW.name OR OLD.prize <> NEW.prize OR OLD.closes_on <> NEW.closes_on"
EVENTS = {"insert": "", "update": f"WHEN ({IS_CHANGED})"}


def upgrade() -> None:
    op.add_column("users", sa.Column("language", sa.String(2), nullable=True))
    op.add_column("users", sa.Column("seen_until", sa.Date(), nullable=True))
    op.add_column("users", sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True))
    # nobody is told of years gone by
    op.execute("UPDATE users SET seen_until = (SELECT max(day) FROM draws WHERE status = 'drawn')")
    with op.batch_alter_table("lotteries") as lotteries:
        lotteries.add_column(
            sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        )
        lotteries.add_column(sa.Column("changed_by", sa.Integer(), nullable=True))
    op.execute("UPDATE lotteries SET changed_at = created_at")
    with op.batch_alter_table("lotteries") as lotteries:
        lotteries.alter_column("changed_at", nullable=False)
        lotteries.create_foreign_key(
            op.f("fk_lotteries_changed_by_users"), "users", ["changed_by"], ["id"]
        )
    op.create_table(
        "lottery_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lottery_id", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("prize", sa.Text(), nullable=False),
        sa.Column("closes_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lottery_id"], ["lotteries.id"], name=op.f("fk_lottery_changes_lottery_id_lotteries")
        ),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["users.id"], name=op.f("fk_lottery_changes_changed_by_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lottery_changes")),
    )
    op.create_index(op.f("ix_lottery_changes_lottery_id"), "lottery_changes", ["lottery_id"])
    op.execute("""
        INSERT INTO lottery_changes (lottery_id, changed_at, name, prize, closes_on)
        SELECT id, changed_at, name, prize, closes_on FROM lotteries ORDER BY id
    """)
    _write_down_changes()
    for event in ("UPDATE", "DELETE"):
        _refuse("lottery_changes", event)


def downgrade() -> None:
    on = " ON {}" if _on_postgresql() else ""
    for event in EVENTS:
        op.execute(f"DROP TRIGGER lotteries_written_down_on_{event}{on.format('lotteries')}")
    for event in ("update", "delete"):
        op.execute(f"DROP TRIGGER lottery_changes_kept_on_{event}{on.format('lottery_changes')}")
    if _on_postgresql():
        op.execute("DROP FUNCTION write_lottery_down")
    op.drop_table("lottery_changes")
    with op.batch_alter_table("lotteries") as lotteries:
        lotteries.drop_constraint(op.f("fk_lotteries_changed_by_users"), type_="foreignkey")
        lotteries.drop_column("changed_by")
        lotteries.drop_column("changed_at")
    for column in ("closed_at", "seen_until", "language"):
        op.drop_column("users", column)


def _write_down_changes() -> None:
    if _on_postgresql():
        op.execute(f"""
            CREATE FUNCTION write_lottery_down() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN {WRITE_DOWN}; RETURN NULL; END $$
        """)
        body = "EXECUTE FUNCTION write_lottery_down()"
    else:
        body = f"BEGIN {WRITE_DOWN}; END"
    for event, when in EVENTS.items():
        op.execute(
            f"CREATE TRIGGER lotteries_written_down_on_{event} "
            f"AFTER {event.upper()} ON lotteries FOR EACH ROW {when} {body}"
        )


def _refuse(table: str, event: str) -> None:
    if _on_postgresql():
        body = "EXECUTE FUNCTION refuse_to_forget()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{table} is kept for ever'); END"
    name = f"{table}_kept_on_{event.lower()}"
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {body}")


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
