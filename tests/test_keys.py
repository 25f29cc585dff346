"""Keys of the logs: created once, kept out of the database, refused if they do not match."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session

from lottery_system.errors import UnfitKeys
from lottery_system.fairness.beacon import QUICKNET, ChainInfo
from lottery_system.fairness.commitment import anchor_of
from lottery_system.fairness.note import SigningKey, format_signing_key
from lottery_system.keys import BEACON_CHAIN, CHAIN_TIP, LOG_KEY, begin, load
from lottery_system.models import JournalRecord, LogKeys
from lottery_system.runtime import database
from tests.conftest import FIRST_DAY, FIRST_NOON, settings_for
from tests.stand_ins.processes import PATIENCE, ROOT, Gunicorn


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Return an engine of an empty database, of no application."""
    found = create_engine(database_url, **database.engine_options(database_url))
    database.prepare(found)
    yield found
    found.dispose()


def no_relay(chain_hash: bytes) -> ChainInfo | None:
    return None


def start(engine: Engine, storage: Path, **given: str) -> LogKeys:
    """Start as a server does whose keys are in a folder."""
    settings = settings_for(str(engine.url), LOTTERY_STORAGE=str(storage), **given)
    with Session(engine) as session:
        return begin(session, settings, FIRST_NOON, no_relay).log_keys


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_production_begins_no_journal_under_a_name_that_nobody_chose(
    engine: Engine, tmp_path: Path
) -> None:
    storage = folder(tmp_path / "storage")
    production = {"LOTTERY_ENV": "production", "LOTTERY_SECRET_KEY": "k" * 32}

    with pytest.raises(UnfitKeys, match=r"as it is where none is set"):
        start(engine, storage, **production, LOTTERY_NAME="lottery.local")

    assert list(storage.iterdir()) == []
    with Session(engine) as session:
        assert JournalRecord.genesis(session) is None
    assert start(engine, storage, **production, LOTTERY_NAME="lottery.example").key.name == (
        "lottery.example"
    )


def test_a_journal_that_was_begun_as_lottery_local_goes_on_in_production(
    engine: Engine, tmp_path: Path
) -> None:
    storage = folder(tmp_path / "storage")
    begun = start(engine, storage)

    went_on = start(
        engine, storage,
        LOTTERY_ENV="production", LOTTERY_SECRET_KEY="k" * 32, LOTTERY_NAME="lottery.local",
    )  # fmt: skip

    assert went_on == begun


def test_the_first_start_makes_keys_that_nobody_else_can_read(
    engine: Engine, tmp_path: Path
) -> None:
    storage = folder(tmp_path / "storage")

    log_keys = start(engine, storage)

    for name in (LOG_KEY, CHAIN_TIP):
        assert stat.S_IMODE((storage / name).stat().st_mode) == 0o600
    with Session(engine) as session:
        genesis = JournalRecord.genesis(session)
    assert genesis is not None
    assert (genesis.name, genesis.first, genesis.mode) == ("lottery.local", FIRST_DAY, "operator")
    assert genesis.anchor == anchor_of(log_keys.tip)


def test_a_later_start_finds_the_same_keys_and_begins_nothing_anew(
    engine: Engine, tmp_path: Path
) -> None:
    storage = folder(tmp_path / "storage")
    first = start(engine, storage)

    assert start(engine, storage) == first
    with Session(engine) as session:
        assert len(session.scalars(select(JournalRecord)).all()) == 1


def test_many_may_start_at_once_for_the_first_time(engine: Engine, tmp_path: Path) -> None:
    storage = folder(tmp_path / "storage")

    with ThreadPoolExecutor(4) as threads:
        operators = list(threads.map(lambda _: start(engine, storage), range(4)))

    assert len(set(operators)) == 1


def test_the_secrets_are_in_no_table_and_no_repr(engine: Engine, tmp_path: Path) -> None:
    storage = folder(tmp_path / "storage")
    log_keys = start(engine, storage)

    with Session(engine) as session:
        rows = str([vars(row) for row in session.scalars(select(JournalRecord))])
    for secret in (log_keys.tip, log_keys.key.seed):
        assert secret.hex() not in rows
        assert repr(secret) not in rows
        assert repr(secret) not in repr(log_keys)


@contextmanager
def refused(sentence: str) -> Iterator[None]:
    with pytest.raises(UnfitKeys, match=sentence):
        yield


@pytest.mark.parametrize("name", [LOG_KEY, CHAIN_TIP])
def test_a_key_that_is_missing_is_not_made_anew(engine: Engine, tmp_path: Path, name: str) -> None:
    storage = folder(tmp_path / "storage")
    start(engine, storage)
    (storage / name).unlink()

    with refused(f"{name} is missing. Restore this file from the backup"):
        start(engine, storage)

    assert not (storage / name).exists()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (LOG_KEY, format_signing_key(SigningKey("lottery.local", b"\7" * 32)), "did not sign"),
        (LOG_KEY, "PRIVATE+KEY+lottery.local+00000000+AAAA", "log_key is damaged"),
        (LOG_KEY, "", "log_key is damaged"),
        (CHAIN_TIP, "07" * 32, "is not what this lottery's genesis promised"),
        (CHAIN_TIP, "07" * 31, "chain_tip is damaged"),
        (CHAIN_TIP, "x" * 64, "chain_tip is damaged"),
    ],
)
def test_a_key_that_does_not_fit_the_journal_is_refused(
    engine: Engine, tmp_path: Path, name: str, text: str, sentence: str
) -> None:
    storage = folder(tmp_path / "storage")
    start(engine, storage)
    (storage / name).write_text(text)

    with refused(sentence) as found:
        start(engine, storage)
    assert found is None


