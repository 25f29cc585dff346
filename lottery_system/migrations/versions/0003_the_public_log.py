"""The public log: the journal, the days' logs, and what ties a ballot to its holder.

Days that are drawn stay as they are: their seed was the server's own, and no log is made up for
them afterwards. The journal begins with the first day that is not drawn; what was submitted on it
before this migration enters its log here, in the order of the numbers, as if it came now. A day
that was closed and not yet drawn is drawn here, from the seed that its close had fixed.
"""

import os
from datetime import UTC
from typing import Any

import sqlalchemy as sa
from alembic import op

from lottery_system.fairness.commitment import SALT_BYTES, holder_hash
from lottery_system.fairness.merkle import Frontier, leaf_hash
from lottery_system.fairness.records import format_run
from lottery_system.fairness.selection import winning_ballots
from lottery_system.fairness.tiles import pieces

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ONLY_ADDED = ("journal", "journal_tiles", "ballot_tiles")

STATUS = """
    (status = 'open' AND seed IS NULL AND places IS NULL AND closed_at IS NULL AND drawn_at IS NULL)
    OR (status = 'closed' AND seed IS {closed} NULL AND places >= 1 AND closed_at IS NOT NULL
        AND drawn_at IS NULL)
    OR (status = 'drawn' AND seed IS NOT NULL AND places >= 1 AND closed_at IS NOT NULL
        AND drawn_at IS NOT NULL)
"""

#: a drawn day does not change at all; of a closed one, only that it is drawn
BACKWARD = """
    OLD.status = 'drawn' OR OLD.day <> NEW.day
    OR (OLD.status = 'closed' AND (
        NEW.status <> 'drawn' OR NEW.ballot_count <> OLD.ballot_count
        OR NEW.places <> OLD.places OR NEW.closed_at <> OLD.closed_at {more}))
    OR NEW.ballot_count < OLD.ballot_count
"""
BACKWARD_BEFORE = BACKWARD.format(more="OR NEW.seed <> OLD.seed")
BACKWARD_NOW = BACKWARD.format(more="OR NEW.frontier <> OLD.frontier")

COLUMNS = "day, status, ballot_count, seed, places, closed_at, drawn_at"

draws = sa.table(
    "draws", sa.column("day", sa.Date), sa.column("status"), sa.column("ballot_count"),
    sa.column("frontier", sa.LargeBinary), sa.column("seed", sa.LargeBinary), sa.column("places"),
    sa.column("closed_at", sa.DateTime(timezone=True)),
    sa.column("drawn_at", sa.DateTime(timezone=True)),
)  # fmt: skip
submissions = sa.table(
    "submissions", sa.column("token", sa.Uuid), sa.column("user_id"), sa.column("lottery_id"),
    sa.column("day", sa.Date), sa.column("first_number"), sa.column("ballot_count"),
    sa.column("submitted_at", sa.DateTime(timezone=True)), sa.column("salts", sa.LargeBinary),
    sa.column("holders", sa.LargeBinary), sa.column("leaves", sa.LargeBinary),
)  # fmt: skip
users = sa.table("users", sa.column("id"), sa.column("username"))
winners = sa.table(
    "winners", sa.column("day", sa.Date), sa.column("place"), sa.column("number")
)  # fmt: skip
ballot_tiles = sa.table(
    "ballot_tiles", sa.column("day", sa.Date), sa.column("level"), sa.column("number"),
    sa.column("first"), sa.column("hashes", sa.LargeBinary),
)  # fmt: skip


def upgrade() -> None:
    _draw_what_is_closed()
    _create_tables()
    op.add_column("submissions", _bytes("salts"))
    op.add_column("submissions", _bytes("holders"))
    op.add_column("submissions", _bytes("leaves"))
    _rebuild_draws(now=True)
    if _on_postgresql():
        # bytes that look random are not worth trying to compress; and parts of them can be read
        for column in ("salts", "holders", "leaves"):
            op.execute(f"ALTER TABLE submissions ALTER COLUMN {column} SET STORAGE EXTERNAL")
        for table in ("ballot_tiles", "journal_tiles"):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN hashes SET STORAGE EXTERNAL")
    _fill_logs()
    for table in ONLY_ADDED:
        _refuse(table, "UPDATE")
        _refuse(table, "DELETE")


