"""`flask draw audit`: nothing wrong where nothing is, and each tampering by its name."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from lottery_system import audit as audit_module
from lottery_system.audit import audit
from lottery_system.models import Lottery
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.operators import OPERATOR, run_due

ONE_DAY = timedelta(days=1)

Find = Callable[[], list[str]]


@pytest.fixture
def find(session: Session) -> Find:
    """Return a function that lists all that is wrong."""

    def find() -> list[str]:
        with session.begin():
            return list(audit(session.connection(), OPERATOR))

    return find


@pytest.fixture
def _days(
    session: Session, cast: Cast, big_chance: Lottery, extra_win: Lottery, submit: Submit,
    clock: Clock, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Let there be a drawn day, one without a ballot, and today; look at 256 ballots at a time."""
    monkeypatch.setattr(audit_module, "STEP", 256)
    run_due(session, FIRST_NOON)
    submit(cast.bob, big_chance, 300)
    submit(cast.charlie, extra_win, 2)
    submit(cast.bob, big_chance, 400)
    clock.turn(2 * ONE_DAY)
    submit(cast.bob, big_chance, 5)
    run_due(session, FIRST_NOON + 2 * ONE_DAY, places=3)


@pytest.mark.usefixtures("_days")
def test_where_nothing_is_wrong_nothing_is_found(find: Find) -> None:
    assert find() == []


def test_a_lottery_that_has_just_begun_is_sound(session: Session, find: Find) -> None:
    run_due(session, FIRST_NOON)

    assert find() == []


@pytest.mark.usefixtures("_days")
@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE ballots SET user_id = 1 WHERE number = 301", "are not those that were submitted"),
        ("UPDATE ballots SET lottery_id = 2 WHERE number = 700", "are not those that were submi"),
        ("DELETE FROM ballots WHERE number = 5 AND day < '2026-11-20'", "are not those that were"),
        ("INSERT INTO ballots SELECT day, 703, lottery_id, user_id, submitted_at FROM ballots"
         " WHERE number = 1 AND day < '2026-11-20'", "ballots beyond the 702"),
        ("UPDATE submissions SET user_id = 3 WHERE first_number = 1 AND ballot_count = 300",
         "does not open to its holder"),
        ("UPDATE submissions SET lottery_id = 2 WHERE first_number = 303", "log's head is not"),
        ("UPDATE submissions SET leaves = holders WHERE first_number = 301",
         "the log's tile 1 of level 0 is not"),
        ("UPDATE ballot_tiles SET hashes = {other} WHERE first = 1 OR first = 0",
         "the log's tile 0 of level 1 is not"),
        ("UPDATE holdings SET ballot_count = 699 WHERE ballot_count = 700",
         "is not what they submitted"),
        ("UPDATE draws SET places = 2 WHERE places = 3 AND day < '2026-11-20'",
         "what was frozen is not what is stored"),
        ("UPDATE draws SET frontier = {other} WHERE day < '2026-11-20'", "the log's head is not"),
        ("UPDATE winners SET place = 4 WHERE place = 3", "does not pass its own checks"),
        ("UPDATE journal SET record = replace(record, 'size 702', 'size 701')",
         "its tiles and its checkpoint do not fit"),
        ("UPDATE journal SET checkpoint = replace(checkpoint, 'local', 'lokal')",
         "the journal's checkpoint"),
        ("UPDATE draws SET day = '2026-12-24' WHERE day = '2026-11-20'", "2026-11-20 has no draw"),
    ],
)  # fmt: skip
def test_whatever_is_tampered_with_is_found(
    session: Session, find: Find, statement: str, fault: str
) -> None:
    """Everything that guards the tables is switched off first."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    other = f"x'{'07' * 192}'" if is_sqlite else f"'\\x{'07' * 192}'"
    with session.begin():
        if is_sqlite:
            for name in session.scalars(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            ).all():
                session.execute(text(f"DROP TRIGGER {name}"))
            session.execute(text("PRAGMA ignore_check_constraints = ON"))
            session.execute(text("PRAGMA defer_foreign_keys = ON"))
        else:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        found = find_in(session, statement.format(other=other))
        session.rollback()

    assert any(fault in each for each in found), found


def find_in(session: Session, statement: str) -> list[str]:
    session.execute(text(statement))
    return list(audit(session.connection(), OPERATOR))


@pytest.mark.usefixtures("_days")
def test_the_command_says_that_all_is_well(app: Flask) -> None:
    done = app.test_cli_runner().invoke(args=["draw", "audit"])

    assert (done.exit_code, done.output) == (0, "All days, ballots and logs fit each other.\n")


@pytest.mark.usefixtures("_days")
def test_the_command_names_what_is_wrong(app: Flask, session: Session) -> None:
    with session.begin():
        session.execute(text("UPDATE holdings SET ballot_count = 1 WHERE ballot_count = 2"))

    done = app.test_cli_runner().invoke(args=["draw", "audit"])

    assert done.exit_code == 1
    assert f"{FIRST_DAY}: what people are said to hold" in done.output
    assert "1 things are wrong." in done.output
