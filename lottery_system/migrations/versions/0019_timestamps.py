"""Timestamps: what calendars attest of the checkpoints that days were closed with.

A promise and the proof that completes it are two rows, and neither changes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "timestamps",
        sa.Column("timeline", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("calendar", sa.Text(), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["timeline", "number"],
            ["journal.timeline", "journal.number"],
            name=op.f("fk_timestamps_timeline_number_journal"),
        ),
        sa.PrimaryKeyConstraint(
            "timeline", "number", "calendar", "is_complete", name=op.f("pk_timestamps")
        ),
    )
    for event in ("UPDATE", "DELETE"):
        _refuse("timestamps", event)


def downgrade() -> None:
    op.drop_table("timestamps")


def _refuse(table: str, event: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        body = "EXECUTE FUNCTION refuse_to_forget()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{table} is kept for ever'); END"
    name = f"{table}_kept_on_{event.lower()}"
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {body}")
