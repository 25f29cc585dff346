"""The first tables."""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "draws",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("status", sa.String(length=6), nullable=False),
        sa.Column("ballot_count", sa.Integer(), nullable=False),
        sa.Column("seed", sa.LargeBinary(length=32), nullable=True),
        sa.Column("places", sa.Integer(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'open' AND seed IS NULL AND places IS NULL"
            " AND closed_at IS NULL AND drawn_at IS NULL)"
            " OR (status = 'closed' AND seed IS NOT NULL AND places >= 1"
            " AND closed_at IS NOT NULL AND drawn_at IS NULL)"
            " OR (status = 'drawn' AND seed IS NOT NULL AND places >= 1"
            " AND closed_at IS NOT NULL AND drawn_at IS NOT NULL)",
            name=op.f("ck_draws_status"),
        ),
        sa.CheckConstraint("ballot_count >= 0", name=op.f("ck_draws_ballot_count")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_draws")),
    )
    op.create_table(
        "lotteries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("prize", sa.Text(), nullable=False),
        sa.Column("closes_on", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lotteries")),
        sa.UniqueConstraint("name", name=op.f("uq_lotteries_name")),
    )
    op.create_index(op.f("ix_lotteries_closes_on"), "lotteries", ["closes_on"], unique=False)
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttles")),
    )
    op.create_index(op.f("ix_throttles_expires_at"), "throttles", ["expires_at"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("username_key", sa.Text(), nullable=False),
        sa.Column("look_alike_key", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("is_organiser", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("look_alike_key", name=op.f("uq_users_look_alike_key")),
        sa.UniqueConstraint("username_key", name=op.f("uq_users_username_key")),
    )
    op.create_table(
        "ballots",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("lottery_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_ballots_number")),
        sa.PrimaryKeyConstraint("day", "number", name=op.f("pk_ballots")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "holdings",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("lottery_id", sa.Integer(), nullable=False),
        sa.Column("ballot_count", sa.Integer(), nullable=False),
        sa.CheckConstraint("ballot_count >= 1", name=op.f("ck_holdings_ballot_count")),
        sa.ForeignKeyConstraint(["day"], ["draws.day"], name=op.f("fk_holdings_day_draws")),
        sa.ForeignKeyConstraint(
            ["lottery_id"], ["lotteries.id"], name=op.f("fk_holdings_lottery_id_lotteries")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_holdings_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", "day", "lottery_id", name=op.f("pk_holdings")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "login_sessions",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_login_sessions_user_id_users")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_login_sessions")),
    )
    op.create_index(
        op.f("ix_login_sessions_expires_at"), "login_sessions", ["expires_at"], unique=False
    )
    op.create_index(op.f("ix_login_sessions_user_id"), "login_sessions", ["user_id"], unique=False)
    op.create_table(
        "submissions",
        sa.Column("token", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("lottery_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("first_number", sa.Integer(), nullable=False),
        sa.Column("ballot_count", sa.Integer(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("ballot_count >= 1", name=op.f("ck_submissions_ballot_count")),
        sa.CheckConstraint("first_number >= 1", name=op.f("ck_submissions_first_number")),
        sa.ForeignKeyConstraint(["day"], ["draws.day"], name=op.f("fk_submissions_day_draws")),
        sa.ForeignKeyConstraint(
            ["lottery_id"], ["lotteries.id"], name=op.f("fk_submissions_lottery_id_lotteries")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_submissions_user_id_users")
        ),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_submissions")),
        sa.UniqueConstraint("day", "first_number", name=op.f("uq_submissions_day_first_number")),
    )
    op.create_index(
        "ix_submissions_user_id_day_first_number",
        "submissions",
        ["user_id", "day", "first_number"],
        unique=False,
    )
    op.create_table(
        "winners",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.CheckConstraint("place >= 1", name=op.f("ck_winners_place")),
        sa.ForeignKeyConstraint(
            ["day", "number"],
            ["ballots.day", "ballots.number"],
            name=op.f("fk_winners_day_number_ballots"),
        ),
        sa.ForeignKeyConstraint(["day"], ["draws.day"], name=op.f("fk_winners_day_draws")),
        sa.PrimaryKeyConstraint("day", "place", name=op.f("pk_winners")),
        sa.UniqueConstraint("day", "number", name=op.f("uq_winners_day_number")),
    )


def downgrade() -> None:

    op.drop_table("winners")
    op.drop_index("ix_submissions_user_id_day_first_number", table_name="submissions")
    op.drop_table("submissions")
    op.drop_index(op.f("ix_login_sessions_user_id"), table_name="login_sessions")
    op.drop_index(op.f("ix_login_sessions_expires_at"), table_name="login_sessions")
    op.drop_table("login_sessions")
    op.drop_table("holdings")
    op.drop_table("ballots")
    op.drop_table("users")
    op.drop_index(op.f("ix_throttles_expires_at"), table_name="throttles")
    op.drop_table("throttles")
    op.drop_index(op.f("ix_lotteries_closes_on"), table_name="lotteries")
    op.drop_table("lotteries")
    op.drop_table("draws")
