"""`flask draw audit` of prizes: names each event that the triggers would have refused."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from lottery_system.audit import audit
from lottery_system.audit.prizes import check_prizes
from lottery_system.clock import ONE_DAY
from lottery_system.models import ClaimEvent, Lottery
from lottery_system.models.base import table_of
from lottery_system.models.claim import claim, hand_over, lapse
from lottery_system.queries import auditing_prizes
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import LOG_KEYS
from tests.stand_ins.prizes import end_days
from tests.stand_ins.tampering import unguard

SECOND_DAY = FIRST_DAY + ONE_DAY
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _passed_on(
    session: Session, cast: Cast, big_chance: Lottery, extra_win: Lottery, submit: Submit,
    clock: Clock,
) -> None:  # fmt: skip
    """Let bob win for two days; the first prize lapses, and he gets it as the next reserve."""
    bob = cast.bob.id
    submit(cast.bob, big_chance, 30)
    clock.turn(ONE_DAY)
    submit(cast.bob, big_chance, 30)
    end_days(session, FIRST_NOON + ONE_DAY, places=3)
    clock.turn(ONE_DAY)
    now = FIRST_NOON + 2 * ONE_DAY
    end_days(session, now, places=3)
    with session.begin():
        lapse(session, FIRST_DAY, 1, reason="Never came", now=now + HOUR, claim_days=14)
        claim(session, FIRST_DAY, 2, bob, now=now + 2 * HOUR)
        hand_over(session, FIRST_DAY, 2, handed_on=FIRST_DAY + 2 * ONE_DAY, now=now + 3 * HOUR)
        claim(session, SECOND_DAY, 1, bob, now=now + 4 * HOUR)


def faults_after(session: Session, *statements: str) -> list[str]:
    """List what is found after statements that nothing guards against, which are undone."""
    with session.begin():
        unguard(session)
        session.execute(text("DROP INDEX ix_claim_events_one_end"))
        if session.get_bind().dialect.name == "postgresql":  # SQLite ignores checks by now
            for name in ("kind", "values"):
                session.execute(
                    text(f"ALTER TABLE claim_events DROP CONSTRAINT ck_claim_events_{name}")
                )
        for statement in statements:
            session.execute(text(statement))
        found = list(audit(session.connection(), LOG_KEYS))
        session.rollback()
    return found


def added(day: str, place: int, kind: str, at: str, **values: str) -> str:
    """Write a statement that adds an event of bob's in lottery 1."""
    row = {
        "day": f"'{day}'", "place": str(place), "kind": f"'{kind}'", "lottery_id": "1",
        "holder_id": "2", "at": f"'{at}:00.000000'",
    } | values  # fmt: skip
    return f"INSERT INTO claim_events ({', '.join(row)}) VALUES ({', '.join(row.values())})"


def deleted(day: str, place: int, kind: str) -> str:
    return f"DELETE FROM claim_events WHERE day = '{day}' AND place = {place} AND kind = '{kind}'"


def changed(day: str, place: int, kind: str, values: str) -> str:
    return (
        f"UPDATE claim_events SET {values} WHERE day = '{day}' AND place = {place}"
        f" AND kind = '{kind}'"
    )


FIRST, SECOND, THIRD = "2026-11-19", "2026-11-20", "2026-11-21"
ENDED = {"reason": "'Lost'"}


def test_prizes_that_were_passed_on_are_sound(session: Session) -> None:
    assert faults_after(session) == []


