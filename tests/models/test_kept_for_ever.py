"""Triggers and constraints: what the database refuses, whoever asks."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from lottery_system.models import Cosignature, JournalRecord, Lottery, Timestamp
from lottery_system.timestamp_proof import ProofPath
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Submit
from tests.stand_ins.cosigning import CosigningKey
from tests.stand_ins.log_keys import run_due

WITNESS = CosigningKey("w1.example", bytes(32))

Played = Callable[[int], None]


@pytest.fixture
def _drawn_day(session: Session, cast: Cast, big_chance: Lottery, submit: Submit) -> None:
    submit(cast.bob, big_chance, 3)
    run_due(session, FIRST_NOON + timedelta(days=1), places=1)
    with session.begin():
        note = session.get_one(JournalRecord, (0, 1)).checkpoint
        Cosignature.keep(session.connection(), 0, 1, WITNESS.answer(note, 1))
        Timestamp.keep(session.connection(), 0, 1, "https://a.example", [ProofPath((), 1)])


@pytest.mark.usefixtures("_drawn_day")
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ballots WHERE number = 2",
        "UPDATE ballots SET user_id = 1 WHERE number = 2",
        "UPDATE submissions SET ballot_count = 2",
        "DELETE FROM submissions",
        "UPDATE winners SET number = number % 3 + 1",
        "DELETE FROM winners",
        "DELETE FROM draws WHERE status = 'open'",
        "UPDATE draws SET ballot_count = ballot_count + 1 WHERE status = 'drawn'",
        "UPDATE draws SET status = 'open', seed = NULL, places = NULL, closed_at = NULL,"
        " drawn_at = NULL WHERE status = 'drawn'",
        "UPDATE draws SET day = '2000-01-01' WHERE status = 'open'",
        "UPDATE draws SET ballot_count = -1 WHERE status = 'open'",
        "UPDATE draws SET status = 'drawn' WHERE status = 'open'",
        "UPDATE draws SET status = 'asleep' WHERE status = 'open'",
        "UPDATE journal SET record = 'another'",
        "DELETE FROM journal WHERE number = 1",
        "UPDATE cosignatures SET time = 0",
        "DELETE FROM cosignatures",
        "INSERT INTO cosignatures SELECT * FROM cosignatures",
        "INSERT INTO cosignatures SELECT timeline, 9, witness, time, line, false FROM cosignatures",
        "UPDATE timestamps SET is_complete = false",
        "DELETE FROM timestamps",
        "INSERT INTO timestamps SELECT * FROM timestamps",
        "INSERT INTO timestamps SELECT timeline, 9, calendar, is_complete, proof FROM timestamps",
        "UPDATE journal_tiles SET first = first + 1",
        "DELETE FROM journal_tiles",
        "UPDATE offers SET change_id = change_id",
        "DELETE FROM offers",
        "INSERT INTO offers SELECT day, lottery_id, change_id FROM offers",
        "UPDATE offer_notes SET note = note",
        "DELETE FROM offer_notes",
        "UPDATE submissions SET holders = leaves",
        "INSERT INTO winners (day, place, number) VALUES ('2026-11-19', 2, 4)",
        "INSERT INTO winners (day, place, number) SELECT day, 2, number FROM winners",
        "INSERT INTO ballots SELECT day, number, lottery_id, user_id, submitted_at FROM ballots",
        "INSERT INTO ballots SELECT day, 0, lottery_id, user_id, submitted_at FROM ballots LIMIT 1",
    ],
)
def test_what_was_drawn_cannot_be_changed(session: Session, statement: str) -> None:
    with pytest.raises(DatabaseError), session.begin():
        session.execute(text(statement))


@pytest.mark.usefixtures("_drawn_day")
def test_nothing_can_be_added_to_what_a_signed_day_offered(session: Session) -> None:
    with session.begin():
        late = Lottery.create("Late", "", FIRST_DAY + timedelta(days=9), FIRST_NOON)
        session.add(late)
    added = text(
        "INSERT INTO offers SELECT '2026-11-19', lottery_id, max(id) FROM lottery_changes"
        " WHERE lottery_id = :late GROUP BY lottery_id"
    )

    with pytest.raises(DatabaseError, match="the offers of a day are signed"), session.begin():
        session.execute(added, {"late": late.id})


@pytest.mark.parametrize(
    "statement",
    ["UPDATE ballot_tiles SET hashes = substr(hashes, 1, 8)", "DELETE FROM ballot_tiles"],
)
def test_the_tree_above_the_ballots_cannot_be_changed(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, statement: str
) -> None:
    submit(cast.bob, big_chance, 300)

    with pytest.raises(DatabaseError, match="kept for ever"), session.begin():
        session.execute(text(statement))


@pytest.mark.parametrize(
    "change",
    ["frontier = x'00'", "places = 2", "ballot_count = 4", "status = 'closed', ballot_count = 4"],
)
def test_a_closed_day_can_only_be_drawn(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, change: str
) -> None:
    submit(cast.bob, big_chance, 3)
    run_due(session, FIRST_NOON, places=1)
    with session.begin():
        session.execute(text(
            "UPDATE draws SET status = 'closed', places = 1,"
            " closed_at = '2026-11-20 00:00:00'"
            if session.get_bind().dialect.name == "sqlite"
            else "UPDATE draws SET status = 'closed', places = 1, closed_at = now()"
        ))  # fmt: skip
    if session.get_bind().dialect.name == "postgresql":
        change = change.replace("x'00'", "'\\x00'")

    with pytest.raises(DatabaseError, match="kept for ever"), session.begin():
        session.execute(text(f"UPDATE draws SET {change}"))
