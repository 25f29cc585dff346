"""Journals that end: a recovery ends one with a statement of what was lost, and begins the next.

Each journal has a timeline, 0 for the first. A day whose result was published and then lost with
the database is `lost`: it is never drawn again, since that could only contradict what people saw.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: as of 0003, and `lost`
STATUS = """
    (status = 'open' AND seed IS NULL AND places IS NULL AND closed_at IS NULL AND drawn_at IS NULL)
    OR (status = 'closed' AND seed IS NULL AND places >= 1 AND closed_at IS NOT NULL
        AND drawn_at IS NULL)
    OR (status = 'drawn' AND seed IS NOT NULL AND places >= 1 AND closed_at IS NOT NULL
        AND drawn_at IS NOT NULL)
    {lost}
"""
LOST = """
    OR (status = 'lost' AND seed IS NULL AND places IS NULL AND closed_at IS NULL
        AND drawn_at IS NULL)
"""
#: a drawn or lost day does not change at all; of a closed one, only that it is drawn
BACKWARD = """
    OLD.status IN ('drawn'{lost}) OR OLD.day <> NEW.day
    OR (OLD.status = 'closed' AND (
        NEW.status <> 'drawn' OR NEW.ballot_count <> OLD.ballot_count
        OR NEW.places <> OLD.places OR NEW.closed_at <> OLD.closed_at
        OR NEW.frontier <> OLD.frontier))
    OR NEW.ballot_count < OLD.ballot_count
