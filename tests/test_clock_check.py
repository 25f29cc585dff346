"""Clock check: a host's clock is trusted only while it agrees with other sources."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.clock_check import HOLD, ClockCheck
from lottery_system.clock_past import FILE, ClockPast
from lottery_system.errors import Paused
from lottery_system.models.database_clock import Clocks
from lottery_system.pause import Pause
from lottery_system.runtime import database
from tests.conftest import FIRST_NOON
from tests.stand_ins.database_clocks import DatabaseClock, moved_clock

TOLERANCE = 60
SECOND = timedelta(seconds=1)


class Host:
    """A process and its two clocks, which run only when told to."""

    def __init__(self, tolerance: int | None = TOLERANCE) -> None:
        self.wall = FIRST_NOON
        self.uptime = 1_000.0
        self.pause = Pause()
        self.check = ClockCheck(tolerance, self.pause, lambda: self.wall, lambda: self.uptime)

    def wait(self, seconds: float) -> None:
        self.wall += seconds * SECOND
        self.uptime += seconds

    def is_paused(self, database: datetime | None = None) -> bool:
        """Take a turn, as the ballot box does, and tell whether it was refused."""
        said = None if database is None else database.timestamp()
        try:
            self.check.check_turn(Clocks(self.wall, said, self.wall))
        except Paused:
            assert self.pause.reasons
            return True
        assert not self.pause.reasons
        return False


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.mark.parametrize("by", [ONE_DAY, -ONE_DAY, 61 * SECOND, -61 * SECOND])
def test_a_clock_that_was_set_is_believed_once_it_has_kept_that_for_five_minutes(
    host: Host, by: timedelta
) -> None:
    assert not host.is_paused()
    host.wall += by

    assert host.check.is_in_doubt
    assert host.is_paused()
    host.wait(HOLD - 1)
    assert host.is_paused()
    host.wait(1)
    assert not host.is_paused()
    assert not host.check.is_in_doubt


def test_a_clock_a_year_ahead_for_twelve_seconds_is_never_believed(host: Host) -> None:
    host.wall += 365 * ONE_DAY
    for _ in range(12):
        assert host.is_paused()
        host.wait(1)
    host.wall -= 365 * ONE_DAY

    assert not host.is_paused()


def test_a_clock_that_does_not_settle_is_never_believed(host: Host) -> None:
    for _ in range(3 * HOLD):
        host.wall += 2 * SECOND  # three times as fast as time
        host.wait(1)
        refused = host.is_paused()

    assert refused


def test_what_makes_no_jump_is_no_reason_to_doubt(host: Host) -> None:
    host.wall += 59 * SECOND  # NTP steps it
    assert not host.is_paused()
    host.wait(9 * 3600)  # a laptop sleeps
    assert not host.is_paused()
    assert not host.check.is_in_doubt


def test_many_small_steps_are_a_jump_in_the_end(host: Host) -> None:
    host.wall += 40 * SECOND
    assert not host.is_paused()
    host.wall += 40 * SECOND

    assert host.is_paused()


@pytest.mark.parametrize("by", [ONE_DAY, -ONE_DAY, 61 * SECOND, -61 * SECOND])
def test_a_clock_that_differs_from_the_databases_is_not_believed_however_long_it_does(
    host: Host, by: timedelta
) -> None:
    assert host.is_paused(host.wall - by)
    host.wait(10 * HOLD)
    assert host.is_paused(host.wall - by)
    (reason,) = host.pause.reasons
    assert ("ahead of" if by > timedelta() else "behind") + " the database's" in reason


def test_a_clock_set_to_what_the_database_has_said_all_the_time_is_believed_at_once(
    host: Host,
) -> None:
    host.wall += ONE_DAY
    assert host.is_paused(host.wall - ONE_DAY)

    host.wall -= ONE_DAY
    assert not host.is_paused(host.wall)
    host.wall += ONE_DAY
    host.wait(HOLD)
    assert host.is_paused(host.wall - ONE_DAY)


def test_a_database_on_the_same_machine_is_set_with_it_and_proves_nothing(host: Host) -> None:
    assert not host.is_paused(host.wall)
    host.wall += 365 * ONE_DAY

    assert host.is_paused(host.wall)
    host.wait(HOLD)
    assert not host.is_paused(host.wall)


def test_a_lock_that_was_waited_for_is_no_difference_of_clocks(host: Host) -> None:
    before = host.wall
    host.wait(10 * 60)

    for seconds in (0, 300, 600):
        said = (before + seconds * SECOND).timestamp()
        host.check.check_turn(Clocks(before, said, host.wall))


def test_a_round_of_the_beacon_that_is_signed_shows_that_the_clock_is_behind(host: Host) -> None:
    assert host.check.witness((host.wall + 59 * SECOND).timestamp()) is None
    assert host.check.witness((host.wall - ONE_DAY).timestamp()) is None
    assert not host.is_paused()

    assert host.check.witness((host.wall + ONE_DAY).timestamp()) is not None

    assert host.is_paused()
    host.check.witness((host.wall - ONE_DAY).timestamp())  # an old one takes nothing back
    assert host.is_paused()
    host.wall += ONE_DAY
    assert host.is_paused()  # now it was set
    host.wait(HOLD)
    assert not host.is_paused()


def test_nothing_is_compared_where_that_is_off() -> None:
    host = Host(tolerance=None)
    host.wall += 365 * ONE_DAY

    assert not host.is_paused(FIRST_NOON)
    assert not host.check.is_in_doubt


def test_a_restart_ends_no_doubt_but_a_new_start_of_the_machine_does(tmp_path: Path) -> None:
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("one\n")

    def started(wall: datetime) -> Host:
        host = Host()
        host.wall = wall
        host.check.remember(ClockPast(tmp_path, boot_id))
        return host

    assert not started(FIRST_NOON).is_paused()
    for said in (None, FIRST_NOON + ONE_DAY):  # the latter on this machine
        wrong = started(FIRST_NOON + ONE_DAY)
        assert wrong.check.is_in_doubt
        assert wrong.is_paused(said)
    assert not started(FIRST_NOON).is_paused()
    wrong.wait(HOLD)
    assert not wrong.is_paused()  # it was right after all
    assert not started(FIRST_NOON + ONE_DAY).is_paused()
    boot_id.write_text("two\n")
    assert not started(FIRST_NOON).is_paused()


@pytest.mark.parametrize("text", ["", "one", "one two", "one 3 4", "\xff"])
def test_a_clock_file_that_cannot_be_read_says_nothing(tmp_path: Path, text: str) -> None:
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("one\n")
    (tmp_path / FILE).write_text(text, encoding="latin-1")

    assert ClockPast(tmp_path, boot_id).load() is None


def test_a_folder_that_cannot_be_written_to_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host = Host()
    host.check.remember(ClockPast(tmp_path / "nowhere"))

    assert not host.is_paused()
    assert not host.is_paused()
    assert len(caplog.records) == 1


@pytest.fixture
def database_clock(postgres_url: str) -> Iterator[DatabaseClock]:
    with moved_clock(postgres_url, FIRST_NOON) as clock:
        yield clock


@pytest.fixture
def engine(database_clock: DatabaseClock, postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url, **database.engine_options(postgres_url))
    database.prepare(engine)
    yield engine
    engine.dispose()


def test_postgresql_is_asked_for_its_own_clock(
    host: Host, database_clock: DatabaseClock, engine: Engine
) -> None:
    with Session(engine) as session:
        assert host.check.look(session) == host.wall
        assert not host.pause.reasons

        database_clock.run_from(FIRST_NOON + ONE_DAY)
        host.check.look(session)
        assert "is 24 hours behind the database's" in host.pause.reasons[0]

        database_clock.run_from(FIRST_NOON)
        host.check.look(session)
        assert not host.pause.reasons
