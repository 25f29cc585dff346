"""What is kept for ever.

Ballots, submissions and winners are only ever added, and a draw only moves forward. The code has
no way to do otherwise; these triggers keep a slip of ours, or of a hand at the database, from it.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ONLY_ADDED = ("ballots", "submissions", "winners")

#: a drawn day does not change at all; of a closed one, only that it is drawn
BACKWARD = """
    OLD.status = 'drawn' OR OLD.day <> NEW.day
    OR (OLD.status = 'closed' AND (
        NEW.status <> 'drawn' OR NEW.ballot_count <> OLD.ballot_count OR NEW.seed <> OLD.seed
        OR NEW.places <> OLD.places OR NEW.closed_at <> OLD.closed_at))
    OR NEW.ballot_count < OLD.ballot_count
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("""
            CREATE FUNCTION refuse_to_forget() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '% is kept for ever', TG_TABLE_NAME
                USING ERRCODE = 'integrity_constraint_violation'; END $$
        """)
    for table in ONLY_ADDED:
        _refuse(table, "UPDATE")
    for table in (*ONLY_ADDED, "draws"):
        _refuse(table, "DELETE")
    _refuse("draws", "UPDATE", f"WHEN ({BACKWARD})")


def downgrade() -> None:
    names = [(table, event) for table in (*ONLY_ADDED, "draws") for event in ("update", "delete")]
    if op.get_bind().dialect.name == "postgresql":
        for table, event in names:
            op.execute(f"DROP TRIGGER {table}_kept_on_{event} ON {table}")
        op.execute("DROP FUNCTION refuse_to_forget")
    else:
        for table, event in names:
            op.execute(f"DROP TRIGGER {table}_kept_on_{event}")


def _refuse(table: str, event: str, when: str = "") -> None:
    if op.get_bind().dialect.name == "postgresql":
        body = "EXECUTE FUNCTION refuse_to_forget()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{table} is kept for ever'); END"
    name = f"{table}_kept_on_{event.lower()}"
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {when} {body}")