"""


def upgrade() -> None:
    op.create_table(
        "recoveries",
        sa.Column("timeline", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("ended_key", sa.Text(), nullable=False),
        sa.CheckConstraint("timeline >= 1", name=op.f("ck_recoveries_timeline")),
        sa.PrimaryKeyConstraint("timeline", name=op.f("pk_recoveries")),
    )
    _keep("recoveries")
    _change_journal(with_timeline=True)
    _change_tiles(with_timeline=True)
    _change_draws(with_lost=True)


def downgrade() -> None:
    _change_draws(with_lost=False)
    _change_tiles(with_timeline=False)
    _change_journal(with_timeline=False)
    op.drop_table("recoveries")


def _change_journal(*, with_timeline: bool) -> None:
    if _on_postgresql():
        _change_key("journal", ("number",), with_timeline=with_timeline)
        if with_timeline:
            op.create_check_constraint(op.f("ck_journal_timeline"), "journal", "timeline >= 0")
        return

    def create(name: str) -> None:
        op.create_table(
            name,
            *_timeline(with_timeline),
            sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("day", sa.Date(), nullable=True),
            sa.Column("record", sa.Text(), nullable=False),
            sa.Column("checkpoint", sa.Text(), nullable=False),
            sa.Column("frontier", sa.LargeBinary(), nullable=False),
            sa.CheckConstraint("(number = 0) = (day IS NULL)", name=op.f("ck_journal_day")),
            sa.CheckConstraint("number >= 0", name=op.f("ck_journal_number")),
            *(
                [sa.CheckConstraint("timeline >= 0", name=op.f("ck_journal_timeline"))]
                if with_timeline
                else []
            ),
            sa.PrimaryKeyConstraint(*_key(with_timeline, "number"), name=op.f("pk_journal")),
            sa.UniqueConstraint("day", name=op.f("uq_journal_day")),
        )

    _make_anew("journal", create, "number, day, record, checkpoint, frontier")
    _keep("journal")


def _change_tiles(*, with_timeline: bool) -> None:
    if _on_postgresql():
        key = ("level", "number", "first")
        _change_key("journal_tiles", key, with_timeline=with_timeline)
        return

    def create(name: str) -> None:
        op.create_table(
            name,
            *_timeline(with_timeline),
            sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("first", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("hashes", sa.LargeBinary(), nullable=False),
            sa.CheckConstraint("first >= 0 AND first < 256", name=op.f("ck_journal_tiles_first")),
            sa.PrimaryKeyConstraint(
                *_key(with_timeline, "level", "number", "first"), name=op.f("pk_journal_tiles")
            ),
            sqlite_with_rowid=False,
        )

    _make_anew("journal_tiles", create, "level, number, first, hashes")
    _keep("journal_tiles")


def _change_draws(*, with_lost: bool) -> None:
    status = STATUS.format(lost=LOST if with_lost else "")
    if _on_postgresql():
        op.drop_constraint(op.f("ck_draws_status"), "draws", type_="check")
        op.create_check_constraint(op.f("ck_draws_status"), "draws", status)
        op.execute("DROP TRIGGER draws_kept_on_update ON draws")
    else:

        def create(name: str) -> None:
            op.create_table(
                name,
                sa.Column("day", sa.Date(), nullable=False),
                sa.Column("status", sa.String(length=6), nullable=False),
                sa.Column("ballot_count", sa.Integer(), nullable=False),
                sa.Column(
                    "frontier", sa.LargeBinary(), nullable=False, server_default=sa.text("x''")
                ),
                sa.Column("beacon_signature", sa.LargeBinary(48)),
                sa.Column("seed", sa.LargeBinary(length=32), nullable=True),
                sa.Column("places", sa.Integer(), nullable=True),
                sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
                sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=True),
                sa.CheckConstraint(status, name=op.f("ck_draws_status")),
                sa.CheckConstraint("ballot_count >= 0", name=op.f("ck_draws_ballot_count")),
                sa.PrimaryKeyConstraint("day", name=op.f("pk_draws")),
            )

        columns = (
            "day, status, ballot_count, frontier, beacon_signature, seed, places, closed_at,"
            " drawn_at"
        )
        _make_anew("draws", create, columns)
        _refuse("draws", "DELETE")
    backward = BACKWARD.format(lost=", 'lost'" if with_lost else "")
    _refuse("draws", "UPDATE", f"WHEN ({backward})")


def _timeline(wanted: bool) -> list[sa.Column[int]]:
    if not wanted:
        return []
    column: sa.Column[int] = sa.Column(
        "timeline", sa.Integer(), autoincrement=False, nullable=False
    )
    return [column]


def _key(with_timeline: bool, *columns: str) -> tuple[str, ...]:
    return ("timeline", *columns) if with_timeline else columns


def _change_key(table: str, key: tuple[str, ...], *, with_timeline: bool) -> None:
    """Put the timeline into a primary key, or take it out, on PostgreSQL."""
    op.drop_constraint(op.f(f"pk_{table}"), table, type_="primary")
    if with_timeline:
        op.execute(f"ALTER TABLE {table} ADD COLUMN timeline integer NOT NULL DEFAULT 0")
        op.execute(f"ALTER TABLE {table} ALTER COLUMN timeline DROP DEFAULT")
    else:
        op.drop_column(table, "timeline")
    op.create_primary_key(op.f(f"pk_{table}"), table, list(_key(with_timeline, *key)))


def _make_anew(table: str, create: Callable[[str], None], columns: str) -> None:
    """Make a table anew, since SQLite cannot change a rule of one (sqlite.org, ALTER TABLE, 7).

    Foreign keys are off meanwhile, see env.py. The rows there are, are of the first timeline.
    """
    create(f"{table}_anew")
    found = sa.inspect(op.get_bind()).get_columns(f"{table}_anew")
    has_timeline = any(column["name"] == "timeline" for column in found)
    into, values = (f"timeline, {columns}", f"0, {columns}") if has_timeline else (columns, columns)
    op.execute(f"INSERT INTO {table}_anew ({into}) SELECT {values} FROM {table}")  # noqa: S608
    op.drop_table(table)
    op.rename_table(f"{table}_anew", table)


def _keep(table: str) -> None:
    for event in ("UPDATE", "DELETE"):
        _refuse(table, event)


def _refuse(table: str, event: str, when: str = "") -> None:
    if _on_postgresql():
        body = "EXECUTE FUNCTION refuse_to_forget()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{table} is kept for ever'); END"
    name = f"{table}_kept_on_{event.lower()}"
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {when} {body}")


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