def test_another_host_is_told_to_copy_the_keys(engine: Engine, tmp_path: Path) -> None:
    start(engine, folder(tmp_path / "one"))

    with refused("copy it from the host on which the lottery was begun"):
        start(engine, folder(tmp_path / "other"))

    assert list((tmp_path / "other").iterdir()) == []


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ({}, {"LOTTERY_NAME": "other.example"}, "Set LOTTERY_NAME=lottery.local."),
        ({}, {"LOTTERY_BEACON": "drand"}, "begun in mode operator.*Set LOTTERY_BEACON=off."),
        (
            {"LOTTERY_BEACON": "drand"},
            {},
            "begun in mode beacon.*Set LOTTERY_BEACON=drand and LOTTERY_BEACON_CHAIN=52db9ba7",
        ),
        (
            {"LOTTERY_BEACON": "drand"},
            {"LOTTERY_BEACON": "drand", "LOTTERY_BEACON_GAP": "700"},
            "Set LOTTERY_BEACON_GAP=600.",
        ),
    ],
)
def test_what_was_fixed_at_the_beginning_cannot_be_set_otherwise(
    engine: Engine, tmp_path: Path, before: dict[str, str], after: dict[str, str], sentence: str
) -> None:
    storage = folder(tmp_path / "storage")
    start(engine, storage, **before)

    with refused(sentence):
        start(engine, storage, **after)


def test_another_chain_is_asked_for_once_and_kept(engine: Engine, tmp_path: Path) -> None:
    storage = folder(tmp_path / "storage")
    other = QUICKNET._replace(beacon_id="another-network")
    settings = settings_for(
        str(engine.url),
        LOTTERY_STORAGE=str(storage),
        LOTTERY_BEACON="drand",
        LOTTERY_BEACON_CHAIN=other.chain_hash.hex(),
    )
    with Session(engine) as session:
        with refused("No relay of LOTTERY_BEACON_URLS knows the chain"):
            begin(session, settings, FIRST_NOON, no_relay)
        assert (
            begin(session, settings, FIRST_NOON, lambda chain_hash: other).log_keys.chain == other
        )
        # from now on without a relay
        assert begin(session, settings, FIRST_NOON, no_relay).log_keys.chain == other
    assert (storage / BEACON_CHAIN).exists()


def test_a_server_with_the_wrong_key_does_not_start_and_says_what_to_restore(
    database_url: str, engine: Engine, tmp_path: Path
) -> None:
    storage = folder(tmp_path / "storage")
    start(engine, storage)
    (storage / CHAIN_TIP).write_text("07" * 32)
    server = Gunicorn(database_url, storage)

    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py"],
        cwd=ROOT,
        env=server.environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 1
    assert "is not what this lottery's genesis promised. Restore this file" in done.stderr
    assert "Traceback" not in done.stderr
    assert "07" * 32 not in done.stderr


def test_keys_that_were_used_begin_no_second_journal(
    engine: Engine, tmp_path: Path, database_url: str
) -> None:
    """As where the database is empty, or another one: the secrets of these keys are published."""
    storage = folder(tmp_path / "storage")
    for missing in (LOG_KEY, CHAIN_TIP, None):
        for name in (LOG_KEY, CHAIN_TIP):
            (storage / name).unlink(missing_ok=True)
            if name != missing:
                (storage / name).write_text("whatever it is\n")
        with refused("the database has no journal.*begin no second journal"):
            start(engine, storage)

    with Session(engine) as session:
        assert JournalRecord.genesis(session) is None


def crash(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["begin_journal", "adopt_drafts"])
def test_a_first_start_that_is_cut_off_is_made_up_by_the_next_one(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Before the commit nothing has begun; after it the keys that it was made with are found."""
    storage = folder(tmp_path / "storage")
    with monkeypatch.context() as patch:
        patch.setattr(f"lottery_system.keys.{moment}", crash)
        with pytest.raises(KeyboardInterrupt):
            start(engine, storage)
    assert not (storage / LOG_KEY).exists()
    made = (storage / "chain_tip.draft").read_text()

    log_keys = start(engine, storage)

    assert log_keys.tip.hex() == made.strip()
    assert sorted(path.name for path in storage.iterdir()) == [CHAIN_TIP, LOG_KEY]


def test_drafts_of_a_start_that_came_second_are_taken_away(engine: Engine, tmp_path: Path) -> None:
    first, second = folder(tmp_path / "first"), folder(tmp_path / "second")
    start(engine, first)
    for name in (LOG_KEY, CHAIN_TIP):
        (second / f"{name}.draft").write_text((first / name).read_text())
    (second / "chain_tip.draft").write_text("07" * 32)

    with refused("chain_tip is missing"):
        start(engine, second)

    assert sorted(path.name for path in second.iterdir()) == [LOG_KEY]


def test_reading_keys_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    storage = folder(tmp_path / "storage")
    settings = settings_for(str(engine.url), LOTTERY_STORAGE=str(storage))
    with Session(engine) as session:
        with refused("This lottery has not begun"):
            load(session, settings)
        assert JournalRecord.genesis(session) is None
    assert list(storage.iterdir()) == []


def test_the_genesis_is_noted_in_the_log(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    start(engine, folder(tmp_path / "storage"))

    with Session(engine) as session:
        record = session.scalar(select(JournalRecord.record))
    assert record is not None
    genesis = sha256(record.encode()).hexdigest()
    assert [each.getMessage() for each in caplog.records] == [
        f"journal: begun, its genesis is {genesis}"
    ]