@pytest.mark.parametrize(
    ("statement", "faults"),
    [
        # a place, or a day, that does not exist
        (added(FIRST, 4, "claimed", "2026-11-21 20:00", done_by="2"),
         [f"{FIRST}: the prize of place 4 was claimed, but nobody took that place"]),
        (added("2026-01-01", 1, "offered", "2026-01-02 20:00"),
         ["2026-01-01: the prize of place 1 was offered, but nobody took that place"]),
        # of someone else, or of another lottery, than the ballot
        (changed(SECOND, 1, "offered", "holder_id = 3"),
         [f"{SECOND}: the prize of place 1 is not that of ballot {{number}}"]),
        (changed(SECOND, 1, "claimed", "lottery_id = 2"),
         [f"{SECOND}: the prize of place 1 is not that of ballot {{number}}"]),
        (changed(SECOND, 1, "claimed", "done_by = 3"),
         [f"{SECOND}: the prize of place 1 was claimed by someone other than its winner"]),
        # an event is missing
        (deleted(SECOND, 1, "offered"),
         [f"{SECOND}: the prize of place 1 was claimed, but was never offered",
          f"{SECOND}: nobody was offered its prize, and that of {FIRST} was offered"]),
        (deleted(FIRST, 2, "claimed"),
         [f"{FIRST}: the prize of place 2 was handed over, but was never claimed"]),
        (f"DELETE FROM claim_events WHERE day = '{SECOND}'",
         [f"{SECOND}: nobody was offered its prize, and that of {FIRST} was offered"]),
        # after an end, and two ends
        (added(FIRST, 1, "claimed", "2026-11-21 20:00", done_by="2"),
         [f"{FIRST}: the prize of place 1 has lapsed before it was claimed"]),
        (added(FIRST, 2, "lapsed", "2026-11-21 20:00", **ENDED),
         [f"{FIRST}: the prize of place 2 was handed over, and has lapsed"]),
        (added(FIRST, 1, "handed_over", "2026-11-21 12:30", handed_on="'2026-11-21'", note="''"),
         [f"{FIRST}: the prize of place 1 was handed over, but was never claimed",
          f"{FIRST}: the prize of place 1 was handed over, and has lapsed"]),
        # out of order
        (changed(SECOND, 1, "claimed", "at = '2026-11-21 11:00:00.000000'"),
         [f"{SECOND}: the prize of place 1 was claimed before it was offered"]),
        (changed(FIRST, 2, "offered", "at = '2026-11-21 12:30:00.000000'"),
         [f"{FIRST}: the prize of place 2 was offered before that of place 1 has lapsed"]),
        # after the deadline
        (changed(SECOND, 1, "offered", "claim_until = '2026-11-20'"),
         [f"{SECOND}: the prize of place 1 was claimed after its last day, 2026-11-20"]),
        # two have the prize of one day
        (deleted(FIRST, 1, "lapsed"),
         [f"{FIRST}: the prize of place 2 was offered, but that of place 1 has not lapsed",
          f"{FIRST}: places 1 and 2 have the prize at the same time"]),
        (added(SECOND, 2, "offered", "2026-11-21 20:00"),
         [f"{SECOND}: the prize of place 2 was offered, but that of place 1 has not lapsed",
          f"{SECOND}: places 1 and 2 have the prize at the same time"]),
        # a reserve moved up past another, and one without a place that lapsed before
        (added(SECOND, 3, "offered", "2026-11-21 20:00"),
         [f"{SECOND}: the prize of place 3 was offered, but that of place 2 has not lapsed",
          f"{SECOND}: places 1 and 3 have the prize at the same time"]),
        # values of another kind
        (changed(SECOND, 1, "claimed", "note = 'by post'"),
         [f"{SECOND}: the prize of place 1 has an event with values that do not fit"]),
        (changed(SECOND, 1, "claimed", "kind = 'sold'"),
         [f"{SECOND}: the prize of place 1 has an event with values that do not fit"]),
    ],
)  # fmt: skip
def test_an_event_that_the_triggers_refuse_is_named(
    session: Session, statement: str, faults: list[str]
) -> None:
    with session.begin():
        number = session.scalar(
            text(f"SELECT number FROM winners WHERE day = '{SECOND}' AND place = 1")
        )

    assert faults_after(session, statement) == [each.format(number=number) for each in faults]


def test_a_prize_of_a_day_that_is_not_drawn_is_named(session: Session) -> None:
    found = faults_after(
        session,
        f"INSERT INTO ballots VALUES ('{THIRD}', 1, 1, 2, '2026-11-21 12:00:00.000000')",
        f"INSERT INTO winners (day, place, number) VALUES ('{THIRD}', 1, 1)",
        added(THIRD, 1, "offered", "2026-11-21 20:00"),
    )

    assert f"{THIRD}: the prize of place 1 was offered, but the day is open" in found


def test_wins_from_before_claims_were_kept_are_sound(session: Session) -> None:
    """Migration 0009 offers only the latest ones."""
    assert faults_after(session, f"DELETE FROM claim_events WHERE day = '{FIRST}'") == []
    assert faults_after(session, "DELETE FROM claim_events") == []


def test_a_range_of_days_leaves_the_others_out(session: Session) -> None:
    with session.begin():
        unguard(session)
        session.execute(text(deleted(FIRST, 2, "claimed")))
        session.execute(text(deleted(SECOND, 1, "offered")))
        connection = session.connection()
        of_first = list(check_prizes(connection, last=FIRST_DAY))
        of_second = list(check_prizes(connection, first=SECOND_DAY))
        session.rollback()

    assert {each[:10] for each in of_first} == {FIRST}
    assert {each[:10] for each in of_second} == {SECOND}


def test_damaged_values_are_said_and_not_thrown(session: Session) -> None:
    if session.get_bind().dialect.name == "postgresql":
        pytest.skip("PostgreSQL keeps no text where a time belongs")

    found = faults_after(session, "UPDATE claim_events SET at = 'noon'")

    assert any(each.startswith("the events of prizes cannot be read (") for each in found), found


def test_events_are_read_in_pieces_with_a_statement_each(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing_prizes, "_EVENTS", auditing_prizes._EVENTS.limit(2))
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    with session.begin():
        unguard(session)
        session.execute(text(deleted(FIRST, 2, "claimed")))
        connection = session.connection()
        event.listen(engine, "before_cursor_execute", note)
        found = list(check_prizes(connection))
        event.remove(engine, "before_cursor_execute", note)
        session.rollback()

    assert found == [f"{FIRST}: the prize of place 2 was handed over, but was never claimed"]
    rows = 6 - 1
    assert len(asked) == rows // 2 + 1 + 1 + 1  # three pieces, that there is no more, the offers


def test_the_events_have_the_columns_that_are_read() -> None:
    columns = table_of(ClaimEvent).columns.keys()

    assert list(auditing_prizes.AuditedEvent._fields[: len(columns)]) == columns
