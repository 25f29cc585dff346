"""The container's start waits for a database that is starting itself."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from lottery_system.runtime import database
from tests.conftest import running, settings_for
from tests.stand_ins.log_keys import keep_keys
from tests.stand_ins.ports import free_port

REFUSAL = "The database of LOTTERY_DATABASE_URL gave no access in 0 s: "


def test_a_database_that_never_comes_ends_the_wait_with_one_sentence(tmp_path: Path) -> None:
    keep_keys(tmp_path)
    url = f"postgresql://lottery:hunter2@127.0.0.1:{free_port()}/lottery"
    with running(settings_for(url, LOTTERY_STORAGE=str(tmp_path))) as app:
        done = app.test_cli_runner().invoke(args=["db", "wait", "--seconds", "0"])

    assert done.exit_code == 1
    assert REFUSAL in done.output
    assert "hunter2" not in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_database_that_comes_late_is_waited_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = iter(range(3))
    connect = engine.connect  # as it was before

    def refuse_first(self: Engine) -> Connection:
        if next(refusals, None) is not None:
            raise OperationalError("", None, Exception("the database system is starting up"))
        return connect()

    pauses: list[float] = []
    monkeypatch.setattr(Engine, "connect", refuse_first)
    monkeypatch.setattr(database, "sleep", pauses.append)

    database.wait_for_access(engine, seconds=60)

    assert pauses == [1, 1, 1]
