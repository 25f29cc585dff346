"""Query plans of the busy pages (EXPLAIN), on both databases."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

from psycopg.sql import SQL, Literal
from sqlalchemy import Connection, Engine, event

from lottery_system.queries.day import look_up
from lottery_system.queries.days import days_between
from lottery_system.queries.front_page import load_front_page
from lottery_system.queries.my_ballots import days_of, submissions_of

#: a parameter, as psycopg writes it
NAMED = re.compile(r"%\((\w+)\)s")
#: rows of a page, and one to see whether there are more
LIMIT = 51


def plans(engine: Engine, user_id: int, day: date, before: int) -> Iterator[tuple[str, str]]:
    """Explain what the pages ask of a full day; gives name and explanation of each.

    Args:
        engine: the one that reads.
        user_id: somebody who holds many ballots on that day.
        day: the day.
        before: a number in the middle of theirs.
    """
    pages: dict[str, Callable[[Connection], object]] = {
        "the front page": lambda at: load_front_page(at, user_id, day),
        "a day, its winners and how many ballots of it are mine": lambda at: look_up(
            at, day, user_id
        ),
        "a month of days, what each stands at and whether I won": lambda at: days_between(
            at, day.replace(day=1), day, user_id
        ),
        "a page of my 30,000 submissions of the day, from the middle": lambda at: submissions_of(
            at, user_id, day, before=before, limit=LIMIT
        ),
        "the days on which I played": lambda at: days_of(at, user_id, before=None, limit=LIMIT),
    }
    with engine.connect() as connection:
        for name, ask in pages.items():
            yield name, _explain(connection, ask)


def _explain(connection: Connection, ask: Callable[[Connection], object]) -> str:
    asked: list[tuple[str, Any]] = []

    def note(at: object, cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    ask(connection)
    event.remove(connection, "before_cursor_execute", note)
    ((statement, parameters),) = asked
    raw = connection.connection.cursor()
    if connection.dialect.name == "sqlite":
        raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return _indented(raw.fetchall())
    # as a prepared statement: the plan that is kept, and not one made for these values
    names = list(dict.fromkeys(NAMED.findall(statement)))
    prepared = NAMED.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    raw.execute(f"PREPARE asked AS {prepared}")
    values = SQL(", ").join(Literal(parameters[name]) for name in names)
    raw.execute(SQL("EXPLAIN (ANALYZE, COSTS OFF) EXECUTE asked({})").format(values))
    plan = "\n".join(row[0] for row in raw.fetchall())
    raw.execute("DEALLOCATE asked")
    return plan


def _indented(rows: Sequence[tuple[int, int, int, str]]) -> str:
    """Write SQLite's rows (id, parent, unused, text) as a tree."""
    depth = {0: 0}
    lines = []
    for number, parent, _, text in rows:
        depth[number] = depth[parent] + 1
        lines.append("  " * depth[parent] + text)
    return "\n".join(lines)
