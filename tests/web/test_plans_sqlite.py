"""Query plans on SQLite: single ballots by their whole key, without statistics.

A join in the wrong order would read all ballots of a day, and look each one up among the winners.
"""

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import Connection, Engine, event

from lottery_system.clock import ONE_DAY
from lottery_system.queries.claims import claim_of, winners_of, wins
from lottery_system.queries.day import look_up
from lottery_system.queries.days import days_between
from lottery_system.queries.exports import winners_after
from lottery_system.queries.my_ballots import my_day, places_of
from lottery_system.queries.results import results_of
from tests.conftest import FIRST_DAY, Cast, Submit

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ASK: dict[str, Callable[[Connection], object]] = {
    "a month of days": lambda at: days_between(at, FIRST_DAY - 30 * ONE_DAY, FIRST_DAY, 2),
    "what became of my ballots": lambda at: results_of(at, 2, after=date.min, until=FIRST_DAY),
    "a day and its winners": lambda at: look_up(at, FIRST_DAY, 2),
    "my winning numbers": lambda at: places_of(at, 2, [FIRST_DAY]),
    "my day": lambda at: my_day(at, 2, FIRST_DAY),
    "a prize": lambda at: claim_of(at, FIRST_DAY, 1),
    "who holds prizes": lambda at: winners_of(at, [FIRST_DAY]),
    "all winners": lambda at: winners_after(at, FIRST_DAY, 0),
    "the latest winners": lambda at: wins(at, limit=21),
    "winners of a lottery": lambda at: wins(at, lottery_id=1, limit=21),
}


@pytest.mark.parametrize("name", ASK)
def test_a_ballot_is_found_by_day_and_number(
    engine: Engine, cast: Cast, submit: Submit, big_chance: object, name: str
) -> None:
    submit(cast.bob, big_chance, 3)
    plans: list[str] = []

    def explain(
        connection: Connection, cursor: object, statement: str, asked: object, *_: object
    ) -> None:
        raw = connection.connection.cursor()
        raw.execute(f"EXPLAIN QUERY PLAN {statement}", asked)  # type: ignore[arg-type]
        plans.extend(row[3] for row in raw.fetchall())

    with engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", explain)
        ASK[name](connection)

    of_ballots = [line for line in plans if " ballots " in f"{line} "]
    assert of_ballots
    for line in of_ballots:
        assert "SEARCH ballots USING PRIMARY KEY (day=? AND number=?)" in line
