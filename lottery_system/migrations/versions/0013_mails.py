"""Mail addresses of accounts, requests for reset links, and the outbox.

A mail is in the outbox at most once for an event and an account. Once sent it stays as it is, until
it is deleted for its age.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

#: what a mail may never change into, in the words of both databases
FORBIDDEN = """
    OLD.sent_at IS NOT NULL OR NEW.event <> OLD.event OR NEW.user_id <> OLD.user_id
    OR NEW.kind <> OLD.kind OR NEW.made_at <> OLD.made_at
"""


def upgrade() -> None:
    op.create_table(
        "mail_addresses",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(254), nullable=True),
        sa.Column("address_key", sa.String(254), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked", sa.String(254), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("tells_wins", sa.Boolean(), nullable=False),
        sa.Column("tells_log_ins", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "(address IS NULL) = (verified_at IS NULL)"
            " AND (address IS NULL) = (address_key IS NULL)"
            " AND (asked IS NULL) = (asked_at IS NULL)",
            name=op.f("ck_mail_addresses_whole"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_mail_addresses_user_id_users")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_mail_addresses")),
    )
    op.create_index(op.f("ix_mail_addresses_address_key"), "mail_addresses", ["address_key"])
    op.create_table(
        "reset_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("typed", sa.String(254), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reset_requests")),
    )
    op.create_table(
        "mails",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(100), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("address", sa.String(254), nullable=True),
        sa.Column("detail", sa.String(254), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refused_count", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(22), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("set_aside_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(200), nullable=True),
        sa.CheckConstraint("(lease IS NULL) = (leased_until IS NULL)", name=op.f("ck_mails_lease")),
        sa.CheckConstraint(
            "sent_at IS NULL OR set_aside_at IS NULL", name=op.f("ck_mails_sent_or_set_aside")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mails_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sa.UniqueConstraint("event", "user_id", name=op.f("uq_mails_event_user_id")),
    )
    waits = sa.text("sent_at IS NULL AND set_aside_at IS NULL")
    op.create_index(
        op.f("ix_mails_waiting"),
        "mails",
        ["rank", "due_at"],
        sqlite_where=waits,
        postgresql_where=waits,
    )
    op.create_index(op.f("ix_mails_user_id"), "mails", ["user_id"])
    op.create_index(op.f("ix_mails_made_at"), "mails", ["made_at"])
    _add_trigger()


def downgrade() -> None:
    op.drop_table("mails")
    op.drop_table("reset_requests")
    op.drop_table("mail_addresses")
    if _on_postgresql():
        op.execute("DROP FUNCTION refuse_to_send_again")


def _add_trigger() -> None:
    sentence = "a mail is sent once, and stays what it is"
    if not _on_postgresql():
        op.execute(
            "CREATE TRIGGER mails_kept_on_update BEFORE UPDATE ON mails FOR EACH ROW"
            f" WHEN ({FORBIDDEN}) BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
        )
        return
    op.execute(f"""
        CREATE FUNCTION refuse_to_send_again() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {FORBIDDEN} THEN RAISE EXCEPTION '{sentence}'
                USING ERRCODE = 'integrity_constraint_violation'; END IF;
            RETURN NEW;
        END $$
    """)
    op.execute(
        "CREATE TRIGGER mails_kept_on_update BEFORE UPDATE ON mails"
        " FOR EACH ROW EXECUTE FUNCTION refuse_to_send_again()"
    )


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
