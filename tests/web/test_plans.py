"""Query plans on PostgreSQL: by keys, also before tables are analysed.

A connection plans a statement once, maybe on the first day. A plan that scans all ballots is fast
then, and would be kept when there are ten million.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.extensions import db
from lottery_system.models import Lottery
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import Visitor

#: the tables that grow with every ballot and every day
LARGE = "ballots|submissions|holdings|winners|offers|login_sessions|users|claim_events"
WHOLE = re.compile(rf"Seq Scan on ({LARGE})|Hash Join|Merge Join")

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

Plan = Callable[[Callable[[], object]], list[str]]


@pytest.fixture
def plans(app: Flask) -> Plan:
    """Return a function that lists the plans of all that a call asks the database."""

    def explain(connection: Connection, cursor: Any, statement: str, asked: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "INSERT", "UPDATE", "WITH")):
            raw = connection.connection.cursor()
            raw.execute(f"EXPLAIN {statement}", asked)
            found.append("\n".join([statement, *(row[0] for row in raw.fetchall())]))

    found: list[str] = []

    def plans(call: Callable[[], object]) -> list[str]:
        with app.app_context():
            engines: list[Engine] = list(db.engines.values())
        for engine in engines:
            event.listen(engine, "before_cursor_execute", explain)
        call()
        for engine in engines:
            event.remove(engine, "before_cursor_execute", explain)
        return found

    return plans


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/ballots",
        f"/ballots/{FIRST_DAY}",
        f"/winners/{FIRST_DAY}",
        "/winners",
        "/account",
        "/ballots.csv",
        "/winners.csv",
        f"/draws/{FIRST_DAY}",
        "/prizes",
        f"/prizes/{FIRST_DAY}/1",
        "/lotteries/1",
        "/lotteries/1/card.png",
        "/welcome",
    ],
)
def test_a_page_never_goes_through_a_whole_table(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock,
    bob: Visitor, plans: Plan, path: str,
) -> None:  # fmt: skip
    submit(cast.bob, big_chance, 3)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY, places=1)

    found = plans(lambda: bob.get(path).data)

    assert found
    assert [each for each in found if WHOLE.search(each)] == []


@pytest.mark.parametrize(
    "given_settings",
    [{}, {"LOTTERY_MAX_COUNT": "3", "LOTTERY_BALLOTS_PER_HOUR": "3"}],
    ids=["nobody near the rate", "somebody at the rate"],
)
def test_submitting_never_goes_through_a_whole_table(
    cast: Cast, big_chance: Lottery, submit: Submit, plans: Plan, given_settings: dict[str, str]
) -> None:
    for _ in range(13):  # all that one may have at noon
        submit(cast.bob, big_chance, 3)

    found = plans(lambda: submit(cast.charlie, big_chance, 3))

    assert any("FROM holdings" in each for each in found) == bool(given_settings)
    assert any("INSERT INTO ballots" in each for each in found)
    assert [each for each in found if WHOLE.search(each)] == []
