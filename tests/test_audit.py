"""`flask draw audit`: passes on an intact database, and names each tampering."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from lottery_system.audit import audit, days
from lottery_system.audit import day as day_module
from lottery_system.audit.progress import Progress, ProgressLine
from lottery_system.certificates import day_checkpoint
from lottery_system.extensions import db
from lottery_system.extensions import reading as reading_connection
from lottery_system.fairness.note import Checkpoint, SigningKey, open_checkpoint, sign_checkpoint
from lottery_system.keys import LOG_KEY
from lottery_system.models import Cosignature, JournalRecord, Lottery, OfferNote, Timestamp
from lottery_system.queries.logs import journal_rows
from lottery_system.runtime.database import READING, snapshot
from lottery_system.timestamp_proof import ProofPath
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.cosigning import CosigningKey
from tests.stand_ins.log_keys import LOG_KEYS, run_due
from tests.stand_ins.tampering import unguard

ONE_DAY = timedelta(days=1)

Find = Callable[[], list[str]]


@pytest.fixture
def find(session: Session) -> Find:
    """Return a function that lists all that is wrong."""

    def find() -> list[str]:
        with session.begin():
            return list(audit(session.connection(), LOG_KEYS))

    return find


@pytest.fixture
def _days(
    session: Session, cast: Cast, big_chance: Lottery, extra_win: Lottery, submit: Submit,
    clock: Clock, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Let there be a drawn day, one without a ballot, and today; look at 256 ballots at a time."""
    monkeypatch.setattr(day_module, "STEP", 256)
    run_due(session, FIRST_NOON)
    submit(cast.bob, big_chance, 300)
    submit(cast.charlie, extra_win, 2)
    submit(cast.bob, big_chance, 400)
    clock.turn(2 * ONE_DAY)
    submit(cast.bob, big_chance, 5)
    run_due(session, FIRST_NOON + 2 * ONE_DAY, places=3)
    with session.begin():
        note = session.get_one(JournalRecord, (0, 1)).checkpoint
        signed = CosigningKey("w1.example", bytes(32)).answer(note, 1)
        Cosignature.keep(session.connection(), 0, 1, signed)
        proof = [ProofPath((), 1)]
        Timestamp.keep(session.connection(), 0, 1, "https://a.example", proof)


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
         "the holdings do not match"),
        ("UPDATE draws SET places = 2 WHERE places = 3 AND day < '2026-11-20'",
         "the freeze does not match the stored rows"),
        ("UPDATE draws SET frontier = {other} WHERE day < '2026-11-20'", "the log's head is not"),
        ("UPDATE winners SET place = 4 WHERE place = 3", "fails its own checks"),
        ("UPDATE journal SET record = replace(record, 'size 702', 'size 701')",
         "record 1 of the journal and its checkpoint do not match"),
        ("UPDATE journal SET checkpoint = replace(checkpoint, 'local', 'lokal')",
         "the journal's checkpoint"),
        ("UPDATE draws SET day = '2026-12-24' WHERE day = '2026-11-20'", "2026-11-20 has no draw"),
        ("UPDATE journal SET record = 'gone' WHERE number = 0", "the journal's genesis"),
        ("UPDATE journal SET record = 'gone' WHERE number = 2", "is not the freeze of 2026-11-20"),
        ("UPDATE journal SET frontier = {other} WHERE number = 1", "record 1 of the journal and"),
        ("UPDATE journal SET checkpoint = (SELECT checkpoint FROM journal WHERE number = 0)"
         " WHERE number = 1", "record 1 of the journal and its checkpoint do not match"),
        ("DELETE FROM journal WHERE number = 1", "record 1 of the journal is missing"),
        ("DELETE FROM journal WHERE number = 2", "2 days are closed, but the journal has"),
        ("UPDATE cosignatures SET time = 2", "a cosignature of record 1 of the journal is malf"),
        ("UPDATE cosignatures SET line = '—'", "a cosignature of record 1 of the journal is malf"),
        ("UPDATE timestamps SET is_complete = false", "a timestamp of record 1 of the journal is"),
        ("UPDATE timestamps SET proof = {other}", "a timestamp of record 1 of the journal is malf"),
        ("DELETE FROM journal_tiles", "the journal's records and its tiles do not match"),
        ("UPDATE users SET username = 'bobby' WHERE username = 'bob'",
         "ballot 1 does not open to its holder, nor do 299 others up to 300"),
        ("DELETE FROM users WHERE username = 'bob'", "does not open to its holder"),
        ("UPDATE submissions SET salts = holders WHERE first_number = 301", "ballot 301 does not"),
        ("UPDATE submissions SET holders = salts WHERE first_number = 301", "duplicated from 301"),
        ("DELETE FROM submissions WHERE first_number = 301", "or duplicated from 301 on"),
        ("UPDATE submissions SET first_number = 302 WHERE first_number = 303", "from 303 on"),
        ("UPDATE submissions SET first_number = 290, day = '2026-11-19' WHERE ballot_count = 5",
         "1 submissions are not among those of the 702 ballots"),
        ("UPDATE submissions SET first_number = 703, day = '2026-11-19' WHERE ballot_count = 5",
         "1 submissions are not among those of the 702 ballots"),
        ("INSERT INTO ballot_tiles VALUES ('2026-11-19', 1, 0, 9, {other})",
         "the log's tile 0 of level 1 is not"),
        ("UPDATE lottery_changes SET prize = 'a car' WHERE lottery_id = 1",
         "2026-11-19: its offers are not what was signed (the list of offers is not the one that"),
        ("UPDATE lottery_changes SET name = 'Other' WHERE lottery_id = 2", "are not what was sig"),
        ("DELETE FROM offers WHERE lottery_id = 2", "2026-11-19: its offers are not what was sig"),
        ("UPDATE offer_notes SET note = (SELECT note FROM offer_notes WHERE day = '2026-11-19')",
         "not what was signed (the note is of lottery.local/offers/2026-11-19, not of"),
        ("UPDATE offer_notes SET note = (SELECT checkpoint FROM journal WHERE number = 1)",
         "not what was signed (this is not a note of offers"),
        ("UPDATE offer_notes SET note = 'gone'", "not what was signed (this is not a signed note"),
        ("DELETE FROM offer_notes WHERE day = '2026-11-20'",
         "2026-11-20: its offers are not signed, and those of 2026-11-19 are"),
        ("INSERT INTO offer_notes SELECT '2026-11-21', note FROM offer_notes"
         " WHERE day = '2026-11-19'", "2026-11-21 is open, but its offers are signed"),
        ("INSERT INTO holdings VALUES (3, '2026-11-20', 1, 1)", "2026-11-20: the holdings do not"),
        ("UPDATE ballots SET day = '2027-01-01' WHERE day > '2026-11-20' AND number = 5",
         "2027-01-01 has ballots, but no draw"),
        ("UPDATE winners SET day = '2026-11-21' WHERE place = 1", "2026-11-21 is not drawn, but"),
        ("UPDATE ballots SET submitted_at = '2026-11-19 12:00:01+00' WHERE number = 9",
         "are not those that were submitted"),
    ],
)  # fmt: skip
def test_whatever_is_tampered_with_is_found(
    session: Session, find: Find, statement: str, fault: str
) -> None:
    """Everything that guards the tables is switched off first."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    other = f"x'{'07' * 192}'" if is_sqlite else f"'\\x{'07' * 192}'"
    with session.begin():
        unguard(session)
        found = find_in(session, statement.format(other=other))
        session.rollback()

    assert any(fault in each for each in found), found


@pytest.mark.usefixtures("_days")
def test_a_winner_of_what_was_not_offered_is_found_though_the_list_is_signed(
    session: Session,
) -> None:
    with session.begin():
        unguard(session)
        for table in ("offers", "offer_notes"):
            session.execute(text(f"DELETE FROM {table} WHERE day = '2026-11-19'"))
        OfferNote.sign(session.connection(), FIRST_DAY, LOG_KEYS.key)
        found = list(audit(session.connection(), LOG_KEYS))
        session.rollback()

    assert found == [f"{FIRST_DAY}: lottery 1 won, and is not among what was offered"]


@pytest.mark.usefixtures("_days")
def test_days_closed_before_offers_were_signed_are_sound(session: Session) -> None:
    with session.begin():
        unguard(session)
        session.execute(text("DELETE FROM offer_notes WHERE day = '2026-11-19'"))
        assert list(audit(session.connection(), LOG_KEYS)) == []
        session.rollback()


def find_in(session: Session, statement: str) -> list[str]:
    session.execute(text(statement))
    return list(audit(session.connection(), LOG_KEYS))


@pytest.fixture
def reading(app: Flask) -> Engine:
    """Return the engine that only reads."""
    with app.app_context():
        return db.engines[READING]


@pytest.mark.usefixtures("_days")
@pytest.mark.parametrize("jobs", [1, 2])
def test_days_that_end_during_an_audit_raise_no_false_alarm(
    session: Session, reading: Engine, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(days, "WORTH_PROCESSES", 0)
    ended: list[Progress] = []

    def end_days(progress: Progress) -> None:
        """When the audit has read the ballots of today, but not what the journal says of it."""
        if progress.ballots == 707 and not ended:
            ended.append(progress)
            run_due(session, FIRST_NOON + 5 * ONE_DAY)

    with snapshot(reading) as connection:
        assert list(audit(connection, LOG_KEYS, jobs=jobs, watch=end_days)) == []

    assert ended
    with snapshot(reading) as connection:
        assert list(audit(connection, LOG_KEYS)) == []


@pytest.mark.usefixtures("_days")
def test_worker_processes_find_the_same(
    session: Session, reading: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(days, "WORTH_PROCESSES", 0)
    with session.begin():
        session.execute(text("UPDATE holdings SET ballot_count = 1 WHERE ballot_count = 2"))
        session.execute(text("INSERT INTO holdings VALUES (2, '2026-11-20', 1, 7)"))
    told: list[Progress] = []

    with snapshot(reading) as connection:
        alone = list(audit(connection, LOG_KEYS))
        together = list(audit(connection, LOG_KEYS, jobs=2, watch=told.append))

    assert len(alone) == 2
    assert together == alone
    assert (told[0], told[-1]) == (Progress(0, 3, 0, 707), Progress(3, 3, 707, 707))


@pytest.mark.usefixtures("_days")
def test_a_range_of_days_is_checked_with_the_whole_journal(session: Session) -> None:
    with session.begin():
        unguard(session)
        session.execute(text("UPDATE holdings SET ballot_count = 1 WHERE ballot_count = 2"))
        session.execute(text("DELETE FROM journal_tiles"))
        connection = session.connection()
        to_it = list(audit(connection, LOG_KEYS, last=FIRST_DAY))
        after_it = list(audit(connection, LOG_KEYS, first=FIRST_DAY + ONE_DAY))
        session.rollback()

    journal = "the journal's records and its tiles do not match"
    holdings = f"{FIRST_DAY}: the holdings do not match the submissions"
    assert {journal, holdings} <= set(to_it)
    assert journal in after_it
    assert holdings not in after_it


class TestHeads:
    """What somebody kept of a log is compared with what is stored."""

    @pytest.mark.usefixtures("_days")
    def test_all_that_were_ever_signed_fit(self, session: Session, reading: Engine) -> None:
        with snapshot(reading) as connection:
            heads = [
                open_checkpoint(row.checkpoint, LOG_KEYS.key.verifier)
                for row in journal_rows(connection, 0, 10)
            ]
            for day, sizes in (FIRST_DAY, (0, 1, 256, 300, 702)), (FIRST_DAY + 2 * ONE_DAY, (5,)):
                heads += [
                    open_checkpoint(
                        day_checkpoint(connection, day, size, LOG_KEYS), LOG_KEYS.key.verifier
                    )
                    for size in sizes
                ]
            assert list(audit(connection, LOG_KEYS, heads={0: heads})) == []
        assert len(heads) == 9

    @pytest.mark.usefixtures("_days")
    @pytest.mark.parametrize(
        ("origin", "size", "says"),
        [
            ("", 1, "at size 1, root 0707"),
            ("", 4, "only 3 of its records are stored"),
            ("/2026-11-19", 0, "an empty log has another root"),
            ("/2026-11-19", 256, "head of lottery.local/2026-11-19 at size 256"),
            ("/2026-11-19", 702, "the stored log has another root"),
            ("/2026-11-19", 703, "only 702 of its records are stored"),
            ("/2026-11-21", 5, "the stored log has another root"),
            ("/2026-11-22", 1, "is of a day that has no draw"),
            ("/draws", 1, "the head of lottery.local/draws is not of lottery.local or of one"),
        ],
    )
    def test_one_that_does_not_fit_is_named(
        self, reading: Engine, origin: str, size: int, says: str
    ) -> None:
        head = Checkpoint(f"lottery.local{origin}", size, b"\7" * 32)

        with snapshot(reading) as connection:
            later = FIRST_DAY + 9 * ONE_DAY  # a range in which its day is not
            found = list(audit(connection, LOG_KEYS, first=later, heads={0: [head]}))

        assert len(found) == 1
        assert says in found[0]

    @pytest.mark.usefixtures("_days")
    def test_they_are_held_against_the_ballots_and_not_only_against_the_tiles(
        self, session: Session
    ) -> None:
        with session.begin():
            connection = session.connection()
            note = day_checkpoint(connection, FIRST_DAY, 302, LOG_KEYS)
            head = open_checkpoint(note, LOG_KEYS.key.verifier)
            unguard(session)
            session.execute(text("UPDATE submissions SET lottery_id = 1 WHERE first_number = 301"))
            found = list(audit(connection, LOG_KEYS, heads={0: [head]}))
            session.rollback()

        assert any("at size 302" in fault for fault in found), found

    @pytest.mark.usefixtures("_days")
    def test_the_command_reads_them_from_files(self, app: Flask, tmp_path: Path) -> None:
        file = tmp_path / "head"

        def checked(text: str) -> tuple[int, str]:
            file.write_text(text)
            done = app.test_cli_runner().invoke(args=["draw", "audit", "--head", str(file)])
            return done.exit_code, done.output

        with app.app_context(), reading_connection() as connection:
            good = day_checkpoint(connection, FIRST_DAY, 300, LOG_KEYS)
        forged = sign_checkpoint(
            Checkpoint("lottery.local", 1, b"\7" * 32), SigningKey("lottery.local", b"\x09" * 32)
        )
        other = sign_checkpoint(Checkpoint("elsewhere", 1, b"\7" * 32), LOG_KEYS.key)
        wrong = sign_checkpoint(Checkpoint("lottery.local", 1, b"\7" * 32), LOG_KEYS.key)
        assert checked(good) == (0, "All days, ballots and logs match.\n")
        assert checked(wrong)[0] == 1
        assert "the head of lottery.local at size 1" in checked(wrong)[1]
        for text_, says in [
            ("", "is not a checkpoint signed by this lottery"),
            ("\0" * 70_000, "longer than 65,536 bytes"),
            (forged, "is not a checkpoint signed by this lottery: this note is not signed by"),
            (other, "is the checkpoint of elsewhere; it must be of lottery.local"),
        ]:
            code, output = checked(text_)
            assert (code, output.count("\n")) == (1, 1)
            assert says in output


@pytest.fixture
def _writes_nothing(engine: Engine, tmp_path: Path) -> Iterator[None]:
    """Fail whoever connects in order to write, and watch the folder of the keys."""

    def refuse(*args: object) -> None:
        raise AssertionError("an audit does not write")

    def files() -> dict[str, bytes]:
        """All but what SQLite keeps in order to read."""
        return {
            path.name: path.read_bytes()
            for path in tmp_path.iterdir()
            if not path.name.endswith(("-shm", "-wal"))
        }

    engine.dispose()
    event.listen(engine, "do_connect", refuse)
    before = files()
    yield
    event.remove(engine, "do_connect", refuse)
    assert files() == before


@pytest.mark.usefixtures("_days", "_writes_nothing")
def test_the_command_writes_nothing(app: Flask) -> None:
    done = app.test_cli_runner().invoke(args=["draw", "audit"])

    assert (done.exit_code, done.output) == (0, "All days, ballots and logs match.\n")


@pytest.mark.usefixtures("_writes_nothing")
def test_where_nothing_has_begun_the_command_says_so_and_begins_nothing(
    app: Flask, tmp_path: Path
) -> None:
    done = app.test_cli_runner().invoke(args=["draw", "audit"])

    assert done.exit_code == 1
    assert done.output.startswith("Error: There is nothing to check: this database has no journal")


@pytest.mark.usefixtures("_days")
def test_without_its_keys_the_command_says_what_to_restore_and_makes_none(
    app: Flask, tmp_path: Path
) -> None:
    (tmp_path / LOG_KEY).unlink()

    done = app.test_cli_runner().invoke(args=["draw", "audit"])

    assert done.exit_code == 1
    assert f"Error: {tmp_path / LOG_KEY} is missing. Restore" in done.output
    assert not (tmp_path / LOG_KEY).exists()


@pytest.mark.usefixtures("_days")
@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ("--from 2026-11-19 --to 2026-11-19", 0, "The journal, 1 days and their 702 ballots match"),
        ("--from 2026-11-20", 0, "The journal, 2 days and their 5 ballots match"),
        ("--from 2027-01-01", 1, "there is no day between those to check"),
        ("--from 2026-11-20 --to 2026-11-19", 1, "No day is both from 2026-11-20 and up to"),
        ("--from tomorrow", 2, "'tomorrow' is not a date"),
    ],
)
def test_the_command_takes_a_range_of_days(app: Flask, options: str, code: int, says: str) -> None:
    done = app.test_cli_runner().invoke(args=["draw", "audit", *options.split()])

    assert (done.exit_code, done.output.count("Error")) == (code, int(code != 0))
    assert says in done.output


def test_progress_says_how_far_it_is_and_how_long_it_takes() -> None:
    seconds = iter([0.0, 5.0, 20.0, 21.0, 40.0])
    stream = StringIO()
    watch = ProgressLine(stream, shows=True, timer=lambda: next(seconds))

    for ballots in (1_000_000, 4_000_000, 4_100_000, 8_000_000):
        watch(Progress(ballots // 100_000, 365, ballots, 36_500_000))

    assert stream.getvalue().splitlines() == [
        "40 of 365 days, 4,000,000 of 36,500,000 ballots, 200,000 a second, 0:02:42 left",
        "80 of 365 days, 8,000,000 of 36,500,000 ballots, 200,000 a second, 0:02:22 left",
    ]


@pytest.mark.usefixtures("_days")
def test_the_command_says_that_all_is_well(app: Flask) -> None:
    done = app.test_cli_runner().invoke(args=["draw", "audit"])

    assert (done.exit_code, done.output) == (0, "All days, ballots and logs match.\n")


@pytest.mark.usefixtures("_days")
def test_the_command_names_what_is_wrong(app: Flask, session: Session) -> None:
    with session.begin():
        session.execute(text("UPDATE holdings SET ballot_count = 1 WHERE ballot_count = 2"))

    done = app.test_cli_runner().invoke(args=["draw", "audit"])

    assert done.exit_code == 1
    assert f"{FIRST_DAY}: the holdings do not match" in done.output
    assert "Errors found: 1." in done.output
