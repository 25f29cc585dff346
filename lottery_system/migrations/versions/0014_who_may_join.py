"""Invitations, blocked accounts, accepted terms, and at least one organiser.

Invitations and who came by them are kept for ever: at most a few rows for each account. A use is
numbered; the database lets none in beyond what the invitation allows, whoever comes at once.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

#: any number that no other transaction locks in this database; migrations lock another
LOCK_KEY = 0x10_77_E8

#: what must hold of a use that is added, in the words of both databases
MAY_COME = """
    NEW.number = 1 + (SELECT count(*) FROM invitation_uses
                      WHERE invitation_id = NEW.invitation_id)
    AND EXISTS (SELECT 1 FROM invitations
                WHERE id = NEW.invitation_id AND NEW.number <= uses
                AND ended_at IS NULL AND NEW.used_at < expires_at)
"""
#: what an invitation may never change into
FORBIDDEN = """
    OLD.ended_at IS NOT NULL OR NEW.id <> OLD.id
    OR NEW.token_hash <> OLD.token_hash OR NEW.label <> OLD.label OR NEW.uses <> OLD.uses
    OR NEW.made_by <> OLD.made_by OR NEW.made_at <> OLD.made_at OR NEW.expires_at <> OLD.expires_at
"""
NONE_LEFT = """
    OLD.is_organiser AND NOT NEW.is_organiser
    AND NOT EXISTS (SELECT 1 FROM users WHERE is_organiser AND id <> OLD.id)
"""
IS_BLOCKED = "EXISTS (SELECT 1 FROM users WHERE id = NEW.user_id AND blocked_at IS NOT NULL)"
ORGANISER_BLOCKED = "NEW.is_organiser AND NEW.blocked_at IS NOT NULL"

#: name, when, whether on PostgreSQL a lock comes first, condition to refuse, sentence
TRIGGERS = (
    (
        "invitation_uses_in_bounds",
        "INSERT ON invitation_uses",
        "PERFORM 1 FROM invitations WHERE id = NEW.invitation_id FOR UPDATE;",
        f"NOT ({MAY_COME})",
        "an invitation lets in as many as it says, until it ends",
    ),
    (
        "invitations_stay",
        "UPDATE ON invitations",
        "",
        FORBIDDEN,
        "an invitation can only be ended",
    ),
    (
        "users_have_an_organiser",
        "UPDATE OF is_organiser ON users",
        # two who are demoted at once: the second waits here, and then sees what the first did
        f"PERFORM pg_advisory_xact_lock({LOCK_KEY});",
        NONE_LEFT,
        "there must be an organiser",
    ),
    (
        "users_organiser_not_blocked",
        "UPDATE OF is_organiser, blocked_at ON users",
        "",
        ORGANISER_BLOCKED,
        "an organiser cannot be blocked",
    ),
    (
        "login_sessions_of_nobody_blocked",
        "INSERT ON login_sessions",
        "PERFORM 1 FROM users WHERE id = NEW.user_id FOR SHARE;",
        IS_BLOCKED,
        "a blocked account has no log-ins",
    ),
)
KEPT = (("invitations", "DELETE"), ("invitation_uses", "UPDATE"), ("invitation_uses", "DELETE"))


def upgrade() -> None:
    op.create_table(
        "invitations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("label", sa.String(80), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Integer(), nullable=True),
        sa.CheckConstraint("uses > 0", name=op.f("ck_invitations_uses")),
        sa.ForeignKeyConstraint(
            ["made_by"], ["users.id"], name=op.f("fk_invitations_made_by_users")
        ),
        sa.ForeignKeyConstraint(
            ["ended_by"], ["users.id"], name=op.f("fk_invitations_ended_by_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_table(
        "invitation_uses",
        sa.Column("invitation_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["invitation_id"],
            ["invitations.id"],
            name=op.f("fk_invitation_uses_invitation_id_invitations"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_invitation_uses_user_id_users")
        ),
        sa.PrimaryKeyConstraint("invitation_id", "number", name=op.f("pk_invitation_uses")),
        sa.UniqueConstraint("user_id", name=op.f("uq_invitation_uses_user_id")),
    )
    op.add_column("users", sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("users", sa.Column("block_reason", sa.String(200), nullable=True))
    op.add_column("users", sa.Column("accepted_terms", sa.Integer(), nullable=True))
    is_blocked = sa.text("blocked_at IS NOT NULL")
    op.create_index(
        op.f("ix_users_blocked"),
        "users",
        ["id"],
        sqlite_where=is_blocked,
        postgresql_where=is_blocked,
    )
    for name, event, lock, condition, sentence in TRIGGERS:
        _refuse_where(name, event, lock, condition, sentence)
    for table, event in KEPT:
        _refuse(table, event)


def downgrade() -> None:
    for name, event, *_ in TRIGGERS:
        _drop_trigger(name, event.rpartition(" ")[2])
        if _on_postgresql():
            op.execute(f"DROP FUNCTION refuse_{name}")
    op.drop_index(op.f("ix_users_blocked"), "users")
    for column in ("accepted_terms", "block_reason", "blocked_at"):
        op.drop_column("users", column)
    op.drop_table("invitation_uses")
    op.drop_table("invitations")


def _refuse_where(name: str, event: str, lock: str, condition: str, sentence: str) -> None:
    if not _on_postgresql():
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} FOR EACH ROW WHEN ({condition})"
            f" BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
        )
        return
    op.execute(f"""
        CREATE FUNCTION refuse_{name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            {lock}
            IF {condition} THEN RAISE EXCEPTION '{sentence}'
                USING ERRCODE = 'integrity_constraint_violation'; END IF;
            RETURN NEW;
        END $$
    """)
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {event} FOR EACH ROW EXECUTE FUNCTION refuse_{name}()"
    )


def _refuse(table: str, event: str) -> None:
    if _on_postgresql():
        body = "EXECUTE FUNCTION refuse_to_forget()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{table} is kept for ever'); END"
    name = f"{table}_kept_on_{event.lower()}"
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {body}")


def _drop_trigger(name: str, table: str) -> None:
    on = f" ON {table}" if _on_postgresql() else ""
    op.execute(f"DROP TRIGGER {name}{on}")


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
