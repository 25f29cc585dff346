"""Cosignatures: what witnesses signed of the journal, and whether it was before the day was drawn.

Those that a certificate has are fixed by the draw: the row of the day is locked while one is added
that came before it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

DAY = "(SELECT day FROM journal WHERE timeline = NEW.timeline AND number = NEW.number)"
TOO_LATE = "the day was drawn before this cosignature"


def upgrade() -> None:
    op.create_table(
        "cosignatures",
        sa.Column("timeline", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.LargeBinary(32), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("before_draw", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["timeline", "number"],
            ["journal.timeline", "journal.number"],
            name=op.f("fk_cosignatures_timeline_number_journal"),
        ),
        sa.PrimaryKeyConstraint("timeline", "number", "witness", name=op.f("pk_cosignatures")),
    )
    for event in ("UPDATE", "DELETE"):
        _refuse("cosignatures", event)
    if _on_postgresql():
        op.execute(
            f"""
            CREATE FUNCTION refuse_late_cosignatures() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE found text;
            BEGIN
                -- a draw that is being made is waited for, and then seen
                SELECT status INTO found FROM draws WHERE day = {DAY} FOR SHARE;
                IF NEW.before_draw AND found IS NOT NULL AND found <> 'closed' THEN
                    RAISE EXCEPTION '{TOO_LATE}'
                    USING ERRCODE = 'integrity_constraint_violation'; END IF;
                RETURN NEW;
            END $$
        """  # noqa: S608
        )
        body = "EXECUTE FUNCTION refuse_late_cosignatures()"
    else:
        status = f"(SELECT status FROM draws WHERE day = {DAY})"  # noqa: S608
        body = (
            f"WHEN (NEW.before_draw AND {status} <> 'closed')"
            f" BEGIN SELECT RAISE(ABORT, '{TOO_LATE}'); END"
        )
    op.execute(
        f"CREATE TRIGGER cosignatures_in_time BEFORE INSERT ON cosignatures FOR EACH ROW {body}"
    )


def downgrade() -> None:
    op.drop_table("cosignatures")
    if _on_postgresql():
        op.execute("DROP FUNCTION refuse_late_cosignatures")


def _refuse(table: str, event: str) -> None:
    if _on_postgresql():
        body = "EXECUTE FUNCTION refuse_to_forget()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{table} is kept for ever'); END"
    name = f"{table}_kept_on_{event.lower()}"
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {body}")


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
