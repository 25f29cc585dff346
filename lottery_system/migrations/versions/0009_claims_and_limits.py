"""From the draw to the prize: claims of prizes, and the limits of a lottery.

A lottery opens on a day, says how its prize is claimed, and may limit the ballots of a participant
a day and how often its prize can be won. The log of changes keeps all of it; changes from before
have NULL there. Who was offered a prize, claimed it, got it, or lost the right to it is only ever
added, in an order that triggers keep. Of wins older than 30 days by the newest drawn day nothing is
known: claims were not kept then.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

OLD_FIELDS = ("name", "prize", "closes_on")
NEW_FIELDS = ("opens_on", "claim", "most_a_day", "winnable")
LIMITS = ("most_a_day", "winnable")

#: what a claim's event must find, in the words of both databases
MAY_BE_ADDED = """
    CASE NEW.kind
        WHEN 'offered' THEN CASE
            WHEN NEW.place = 1
                THEN (SELECT status FROM draws WHERE day = NEW.day) = 'drawn'
            ELSE EXISTS (SELECT 1 FROM claim_events AS e WHERE e.day = NEW.day
                AND e.place = NEW.place - 1 AND e.kind = 'lapsed') END
        WHEN 'claimed' THEN EXISTS (SELECT 1 FROM claim_events AS e WHERE e.day = NEW.day
            AND e.place = NEW.place AND e.kind = 'offered'
            AND (e.claim_until IS NULL OR e.claim_until >= {day}))
        WHEN 'handed_over' THEN EXISTS (SELECT 1 FROM claim_events AS e WHERE e.day = NEW.day
            AND e.place = NEW.place AND e.kind = 'claimed')
        ELSE EXISTS (SELECT 1 FROM claim_events AS e WHERE e.day = NEW.day
            AND e.place = NEW.place AND e.kind = 'offered') END
    AND NOT EXISTS (SELECT 1 FROM claim_events AS e WHERE e.day = NEW.day
        AND e.place = NEW.place AND e.kind IN ('handed_over', 'lapsed'))
    AND NOT EXISTS (SELECT 1 FROM claim_events AS e WHERE e.day = NEW.day
        AND e.place <= NEW.place AND e.at > NEW.at)
    AND EXISTS (SELECT 1 FROM winners AS w
        JOIN ballots AS b ON b.day = w.day AND b.number = w.number
        WHERE w.day = NEW.day AND w.place = NEW.place
        AND b.lottery_id = NEW.lottery_id AND b.user_id = NEW.holder_id)
