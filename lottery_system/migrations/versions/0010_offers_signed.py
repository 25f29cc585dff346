"""Signed offers: a note for each day that is closed from now on; days before have none.

Once a day's offers are signed no more can be added, since the note is of them all. All lotteries
that a day's ballots can be of are found at the close now, none at the draw. A day that is closed
and not drawn yet gets here what its draw would have added, as far as it is missing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

IS_SIGNED = "EXISTS (SELECT 1 FROM offer_notes WHERE day = NEW.day)"
TOO_LATE = "the offers of a day are signed"


def upgrade() -> None:
    op.create_table(
        "offer_notes",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["day"], ["draws.day"], name=op.f("fk_offer_notes_day_draws")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_offer_notes")),
    )
    for event in ("UPDATE", "DELETE"):
        _refuse("offer_notes", event)
    op.execute("""
        INSERT INTO offers (day, lottery_id, change_id)
        SELECT draws.day, lottery_changes.lottery_id, max(lottery_changes.id)
        FROM draws JOIN lottery_changes ON lottery_changes.lottery_id IN (
            SELECT lottery_id FROM lottery_changes AS said WHERE said.closes_on >= draws.day)
        WHERE draws.status = 'closed' AND NOT EXISTS (
            SELECT 1 FROM offers
            WHERE offers.day = draws.day AND offers.lottery_id = lottery_changes.lottery_id)
        GROUP BY draws.day, lottery_changes.lottery_id
    """)
    if _on_postgresql():
        op.execute(f"""
            CREATE FUNCTION refuse_offers_once_signed() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF {IS_SIGNED} THEN RAISE EXCEPTION '{TOO_LATE}'
                    USING ERRCODE = 'integrity_constraint_violation'; END IF;
                RETURN NEW;
            END $$
        """)
        body = "EXECUTE FUNCTION refuse_offers_once_signed()"
    else:
        body = f"WHEN ({IS_SIGNED}) BEGIN SELECT RAISE(ABORT, '{TOO_LATE}'); END"
    op.execute(f"CREATE TRIGGER offers_kept_on_insert BEFORE INSERT ON offers FOR EACH ROW {body}")


def downgrade() -> None:
    on = " ON offers" if _on_postgresql() else ""
    op.execute(f"DROP TRIGGER offers_kept_on_insert{on}")
    if _on_postgresql():
        op.execute("DROP FUNCTION refuse_offers_once_signed")
    op.drop_table("offer_notes")


def _refuse(table: str, event: str) -> None:
    if _on_postgresql():
        body = "EXECUTE FUNCTION refuse_to_forget()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{table} is kept for ever'); END"
    name = f"{table}_kept_on_{event.lower()}"
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {body}")


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
