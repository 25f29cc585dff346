"""What happens to accounts, links of one use, and what a log-in says of itself.

Account events are only ever added, and can be deleted once they are old: by the clock of the
database or by the newest event, whichever is later, and a day earlier than the lottery does it,
since clocks differ. A link that was used or ended stays so. Of log-ins from before, browser and
last use are not known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

#: a day less than the lottery keeps them
KEPT_DAYS = 89

#: what a link may never change into, in the words of both databases
FORBIDDEN = """
    OLD.used_at IS NOT NULL OR OLD.ended_at IS NOT NULL
    OR NEW.token_hash <> OLD.token_hash OR NEW.purpose <> OLD.purpose
    OR NEW.user_id <> OLD.user_id OR NEW.made_at <> OLD.made_at
    OR NEW.expires_at <> OLD.expires_at
    OR NEW.subject {differs} OLD.subject OR NEW.made_by {differs} OLD.made_by
"""


def upgrade() -> None:
    op.create_table(
        "account_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("by_command", sa.Boolean(), nullable=False),
        sa.Column("browser", sa.String(60), nullable=True),
        sa.Column("detail", sa.String(200), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_account_events_user_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["users.id"], name=op.f("fk_account_events_actor_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_events")),
    )
    for columns in (["user_id", "id"], ["kind", "id"], ["happened_at"]):
        name = op.f(f"ix_account_events_{'_'.join(columns)}")
        op.create_index(name, "account_events", columns)
    op.create_table(
        "account_links",
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("made_by", sa.Integer(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "used_at IS NULL OR ended_at IS NULL", name=op.f("ck_account_links_used_or_ended")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_account_links_user_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["made_by"], ["users.id"], name=op.f("fk_account_links_made_by_users")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_account_links")),
    )
    works = sa.text("used_at IS NULL AND ended_at IS NULL")
    op.create_index(
        op.f("ix_account_links_one_works"),
        "account_links",
        ["user_id", "purpose"],
        unique=True,
        sqlite_where=works,
        postgresql_where=works,
    )
    op.create_index(op.f("ix_account_links_expires_at"), "account_links", ["expires_at"])
    op.add_column("login_sessions", sa.Column("browser", sa.String(60), nullable=True))
    op.add_column("login_sessions", sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("users", sa.Column("told_event", sa.Integer(), nullable=True))
    _add_triggers()


def downgrade() -> None:
    op.drop_column("users", "told_event")
    op.drop_column("login_sessions", "seen_at")
    op.drop_column("login_sessions", "browser")
    op.drop_table("account_links")
    op.drop_table("account_events")
    if _on_postgresql():
        op.execute("DROP FUNCTION refuse_to_forget_lately")
        op.execute("DROP FUNCTION refuse_to_use_again")


def _add_triggers() -> None:
    newest = "(SELECT max(happened_at) FROM account_events)"
    lately = f"account events are kept for {KEPT_DAYS} days"
    again = "a link works once, and stays what it is"
    if _on_postgresql():
        op.execute(
            "CREATE TRIGGER account_events_kept_on_update BEFORE UPDATE ON account_events"
            " FOR EACH ROW EXECUTE FUNCTION refuse_to_forget()"
        )
        since = f"greatest(now(), {newest}) - interval '{KEPT_DAYS} days'"
        _refuse_on_postgresql(
            "account_events", "DELETE", "refuse_to_forget_lately",
            f"OLD.happened_at > {since}", lately,
        )  # fmt: skip
        _refuse_on_postgresql(
            "account_links", "UPDATE", "refuse_to_use_again",
            FORBIDDEN.format(differs="IS DISTINCT FROM"), again,
        )  # fmt: skip
        return
    since = f"datetime(max(datetime('now'), {newest}), '-{KEPT_DAYS} days')"
    for name, event, table, condition, sentence in (
        (
            "account_events_kept_on_update",
            "UPDATE",
            "account_events",
            "1",
            "account_events is kept",
        ),
        (
            "account_events_kept_on_delete",
            "DELETE",
            "account_events",
            f"OLD.happened_at > {since}",
            lately,
        ),
        (
            "account_links_kept_on_update",
            "UPDATE",
            "account_links",
            FORBIDDEN.format(differs="IS NOT"),
            again,
        ),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW"
            f" WHEN ({condition}) BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
        )


def _refuse_on_postgresql(
    table: str, event: str, function: str, condition: str, sentence: str
) -> None:
    row = "OLD" if event == "DELETE" else "NEW"
    op.execute(f"""
        CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {condition} THEN RAISE EXCEPTION '{sentence}'
                USING ERRCODE = 'integrity_constraint_violation'; END IF;
            RETURN {row};
        END $$
    """)
    op.execute(
        f"CREATE TRIGGER {table}_kept_on_{event.lower()} BEFORE {event} ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION {function}()"
    )


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