"""


def upgrade() -> None:
    if _on_postgresql():  # which holdings there are is read once, however many
        op.execute("SET LOCAL statement_timeout = 0")
    _add_fields()
    _write_changes_down((*OLD_FIELDS, *NEW_FIELDS))
    op.create_index(op.f("ix_holdings_day_lottery_id"), "holdings", ["day", "lottery_id"])
    _add_claims()


def downgrade() -> None:
    if _on_postgresql():
        op.execute("DROP TRIGGER claim_events_in_order ON claim_events")
        op.execute("DROP FUNCTION keep_claims_in_order")
    op.drop_table("claim_contacts")
    op.drop_table("claim_events")
    op.drop_index(op.f("ix_holdings_day_lottery_id"), "holdings")
    _drop_triggers()
    with op.batch_alter_table("lotteries") as lotteries:
        for name in LIMITS:
            lotteries.drop_constraint(op.f(f"ck_lotteries_{name}"), type_="check")
        for name in NEW_FIELDS:
            lotteries.drop_column(name)
    for name in NEW_FIELDS:
        op.drop_column("lottery_changes", name)
    _write_changes_down(OLD_FIELDS)


def _add_fields() -> None:
    _drop_triggers()  # on SQLite the table is made anew, and its triggers would go with it
    with op.batch_alter_table("lotteries") as lotteries:
        lotteries.add_column(sa.Column("opens_on", sa.Date(), nullable=True))
        lotteries.add_column(sa.Column("claim", sa.Text(), nullable=True))
        for name in LIMITS:
            lotteries.add_column(sa.Column(name, sa.Integer(), nullable=True))
    created = _day_of("created_at")
    earlier = f"CASE WHEN {created} < closes_on THEN {created} ELSE closes_on END"
    op.execute(f"UPDATE lotteries SET claim = '', opens_on = {earlier}")  # noqa: S608
    with op.batch_alter_table("lotteries") as lotteries:
        lotteries.alter_column("opens_on", existing_type=sa.Date(), nullable=False)
        lotteries.alter_column("claim", existing_type=sa.Text(), nullable=False)
        for name in LIMITS:
            lotteries.create_check_constraint(op.f(f"ck_lotteries_{name}"), f"{name} >= 1")
    op.add_column("lottery_changes", sa.Column("opens_on", sa.Date(), nullable=True))
    op.add_column("lottery_changes", sa.Column("claim", sa.Text(), nullable=True))
    for name in LIMITS:
        op.add_column("lottery_changes", sa.Column(name, sa.Integer(), nullable=True))


def _add_claims() -> None:
    op.create_table(
        "claim_events",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=11), nullable=False),
        sa.Column("lottery_id", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_by", sa.Integer(), nullable=True),
        sa.Column("claim_until", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("handed_on", sa.Date(), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.CheckConstraint(
            "kind IN ('offered', 'claimed', 'handed_over', 'lapsed')",
            name=op.f("ck_claim_events_kind"),
        ),
        sa.CheckConstraint(
            "(claim_until IS NULL OR kind = 'offered')"
            " AND (kind = 'lapsed') = (reason IS NOT NULL)"
            " AND (kind = 'handed_over') = (handed_on IS NOT NULL)"
            " AND (kind = 'handed_over') = (note IS NOT NULL)",
            name=op.f("ck_claim_events_values"),
        ),
        sa.ForeignKeyConstraint(
            ["day", "place"],
            ["winners.day", "winners.place"],
            name=op.f("fk_claim_events_day_place_winners"),
        ),
        sa.ForeignKeyConstraint(
            ["lottery_id"], ["lotteries.id"], name=op.f("fk_claim_events_lottery_id_lotteries")
        ),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["users.id"], name=op.f("fk_claim_events_holder_id_users")
        ),
        sa.ForeignKeyConstraint(
            ["done_by"], ["users.id"], name=op.f("fk_claim_events_done_by_users")
        ),
        sa.PrimaryKeyConstraint("day", "place", "kind", name=op.f("pk_claim_events")),
    )
    has_ended = sa.text("kind IN ('handed_over', 'lapsed')")
    op.create_index(
        op.f("ix_claim_events_one_end"),
        "claim_events",
        ["day", "place"],
        unique=True,
        sqlite_where=has_ended,
        postgresql_where=has_ended,
    )
    op.create_index(op.f("ix_claim_events_kind_lottery_id"), "claim_events", ["kind", "lottery_id"])
    op.create_index(op.f("ix_claim_events_holder_id"), "claim_events", ["holder_id"])
    op.create_table(
        "claim_contacts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("message", sa.String(length=1000), nullable=False),
        sa.Column("contact", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["day", "place"],
            ["winners.day", "winners.place"],
            name=op.f("fk_claim_contacts_day_place_winners"),
        ),
        sa.PrimaryKeyConstraint("day", "place", name=op.f("pk_claim_contacts")),
    )
    _offer_past_prizes()
    for event in ("UPDATE", "DELETE"):
        _refuse("claim_events", event)
    _keep_in_order()


def _offer_past_prizes() -> None:
    """Let those who won lately claim, without a deadline that they have not heard of."""
    newest = "(SELECT max(day) FROM draws WHERE status = 'drawn')"
    since = f"{newest} - 30" if _on_postgresql() else f"date({newest}, '-30 days')"
    op.execute(f"""
        INSERT INTO claim_events (day, place, kind, lottery_id, holder_id, at)
        SELECT w.day, w.place, 'offered', b.lottery_id, b.user_id, d.drawn_at
        FROM winners AS w
        JOIN draws AS d ON d.day = w.day
        JOIN ballots AS b ON b.day = w.day AND b.number = w.number
        WHERE w.place = 1 AND d.status = 'drawn' AND w.day > {since}
    """)  # noqa: S608


def _keep_in_order() -> None:
    allowed = MAY_BE_ADDED.format(day=_day_of("NEW.at"))
    refused = "a claim is offered, then claimed, then handed over or lapsed"
    if _on_postgresql():
        # whoever adds to the same place waits at the winner's row, and then sees what was added
        op.execute(f"""
            CREATE FUNCTION keep_claims_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM 1 FROM winners WHERE day = NEW.day AND place = NEW.place FOR UPDATE;
                IF NOT coalesce({allowed}, false) THEN
                    RAISE EXCEPTION '{refused}'
                        USING ERRCODE = 'integrity_constraint_violation';
                END IF;
                RETURN NEW;
            END $$
        """)
        op.execute(
            "CREATE TRIGGER claim_events_in_order BEFORE INSERT ON claim_events"
            " FOR EACH ROW EXECUTE FUNCTION keep_claims_in_order()"
        )
        return
    op.execute(
        "CREATE TRIGGER claim_events_in_order BEFORE INSERT ON claim_events FOR EACH ROW"
        f" WHEN NOT coalesce({allowed}, 0) BEGIN SELECT RAISE(ABORT, '{refused}'); END"
    )


def _drop_triggers() -> None:
    on = " ON lotteries" if _on_postgresql() else ""
    for event in ("insert", "update"):
        op.execute(f"DROP TRIGGER lotteries_written_down_on_{event}{on}")


def _write_changes_down(fields: tuple[str, ...]) -> None:
    names = ", ".join(fields)
    values = ", ".join(f"NEW.{name}" for name in fields)
    write = (
        f"INSERT INTO lottery_changes (lottery_id, changed_at, changed_by, {names})"  # noqa: S608
        f" VALUES (NEW.id, NEW.changed_at, NEW.changed_by, {values})"
    )
    differs = "IS DISTINCT FROM" if _on_postgresql() else "IS NOT"
    is_changed = " OR ".join(f"OLD.{name} {differs} NEW.{name}" for name in fields)
    if _on_postgresql():
        op.execute(f"""
            CREATE OR REPLACE FUNCTION write_lottery_down() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN {write}; RETURN NULL; END $$
        """)
        body = "EXECUTE FUNCTION write_lottery_down()"
    else:
        body = f"BEGIN {write}; END"
    for event, when in (("insert", ""), ("update", f"WHEN ({is_changed})")):
        op.execute(
            f"CREATE TRIGGER lotteries_written_down_on_{event} "
            f"AFTER {event.upper()} ON lotteries FOR EACH ROW {when} {body}"
        )


def _refuse(table: str, event: str) -> None:
    if _on_postgresql():
        body = "EXECUTE FUNCTION refuse_to_forget()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{table} is kept for ever'); END"
    name = f"{table}_kept_on_{event.lower()}"
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW {body}")


def _day_of(instant: str) -> str:
    """Return the UTC day of an instant, in the words of the database."""
    return f"({instant} AT TIME ZONE 'UTC')::date" if _on_postgresql() else f"date({instant})"


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
