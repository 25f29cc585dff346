"""Earlier forms: what databases lack that were made by migrations edited after they had landed.

Two were. 0001 gave ballots three foreign keys at first, which cost PostgreSQL three quarters of its
rate. 0003 kept a day's leaf hashes as tiles of level 0 at first; since then they stand with their
submissions, in a column of their own, and the tiles begin at level 1. The hashes are moved as they
are and not computed again: they were published.

Each difference is looked for by itself, and a database that has none is left as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

HASH_BYTES = 32
#: submissions that are written together
STEP = 1000

submissions = sa.table(
    "submissions", sa.column("token", sa.Uuid), sa.column("day", sa.Date),
    sa.column("first_number"), sa.column("ballot_count"), sa.column("leaves", sa.LargeBinary),
)  # fmt: skip
ballot_tiles = sa.table(
    "ballot_tiles", sa.column("day", sa.Date), sa.column("level"), sa.column("number"),
    sa.column("first"), sa.column("hashes", sa.LargeBinary),
)  # fmt: skip


def upgrade() -> None:
    found = sa.inspect(op.get_bind())
    foreign = [str(key["name"]) for key in found.get_foreign_keys("ballots")]
    columns = {column["name"] for column in found.get_columns("submissions")}
    checks = {check["name"] for check in found.get_check_constraints("ballot_tiles")}
    if foreign:
        _drop_foreign_keys_of_ballots(foreign)
    if "leaves" not in columns:
        _add_leaves()
    _move_leaves()
    if "ck_ballot_tiles_level" not in checks:
        _begin_tiles_at_level_1()


def downgrade() -> None:
    """Leave all as it is: this is what the migrations before have made of databases since."""


def _drop_foreign_keys_of_ballots(names: list[str]) -> None:
    if _on_postgresql():
        for name in names:
            op.drop_constraint(name, "ballots", type_="foreignkey")
        return
    with _made_anew("ballots") as name:
        op.create_table(
            name,
            sa.Column("day", sa.Date(), nullable=False),
            sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("lottery_id", sa.Integer(), nullable=False),
            sa.Column("user_id", sa.Integer(), nullable=False),
            sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
            sa.CheckConstraint("number >= 1", name=op.f("ck_ballots_number")),
            sa.PrimaryKeyConstraint("day", "number", name=op.f("pk_ballots")),
            sqlite_with_rowid=False,
        )


def _add_leaves() -> None:
    empty = "''" if _on_postgresql() else "x''"
    op.add_column(
        "submissions",
        sa.Column("leaves", sa.LargeBinary(), nullable=False, server_default=sa.text(empty)),
    )
    if _on_postgresql():
        op.execute("ALTER TABLE submissions ALTER COLUMN leaves SET STORAGE EXTERNAL")


def _move_leaves() -> None:
    """Give each submission the part of its day's tiles of level 0 that is of its ballots."""
    connection = op.get_bind()
    level_0 = ballot_tiles.c.level == 0
    days = connection.scalars(sa.select(ballot_tiles.c.day).where(level_0).distinct()).all()
    if not days:
        return
    with _unguarded("submissions"):
        for day in sorted(days):
            _move_leaves_of(day)
    with _unguarded("ballot_tiles"):
        connection.execute(sa.delete(ballot_tiles).where(level_0))


def _move_leaves_of(day: date) -> None:
    connection = op.get_bind()
    runs = connection.execute(
        sa.select(submissions.c.token, submissions.c.ballot_count)
        .where(submissions.c.day == day).order_by(submissions.c.first_number)
    ).all()  # fmt: skip
    write = (
        sa.update(submissions)
        .where(submissions.c.token == sa.bindparam("of")).values(leaves=sa.bindparam("hashes"))
    )  # fmt: skip
    pieces, rest = _pieces(day), b""
    for start in range(0, len(runs), STEP):
        rows = []
        for token, ballot_count in runs[start : start + STEP]:
            size = ballot_count * HASH_BYTES
            while len(rest) < size:
                piece = next(pieces, None)
                if piece is None:
                    raise RuntimeError(
                        f"The log of {day} has fewer leaves than the day has ballots. Nothing was "
                        "changed; restore the database from a backup."
                    )
                rest += piece
            rows.append({"of": token, "hashes": rest[:size]})
            rest = rest[size:]
        connection.execute(write, rows)
    if rest or next(pieces, None):
        raise RuntimeError(
            f"The log of {day} has more leaves than the day has ballots. Nothing was changed; "
            "restore the database from a backup."
        )


def _pieces(day: date) -> Iterator[bytes]:
    """Yield the hashes of a day's leaves, in order, without having them all in memory."""
    number = 0
    while tile := op.get_bind().scalars(
        sa.select(ballot_tiles.c.hashes)
        .where(
            ballot_tiles.c.day == day, ballot_tiles.c.level == 0, ballot_tiles.c.number == number
        ).order_by(ballot_tiles.c.first)
    ).all():  # fmt: skip
        yield from map(bytes, tile)
        number += 1


def _begin_tiles_at_level_1() -> None:
    if _on_postgresql():
        op.create_check_constraint(op.f("ck_ballot_tiles_level"), "ballot_tiles", "level >= 1")
        return
    with _made_anew("ballot_tiles") as name:
        op.create_table(
            name,
            sa.Column("day", sa.Date(), nullable=False),
            sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("first", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("hashes", sa.LargeBinary(), nullable=False),
            sa.CheckConstraint("first >= 0 AND first < 256", name=op.f("ck_ballot_tiles_first")),
            sa.CheckConstraint("level >= 1", name=op.f("ck_ballot_tiles_level")),
            sa.PrimaryKeyConstraint(
                "day", "level", "number", "first", name=op.f("pk_ballot_tiles")
            ),
            sqlite_with_rowid=False,
        )


@contextmanager
def _made_anew(table: str) -> Iterator[str]:
    """Replace a table by one that the block makes under the name given to it, with all rows.

    SQLite cannot change a rule of a table (sqlite.org, ALTER TABLE, 7). Foreign keys are off
    meanwhile, see env.py.
    """
    with _unguarded(table):
        yield f"{table}_anew"
        op.execute(f"INSERT INTO {table}_anew SELECT * FROM {table}")  # noqa: S608
        op.drop_table(table)
        op.rename_table(f"{table}_anew", table)


@contextmanager
def _unguarded(table: str) -> Iterator[None]:
    """Lift a table's triggers for a block, and put them back as they were."""
    if _on_postgresql():
        op.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        op.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        return
    connection = op.get_bind()
    triggers = connection.execute(
        sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table"),
        {"table": table},
    ).all()
    for name, _ in triggers:
        op.execute(f"DROP TRIGGER {name}")
    yield
    for _, statement in triggers:
        connection.exec_driver_sql(statement)


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