def downgrade() -> None:
    for table in ONLY_ADDED:
        op.drop_table(table)
    # a day that was closed without a seed cannot be drawn in the way of before: it gets one now
    _allow("draws", "UPDATE")
    if _on_postgresql():
        op.drop_constraint(op.f("ck_draws_status"), "draws", type_="check")
    else:
        _rebuild_draws(now=None)
    for (day,) in op.get_bind().execute(sa.select(draws.c.day).where(draws.c.status == "closed")):
        op.get_bind().execute(
            sa.update(draws).where(draws.c.day == day).values(seed=os.urandom(32))
        )
    _rebuild_draws(now=False)
    with op.batch_alter_table("submissions") as batch:
        batch.drop_column("salts")
        batch.drop_column("holders")
        batch.drop_column("leaves")
    if not _on_postgresql():  # the table was made anew, without its triggers
        _refuse("submissions", "UPDATE")
        _refuse("submissions", "DELETE")


def _create_tables() -> None:
    op.create_table(
        "journal",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("(number = 0) = (day IS NULL)", name=op.f("ck_journal_day")),
        sa.CheckConstraint("number >= 0", name=op.f("ck_journal_number")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_journal")),
        sa.UniqueConstraint("day", name=op.f("uq_journal_day")),
    )
    op.create_table(
        "journal_tiles",
        *_tile_columns(),
        sa.CheckConstraint("first >= 0 AND first < 256", name=op.f("ck_journal_tiles_first")),
        sa.PrimaryKeyConstraint("level", "number", "first", name=op.f("pk_journal_tiles")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ballot_tiles",
        sa.Column("day", sa.Date(), nullable=False),
        *_tile_columns(),
        sa.CheckConstraint("first >= 0 AND first < 256", name=op.f("ck_ballot_tiles_first")),
        sa.CheckConstraint("level >= 1", name=op.f("ck_ballot_tiles_level")),
        sa.PrimaryKeyConstraint("day", "level", "number", "first", name=op.f("pk_ballot_tiles")),
        sqlite_with_rowid=False,
    )


def _tile_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
    ]


def _bytes(name: str) -> sa.Column[Any]:
    """Return a column of bytes that is empty in the rows that are there."""
    empty = "''" if _on_postgresql() else "x''"
    return sa.Column(name, sa.LargeBinary(), nullable=False, server_default=sa.text(empty))


def _draw_what_is_closed() -> None:
    """Draw, in the way of before, the days that were closed in that way."""
    connection = op.get_bind()
    closed = connection.execute(
        sa.select(draws.c.day, draws.c.seed, draws.c.ballot_count, draws.c.places)
        .where(draws.c.status == "closed").order_by(draws.c.day)
    ).all()  # fmt: skip
    for day, seed, ballot_count, places in closed:
        for pick in winning_ballots(bytes(seed), ballot_count, places):
            connection.execute(
                sa.insert(winners).values(day=day, place=pick.place, number=pick.number)
            )
        connection.execute(
            sa.update(draws).where(draws.c.day == day)
            .values(status="drawn", drawn_at=draws.c.closed_at)
        )  # fmt: skip


def _fill_logs() -> None:
    """Let the ballots of days that are not over enter their logs."""
    connection = op.get_bind()
    _allow("submissions", "UPDATE")
    open_days = connection.scalars(
        sa.select(draws.c.day).where(draws.c.status == "open", draws.c.ballot_count > 0)
    ).all()
    for day in open_days:
        frontier = Frontier()
        rows = connection.execute(
            sa.select(submissions, users.c.username)
            .join_from(submissions, users, users.c.id == submissions.c.user_id)
            .where(submissions.c.day == day).order_by(submissions.c.first_number)
        ).all()  # fmt: skip
        for row in rows:
            salts = [os.urandom(SALT_BYTES) for _ in range(row.ballot_count)]
            holders = [holder_hash(salt, row.username) for salt in salts]
            at = row.submitted_at
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
            records = format_run(day, row.first_number, row.lottery_id, holders, at)
            leaves = [leaf_hash(record) for record in records]
            frontier, grown = frontier.extend(leaves)
            connection.execute(
                sa.update(submissions).where(submissions.c.token == row.token)
                .values(salts=b"".join(salts), holders=b"".join(holders), leaves=b"".join(leaves))
            )  # fmt: skip
            for piece in pieces(grown):
                if piece.tile.level == 0:
                    continue
                connection.execute(
                    sa.insert(ballot_tiles).values(
                        day=day, level=piece.tile.level, number=piece.tile.number,
                        first=piece.offset, hashes=piece.hashes,
                    )
                )  # fmt: skip
        assert frontier.size == sum(row.ballot_count for row in rows)
        connection.execute(
            sa.update(draws).where(draws.c.day == day).values(frontier=frontier.to_bytes())
        )
    _refuse("submissions", "UPDATE")


def _rebuild_draws(*, now: bool | None) -> None:
    """Give the days the columns and rules of this version, or of the one before.

    None: the columns of the one before, and no rule of what goes with which status.
    """
    before = STATUS.format(closed="NOT")
    status = {True: STATUS.format(closed=""), False: before, None: "status = status"}[now]
    backward = {True: BACKWARD_NOW, False: BACKWARD_BEFORE, None: None}[now]
    if _on_postgresql():
        if now:
            op.drop_constraint(op.f("ck_draws_status"), "draws", type_="check")
            _allow("draws", "UPDATE")
            op.add_column("draws", _bytes("frontier"))
            op.add_column("draws", sa.Column("beacon_signature", sa.LargeBinary(48)))
        else:
            op.drop_column("draws", "frontier")
            op.drop_column("draws", "beacon_signature")
        op.create_check_constraint(op.f("ck_draws_status"), "draws", status)
    else:
        _copy_draws(status, with_log=bool(now))
        _refuse("draws", "DELETE")
    if backward:
        _refuse("draws", "UPDATE", f"WHEN ({backward})")


def _copy_draws(status: str, *, with_log: bool) -> None:
    """Make the table anew, since SQLite cannot change a rule of one (sqlite.org, ALTER TABLE, 7).

    Foreign keys are off meanwhile, see env.py.
    """
    more: list[sa.Column[Any]] = [
        _bytes("frontier"),
        sa.Column("beacon_signature", sa.LargeBinary(48)),
    ]
    op.create_table(
        "draws_anew",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("status", sa.String(length=6), nullable=False),
        sa.Column("ballot_count", sa.Integer(), nullable=False),
        *(more if with_log else []),
        sa.Column("seed", sa.LargeBinary(length=32), nullable=True),
        sa.Column("places", sa.Integer(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(status, name=op.f("ck_draws_status")),
        sa.CheckConstraint("ballot_count >= 0", name=op.f("ck_draws_ballot_count")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_draws")),
    )
    op.execute(f"INSERT INTO draws_anew ({COLUMNS}) SELECT {COLUMNS} FROM draws")  # noqa: S608
    op.drop_table("draws")
    op.rename_table("draws_anew", "draws")


def _refuse(table: str, event: str, when: str = "") -> None:
    if _on_postgresql():
        body = "EXECUTE FUNCTION refuse_to_forget()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{table} is kept for ever'); END"
    name = f"{table}_kept_on_{event.lower()}"
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {when} {body}")


def _allow(table: str, event: str) -> None:
    name = f"{table}_kept_on_{event.lower()}"
    op.execute(f"DROP TRIGGER {name} ON {table}" if _on_postgresql() else f"DROP TRIGGER {name}")


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
