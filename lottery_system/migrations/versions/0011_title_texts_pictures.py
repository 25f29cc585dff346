"""A title, texts and a logo of the site, and pictures of lotteries.

The site's title and texts are a log of changes, of which the newest row holds. Pictures are kept in
the database, which all hosts share and backups contain, and are insert-only like everything else.
The log of a lottery's changes keeps its picture, too.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

#: what the log of changes keeps of a lottery, before this migration and after it
BEFORE = ("name", "prize", "closes_on", "opens_on", "claim", "most_a_day", "winnable")
SAID = (*BEFORE, "picture_digest", "picture_alt")

#: tables of which rows are only ever added
ONLY_ADDED = ("pictures", "site_changes")
DIGEST = "VARCHAR(64) CONSTRAINT fk_{table}_picture_digest_pictures REFERENCES pictures (digest)"
ALTERNATIVE = "VARCHAR(200)"
#: a picture has an alternative text
BOTH_OR_NONE = (
    " CONSTRAINT ck_lotteries_picture_has_words"
    " CHECK ((picture_digest IS NULL) = (picture_alt IS NULL))"
)


def upgrade() -> None:
    op.create_table(
        "pictures",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(20), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("small_width", sa.Integer(), nullable=False),
        sa.Column("small_height", sa.Integer(), nullable=False),
        sa.Column("small_bytes", sa.LargeBinary(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_pictures")),
    )
    op.create_table(
        "site_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Integer(), nullable=True),
        sa.Column("title", sa.String(80), nullable=False),
        sa.Column("logo_digest", sa.String(64), nullable=True),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("privacy", sa.Text(), nullable=False),
        sa.Column("imprint", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["users.id"], name=op.f("fk_site_changes_changed_by_users")
        ),
        sa.ForeignKeyConstraint(
            ["logo_digest"], ["pictures.digest"], name=op.f("fk_site_changes_logo_digest_pictures")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_changes")),
    )
    for table in ONLY_ADDED:
        for event in ("UPDATE", "DELETE"):
            _refuse(table, event)
    # in SQL that both databases have: a batch operation on SQLite would make the table anew,
    # without its checks and triggers
    for table in ("lotteries", "lottery_changes"):
        check = BOTH_OR_NONE if table == "lotteries" else ""
        op.execute(f"ALTER TABLE {table} ADD COLUMN picture_digest {DIGEST.format(table=table)}")
        op.execute(f"ALTER TABLE {table} ADD COLUMN picture_alt {ALTERNATIVE}{check}")
    op.create_index(op.f("ix_lotteries_picture_digest"), "lotteries", ["picture_digest"])
    _forget_to_write_down()
    _write_down(SAID)


def downgrade() -> None:
    _forget_to_write_down()
    op.drop_index(op.f("ix_lotteries_picture_digest"), "lotteries")
    for table in ("lotteries", "lottery_changes"):
        op.drop_column(table, "picture_alt")
        op.drop_column(table, "picture_digest")
    _write_down(BEFORE)
    op.drop_table("site_changes")
    op.drop_table("pictures")


def _write_down(columns: tuple[str, ...]) -> None:
    """Let triggers log each change of a lottery, however it is made."""
    names = ", ".join(columns)
    values = ", ".join(f"NEW.{each}" for each in columns)
    insert = (  # of the names above alone
        f"INSERT INTO lottery_changes (lottery_id, changed_at, changed_by, {names})"  # noqa: S608
        f" VALUES (NEW.id, NEW.changed_at, NEW.changed_by, {values})"
    )
    differs = "IS DISTINCT FROM" if _on_postgresql() else "IS NOT"
    is_changed = " OR ".join(f"OLD.{each} {differs} NEW.{each}" for each in columns)
    if _on_postgresql():
        op.execute(f"""
            CREATE FUNCTION write_lottery_down() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN {insert}; RETURN NULL; END $$
        """)
        body = "EXECUTE FUNCTION write_lottery_down()"
    else:
        body = f"BEGIN {insert}; END"
    for event, when in {"insert": "", "update": f"WHEN ({is_changed})"}.items():
        op.execute(
            f"CREATE TRIGGER lotteries_written_down_on_{event} "
            f"AFTER {event.upper()} ON lotteries FOR EACH ROW {when} {body}"
        )


def _forget_to_write_down() -> None:
    on = " ON lotteries" if _on_postgresql() else ""
    for event in ("insert", "update"):
        op.execute(f"DROP TRIGGER lotteries_written_down_on_{event}{on}")
    if _on_postgresql():
        op.execute("DROP FUNCTION write_lottery_down")


def _refuse(table: str, event: str) -> None:
    if _on_postgresql():
        body = "EXECUTE FUNCTION refuse_to_forget()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{table} is kept for ever'); END"
    name = f"{table}_kept_on_{event.lower()}"
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {body}")


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
